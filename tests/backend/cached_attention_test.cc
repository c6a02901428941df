// Attention to what is kept, beside ordinary attention over all of it; and the linear layer of a few rows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "tests/backend/trial.h"

namespace roformer::testing {
namespace {

struct CachedCase {
  std::vector<int32_t> kept, queries;  // tokens of each sequence, the new ones counted in both
  int64_t heads, key_heads, dim, value_dim;
  bool bias = false, tables = false;
  int32_t window = 0;  // keys that each query sees, 0: all
  double score_cap = 0;
};

const std::vector<CachedCase> kCases = {
    {{1}, {1}, 1, 1, 4, 4},
    {{64, 65, 63, 7}, {1, 1, 1, 1}, 3, 3, 20, 20},
    {{500, 0, 129}, {1, 0, 3}, 4, 2, 33, 17},
    {{300, 40}, {5, 16}, 6, 1, 64, 64, true},
    {{200}, {17}, 2, 2, 8, 8, true},
    {{70, 3}, {1, 2}, 2, 2, 12, 12, false, true},
    {{64, 65, 300, 7}, {1, 1, 3, 1}, 3, 3, 20, 20, false, false, 30, 0},
    {{300, 40}, {5, 16}, 6, 1, 64, 64, true, false, 70, 0.6},
    {{300, 40}, {1, 17}, 2, 1, 8, 8, false, true, 1, 0.6},
};

// What each backend makes of a case.
std::vector<double> attend(Backend& backend, const CachedCase& test, bool strided) {
  Trial trial(backend, 11, strided);
  std::vector<Tensor> keys, values;
  std::vector<int32_t> offsets{0}, limits, begins, query_positions, key_positions;
  for (size_t s = 0; s < test.kept.size(); ++s) {
    keys.push_back(trial.random(test.kept[s], test.key_heads * test.dim));
    values.push_back(trial.random(test.kept[s], test.key_heads * test.value_dim));
    for (int32_t i = 0; i < test.kept[s]; ++i) key_positions.push_back(i + 3);
    for (int32_t i = test.kept[s] - test.queries[s]; i < test.kept[s]; ++i) {
      limits.push_back(i + 1);
      if (test.window > 0) begins.push_back(std::max(0, i + 1 - test.window));
      query_positions.push_back(i + 3);
    }
    offsets.push_back(offsets.back() + test.queries[s]);
  }
  constexpr int64_t kClip = 20;
  RelativeTerms terms;
  terms.clip = kClip;
  terms.query_positions = query_positions;
  terms.key_positions = key_positions;
  if (test.bias) terms.bias = trial.random(2 * kClip + 1, test.heads);
  if (test.tables) terms.query_table = trial.random(2 * kClip + 1, test.dim);
  const CachedSpec spec{.heads = test.heads,
                        .key_heads = test.key_heads,
                        .scale = 1 / std::sqrt(static_cast<double>(test.dim)),
                        .query_offsets = offsets,
                        .keys = keys,
                        .values = values,
                        .key_limits = limits,
                        .key_begins = begins,
                        .score_cap = test.score_cap,
                        .terms = terms};
  const Tensor q = trial.random(offsets.back(), test.heads * test.dim);
  const Tensor out = trial.output("out", offsets.back(), test.heads * test.value_dim);
  backend.cached_attention(spec, q, out);
  return trial.finish()[0].values;
}

TEST(CachedAttention, AgreesWithTheReference) {
  ThreadPool pool(2);
  const auto cpu = make_cpu_backend(pool), reference = make_reference_backend(pool),
             exact = make_reference_backend(pool, DType::float64);
  for (const CachedCase& test : kCases) {
    for (const bool strided : {false, true}) {
      const std::vector<double> expected = attend(*exact, test, strided);
      for (Backend* backend : {cpu.get(), reference.get()}) {
        const std::vector<double> actual = attend(*backend, test, strided);
        ASSERT_EQ(actual.size(), expected.size());
        for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(actual[i], expected[i], 5e-6) << backend->name();
      }
    }
  }
}

TEST(CachedAttention, HasTheSameBitsWithAnyThreads) {
  std::vector<double> first;
  for (const int threads : {1, 2, 3}) {
    ThreadPool pool(threads);
    const auto all = attend(*make_cpu_backend(pool), kCases[2], false);
    if (first.empty()) first = all;
    EXPECT_EQ(all, first);
  }
}

// Each row's bits are its own, however many there are beside it.
TEST(LinearOfFewRows, AgreesAndDoesNotDependOnOtherRows) {
  ThreadPool pool(2);
  const auto cpu = make_cpu_backend(pool), exact = make_reference_backend(pool, DType::float64);
  for (const int64_t rows : {1, 2, 3, 4, 5, 6, 7, 8}) {
    for (const auto& shape :
         std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {7, 33}, {130, 700}, {24, 512}, {16, 15}}) {
      const int64_t outputs = shape.first, depth = shape.second;
      const auto run = [&](Backend& backend, int64_t first, int64_t count) {
        Trial trial(backend, 5, true);
        const Tensor weight = trial.random(outputs, depth, 0.3), bias = trial.random_vector(outputs);
        const Tensor x = trial.random(rows, depth).row_range(first, count);
        const Tensor out = trial.output("out", count, outputs), before = trial.output("before", count, outputs);
        backend.linear(x, weight, bias, Activation::gelu, out, before);
        return trial.finish();
      };
      const auto actual = run(*cpu, 0, rows), expected = run(*exact, 0, rows);
      for (size_t which = 0; which < 2; ++which) {
        for (size_t i = 0; i < expected[which].values.size(); ++i) {
          EXPECT_NEAR(actual[which].values[i], expected[which].values[i], 2e-5);
        }
      }
      for (int64_t i = 0; i < rows; ++i) {
        const std::vector<double> alone = run(*cpu, i, 1)[0].values;
        const auto begin = actual[0].values.begin() + i * outputs;
        EXPECT_EQ(alone, std::vector<double>(begin, begin + outputs)) << rows << " " << i;
      }
    }
  }
}

}  // namespace
}  // namespace roformer::testing
