// How near a backend's results must be to exact ones: as near as the roundings of its numbers let them be, which the
// operation itself tells. Computed some times more in float64 of inputs that are off by what rounding changes, its
// results move by what one rounding of each number does to them: their conditioning, whatever the kernel is (sums that
// cancel, scores of several hundred, rows far from zero). A computation in float32 rounds more than its inputs: each
// partial sum again, which adds up like a random walk, with the square root of its length. And none need be nearer than
// roundings of numbers as large as products of three inputs.
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
  elements,   // each number is computed by itself: a few roundings
  sums,       // sums, in float32 whatever the precision
  products,   // sums of products whose factors a linear layer rounds to its number types
  attention,  // likewise, in attention's
};

// How many times the typical effect of rounding an error may be: an exponential or an error function has the error of
// some roundings by itself, and the largest of many errors is several times their typical size.
constexpr double kTimesTypical = 24;

// What a case gives in float64, and by how much its results may differ.
struct Exact {
  std::vector<Result> results;
  std::vector<std::vector<double>> may;  // of each result, as many as it has values
};

// `disturbed`: what came of each draw of errors; `length`: of the longest sum, 1 where there is none.
inline Exact exact_within(std::vector<Result> results, const std::vector<std::vector<Result>>& disturbed,
                          int64_t length, double input_size) {
  Exact exact{std::move(results), {}};
  const double growth = kTimesTypical * std::sqrt(static_cast<double>(length));
  for (size_t n = 0; n < exact.results.size(); ++n) {
    const Result& result = exact.results[n];
    std::vector<double>& may = exact.may.emplace_back(result.values.size(), 0);
    if (result.exact) continue;
    for (const std::vector<Result>& draw : disturbed) {
      for (size_t i = 0; i < may.size(); ++i) {
        const double moved = draw[n].values[i] - result.values[i];
        may[i] += moved * moved / static_cast<double>(disturbed.size());
      }
    }
    const auto mean = [&](size_t begin, size_t count) {
      return std::accumulate(&may[begin], &may[begin] + count, 0.0) / static_cast<double>(count);
    };
    const double of_all = may.empty() ? 0 : mean(0, may.size());
    const auto columns = static_cast<size_t>(result.columns);
    double of_row = 0;
    for (size_t i = 0; i < may.size(); ++i) {
      if (i % columns == 0) of_row = mean(i, columns);
      may[i] = std::max(
          growth * std::max(std::sqrt(std::max({may[i], of_row, of_all})), 0x1p-24 * std::abs(result.values[i])),
          kTimesTypical * 0x1p-24 * std::pow(input_size, 3));
    }
  }
  return exact;
}

// Returns the largest error, as a part of what it may be.
inline double expect_within_roundings(const std::vector<Result>& actual, const Exact& exact) {
  double worst = 0;
  const auto compare = [&] {
    ASSERT_EQ(actual.size(), exact.results.size());
    for (size_t n = 0; n < actual.size(); ++n) {
      const std::vector<double>&want = exact.results[n].values, &got = actual[n].values;
      ASSERT_EQ(got.size(), want.size()) << actual[n].name;
      for (size_t i = 0; i < want.size(); ++i) {
        ASSERT_TRUE(std::isfinite(want[i])) << actual[n].name << ", element " << i;
        ASSERT_TRUE(std::isfinite(got[i])) << actual[n].name << ", element " << i;
        const double error = std::abs(got[i] - want[i]), may = exact.may[n][i];
        ASSERT_LE(error, may) << actual[n].name << ", element " << i << ": " << got[i] << ", expected " << want[i];
        if (may > 0) worst = std::max(worst, error / may);
      }
    }
  };
  compare();
  return worst;
}

}  // namespace roformer::testing
