// Error bounds of a backend's results, derived from rounding errors. The operation is repeated in float64 with inputs
// perturbed by rounding errors; the changes of its results measure its conditioning, whatever the kernel is
// (cancellation, scores of several hundred, rows far from zero). Float32 also rounds each partial sum, which adds up
// like a random walk, with the square root of its length. No result need be closer than the rounding of values of size
// 1, the size of inputs: values near 0 are differences of such.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <utility>
#include <vector>

#include "tests/backend/trial.h"

namespace roformer::test {

// What the rounding error of a kernel grows with.
enum class Rounds {
  elements,     // elementwise: a few roundings
  activations,  // likewise, by approximations of exponentials and error functions
  sums,         // sums, always in float32
  products,     // sums of products whose factors a linear layer rounds to its number types
  attention,    // likewise, in attention's
};

// The number of successive roundings in float32, for a longest sum of `longest` terms.
inline int64_t roundings_in_turn(Rounds rounds, int64_t longest) {
  constexpr int64_t kOfApproximations = 16;
  return rounds == Rounds::elements ? 1 : rounds == Rounds::activations ? kOfApproximations : longest;
}

// Allowed error as a multiple of the typical effect of rounding: kernels round more often than assumed here, and the
// largest of a hundred thousand errors is several times their typical size.
constexpr double kTimesTypical = 24;
// The same for the root mean square of many errors, which has no such tail and detects a wrong scale.
constexpr double kTimesTypicalOnTheWhole = 4;
constexpr size_t kMany = 256;

// The float64 results of a case, and the allowed errors.
struct Exact {
  std::vector<Result> results;
  std::vector<std::vector<double>> may;  // per result and value
  std::vector<double> may_on_the_whole;  // root mean square
};

// Sets the bounds from `disturbed` results, one per draw of errors, for `in_turn` successive roundings.
inline void allow_roundings(Exact& exact, const std::vector<std::vector<Result>>& disturbed, int64_t in_turn) {
  const double growth = kTimesTypical * std::sqrt(static_cast<double>(in_turn));
  for (size_t n = 0; n < exact.results.size(); ++n) {
    const Result& result = exact.results[n];
    if (result.exact) continue;
    std::vector<double> squares(result.values.size(), 0);
    for (const std::vector<Result>& draw : disturbed) {
      for (size_t i = 0; i < squares.size(); ++i) {
        const double moved = draw[n].values[i] - result.values[i];
        squares[i] += moved * moved / static_cast<double>(disturbed.size());
      }
    }
    const auto mean = [&](size_t begin, size_t count) {
      return std::accumulate(&squares[begin], &squares[begin] + count, 0.0) / static_cast<double>(count);
    };
    const double of_all = squares.empty() ? 0 : mean(0, squares.size());
    const auto columns = static_cast<size_t>(result.columns);
    double of_row = 0;
    for (size_t i = 0; i < squares.size(); ++i) {
      if (i % columns == 0) of_row = mean(i, columns);
      const double typical = std::sqrt(std::max({squares[i], of_row, of_all}));
      exact.may[n][i] = std::max({exact.may[n][i], growth * typical, growth * 0x1p-24 * std::abs(result.values[i])});
    }
    double& whole = exact.may_on_the_whole[n];
    whole = std::max(whole, kTimesTypicalOnTheWhole / kTimesTypical * growth * std::sqrt(of_all));
  }
}

inline Exact exact_of(std::vector<Result> results) {
  Exact exact;
  for (const Result& result : results) {
    const double least = result.exact ? 0 : 0x1p-24;
    exact.may.emplace_back(result.values.size(), kTimesTypical * least);
    exact.may_on_the_whole.push_back(kTimesTypicalOnTheWhole * least);
  }
  exact.results = std::move(results);
  return exact;
}

// Returns the largest error, single or typical, as a fraction of its bound.
inline double expect_within_roundings(const std::vector<Result>& actual, const Exact& exact) {
  double worst = 0;
  const auto compare = [&] {
    ASSERT_EQ(actual.size(), exact.results.size());
    for (size_t n = 0; n < actual.size(); ++n) {
      const std::vector<double>&want = exact.results[n].values, &got = actual[n].values;
      ASSERT_EQ(got.size(), want.size()) << actual[n].name;
      double squares = 0;
      for (size_t i = 0; i < want.size(); ++i) {
        ASSERT_TRUE(std::isfinite(want[i])) << actual[n].name << ", element " << i;
        ASSERT_TRUE(std::isfinite(got[i])) << actual[n].name << ", element " << i;
        const double error = std::abs(got[i] - want[i]), may = exact.may[n][i];
        ASSERT_LE(error, may) << actual[n].name << ", element " << i << ": " << got[i] << ", expected " << want[i];
        if (may > 0) worst = std::max(worst, error / may);
        squares += error * error;
      }
      if (want.size() < kMany || exact.results[n].exact) continue;
      const double typical = std::sqrt(squares / static_cast<double>(want.size())), may = exact.may_on_the_whole[n];
      ASSERT_LE(typical, may) << "the typical error of " << actual[n].name;
      worst = std::max(worst, typical / may);
    }
  };
  compare();
  return worst;
}

}  // namespace roformer::test
