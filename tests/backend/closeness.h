// How near a backend's results must be to exact ones: as near as the roundings of its numbers let them be, which the
// operation itself tells. Computed some times more in float64 of inputs that are off by what rounding changes, its
// results move by what one rounding of each number does to them: their conditioning, whatever the kernel is (sums that
// cancel, scores of several hundred, rows far from zero). A computation in float32 rounds more than its inputs: each
// partial sum again, which adds up like a random walk, with the square root of its length. And none need be nearer than
// roundings of numbers of size 1, which inputs have: what is about 0 is a difference of such.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <utility>
#include <vector>

#include "tests/backend/trial.h"

namespace roformer::testing {

// What the roundings of a kernel grow with.
enum class Rounds {
  elements,     // each number is computed by itself: a few roundings
  activations,  // likewise, by approximations of exponentials and error functions
  sums,         // sums, in float32 whatever the precision
  products,     // sums of products whose factors a linear layer rounds to its number types
  attention,    // likewise, in attention's
};

// How many roundings follow each other in float32, of a case whose longest sum has `longest` terms.
inline int64_t roundings_in_turn(Rounds rounds, int64_t longest) {
  constexpr int64_t kOfApproximations = 16;
  return rounds == Rounds::elements ? 1 : rounds == Rounds::activations ? kOfApproximations : longest;
}

// How many times the typical effect of rounding an error may be: kernels round more than once where this takes it for
// once, and the largest of a hundred thousand errors is several times their typical size.
constexpr double kTimesTypical = 24;
// The same of the root mean square of many errors, which has no such tail: a scale that is off shows here.
constexpr double kTimesTypicalOnTheWhole = 4;
constexpr size_t kMany = 256;

// What a case gives in float64, and by how much its results may differ.
struct Exact {
  std::vector<Result> results;
  std::vector<std::vector<double>> may;  // of each result, as many as it has values
  std::vector<double> may_on_the_whole;  // root mean square
};

// Allows what `disturbed`, of some draws of errors, shows, where `in_turn` such roundings follow each other.
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

// Returns the largest error, or the typical one of a result, as a part of what it may be.
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

}  // namespace roformer::testing
