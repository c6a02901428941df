// The family of cached attention: decoding.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "tests/backend/cases.h"

namespace roformer::test {

struct CachedPlan {
  std::vector<int32_t> kept, queries;  // tokens of each sequence; `kept` includes the new ones
  int64_t heads, key_heads, dim, value_dim;
  bool bias = false, tables = false;
  int32_t window = 0;  // keys that each query sees; 0: all
  double score_cap = 0;
};

inline void cached_attention_operation(Trial& trial, const CachedPlan& plan) {
  std::vector<Tensor> keys, values;
  std::vector<int32_t> offsets = offsets_of(plan.queries), limits, begins, query_positions, key_positions;
  for (size_t s = 0; s < plan.kept.size(); ++s) {
    keys.push_back(trial.random(plan.kept[s], plan.key_heads * plan.dim));
    values.push_back(trial.random(plan.kept[s], plan.key_heads * plan.value_dim));
    for (int32_t i = 0; i < plan.kept[s]; ++i) key_positions.push_back(i + 3);
    for (int32_t i = plan.kept[s] - plan.queries[s]; i < plan.kept[s]; ++i) {
      limits.push_back(i + 1);
      if (plan.window > 0) begins.push_back(std::max(0, i + 1 - plan.window));
      query_positions.push_back(i + 3);
    }
  }
  RelativeTerms terms;
  terms.clip = 20;
  terms.query_positions = query_positions;
  terms.key_positions = key_positions;
  if (plan.bias) terms.bias = trial.random(2 * terms.clip + 1, plan.heads);
  if (plan.tables) terms.query_table = trial.random(2 * terms.clip + 1, plan.dim);
  const CachedSpec spec{.heads = plan.heads,
                        .key_heads = plan.key_heads,
                        .scale = 1 / std::sqrt(static_cast<double>(plan.dim)),
                        .query_offsets = offsets,
                        .keys = keys,
                        .values = values,
                        .key_ends = limits,
                        .key_starts = begins,
                        .score_cap = plan.score_cap,
                        .terms = terms};
  const Tensor q = trial.random(offsets.back(), plan.heads * plan.dim);
  const Tensor out = trial.output("out", offsets.back(), plan.heads * plan.value_dim);
  int64_t read = 0;
  for (size_t s = 0; s < keys.size(); ++s) read += keys[s].bytes() + values[s].bytes();
  trial.run({.forward = [&] { trial.backend().cached_attention(spec, q, out); }, .bytes = read});
}

inline Family cached_attention_family() {
  Family family{"cached_attention", Rounds::attention};
  const auto add = [&](const std::string& name, const CachedPlan& plan) {
    family.cases.push_back({name, [=](Trial& trial) { cached_attention_operation(trial, plan); }});
  };
  const CachedPlan plans[] = {
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
  for (const CachedPlan& plan : plans) add("sequences " + std::to_string(family.cases.size()), plan);
  add_random_cases(family, 10, [](RandomSizes& sizes) {
    CachedPlan plan{};
    plan.kept = sizes.lengths(sizes.between(1, 5), 400);
    for (const int32_t kept : plan.kept) {
      plan.queries.push_back(std::min(kept, static_cast<int32_t>(sizes.between(0, 9))));
    }
    plan.key_heads = sizes.between(1, 3);
    plan.heads = plan.key_heads * sizes.between(1, 3);
    plan.dim = sizes.between(1, 70);
    plan.value_dim = sizes.between(1, 70);
    plan.bias = sizes.flip();
    plan.tables = sizes.flip();
    plan.window = static_cast<int32_t>(sizes.one_of({0, 1, 50}));
    plan.score_cap = sizes.one_of({0.0, 0.6});
    return Case{"random", [=](Trial& trial) { cached_attention_operation(trial, plan); }};
  });
  for (const int32_t kept : {512, 4096}) {
    family.benchmarks.push_back({"8 x " + std::to_string(kept),
                                 [=](Trial& trial) {
                                   cached_attention_operation(trial, {std::vector<int32_t>(8, kept),
                                                                      std::vector<int32_t>(8, 1), 12, 12, 64, 64});
                                 },
                                 false});
  }
  return family;
}

}  // namespace roformer::test
