// Attention families.
#pragma once

#include <algorithm>
#include <cmath>

#include "tests/backend/cases.h"

namespace roformer::test {

enum class Limits { none, causal, prefix, scattered };  // prefix: half the keys, then one more per query

// The first of `keys` keys that query i of `queries` sees.
inline int32_t limit_of(Trial& trial, Limits limits, int32_t i, int32_t queries, int32_t keys) {
  switch (limits) {
    case Limits::none: return keys;
    case Limits::causal: return std::clamp(keys - queries + i + 1, 0, keys);  // the last query sees all
    case Limits::prefix: return std::max(keys / 2, std::min(i + 1, keys));
    case Limits::scattered: return trial.random_ids(1, keys + 1)[0];
  }
  return keys;
}

// First visible keys: none, a window before the limit, or random, possibly hiding all.
enum class Begins { none, window, scattered };

inline int32_t begin_of(Trial& trial, Begins begins, int32_t limit) {
  constexpr int32_t kWindow = 20;
  return begins == Begins::window ? std::max(0, limit - kWindow) : trial.random_ids(1, limit + 2)[0];
}

struct AttentionPlan {
  std::vector<int32_t> query_lengths = {}, key_lengths = {};
  int64_t heads = 1, head_dim = 1;
  int64_t value_dim = 0;  // head_dim if 0
  double score_size = 1;
  Limits limits = Limits::none;
  Dropout dropout = {};
  bool bias = false, query_table = false, key_table = false, value_table = false;
  int64_t clip = 0;
  bool rising = false;  // positions rise by one in each sequence; else they are random
  bool shared = false;  // heads share tables
  int64_t kv_heads = 0;
  Begins begins = Begins::none;
  double score_cap = 0;
};

inline void attention_operation(Trial& trial, const AttentionPlan& plan) {
  Backend& backend = trial.backend();
  const std::vector<int32_t> query_offsets = offsets_of(plan.query_lengths), key_offsets = offsets_of(plan.key_lengths);
  const int64_t queries = query_offsets.back(), keys = key_offsets.back();
  const int64_t hidden = plan.heads * plan.head_dim, distances = 2 * plan.clip + 1;
  const int64_t value_dim = plan.value_dim == 0 ? plan.head_dim : plan.value_dim;
  const int64_t values = plan.heads * value_dim, key_heads = plan.kv_heads == 0 ? plan.heads : plan.kv_heads;
  const auto positions = [&](const std::vector<int32_t>& offsets) {
    std::vector<int32_t> result = trial.random_ids(offsets.back(), 40);
    for (size_t s = 0; plan.rising && s + 1 < offsets.size(); ++s) {
      for (int32_t i = offsets[s] + 1; i < offsets[s + 1]; ++i) result[i] = result[i - 1] + 1;
    }
    return result;
  };
  const std::vector<int32_t> query_positions = positions(query_offsets), key_positions = positions(key_offsets);

  AttentionSpec spec;
  spec.heads = plan.heads;
  spec.kv_heads = plan.kv_heads;
  spec.scale = plan.score_size / std::sqrt(static_cast<double>(plan.head_dim));
  spec.query_offsets = query_offsets;
  spec.key_offsets = key_offsets;
  std::vector<int32_t> limits, begins;
  for (size_t s = 0; plan.limits != Limits::none && s < plan.query_lengths.size(); ++s) {
    for (int32_t i = 0; i < plan.query_lengths[s]; ++i) {
      limits.push_back(limit_of(trial, plan.limits, i, plan.query_lengths[s], plan.key_lengths[s]));
    }
  }
  spec.key_ends = limits;
  for (size_t s = 0; plan.begins != Begins::none && s < plan.query_lengths.size(); ++s) {
    for (int32_t i = query_offsets[s]; i < query_offsets[s + 1]; ++i) {
      begins.push_back(
          begin_of(trial, plan.begins, limits.empty() ? plan.key_lengths[s] : limits[static_cast<size_t>(i)]));
    }
  }
  spec.key_starts = begins;
  spec.score_cap = plan.score_cap;
  spec.dropout = plan.dropout;
  RelativeTerms dterms;
  spec.terms.clip = dterms.clip = plan.clip;
  spec.terms.query_positions = dterms.query_positions = query_positions;
  spec.terms.key_positions = dterms.key_positions = key_positions;
  const auto use = [&](bool wanted, const std::string& name, int64_t rows, int64_t columns,
                       Tensor RelativeTerms::*term) {
    if (!wanted) return;
    spec.terms.*term = trial.random(rows, columns, 0.5);
    dterms.*term = trial.sum(name, rows, columns);
  };
  const int64_t slices = plan.shared ? plan.heads : 1;
  use(plan.bias, "dbias", distances, plan.heads, &RelativeTerms::bias);
  use(plan.query_table, "dquery_table", distances, hidden / slices, &RelativeTerms::query_table);
  use(plan.key_table, "dkey_table", distances, hidden / slices, &RelativeTerms::key_table);
  use(plan.value_table, "dvalue_table", distances, values / slices, &RelativeTerms::value_table);

  const int64_t key_width = key_heads * plan.head_dim, value_width = key_heads * value_dim;
  const AttentionTensors in{trial.random(queries, hidden), trial.random(keys, key_width),
                            trial.random(keys, value_width)};
  const AttentionTensors gradients{trial.output("dq", queries, hidden), trial.output("dk", keys, key_width),
                                   trial.output("dv", keys, value_width)};
  const Tensor out = trial.output("out", queries, values), log_sum_exp = trial.scratch(plan.heads, queries);
  const Tensor dout = trial.random(queries, values);
  double pairs = 0;  // visible
  for (size_t s = 0; s < plan.query_lengths.size(); ++s) {
    for (int32_t i = query_offsets[s]; i < query_offsets[s + 1]; ++i) {
      pairs += static_cast<double>(spec.visible_keys(i, plan.key_lengths[s]).count());
    }
  }
  const double product = 2 * pairs * static_cast<double>(hidden);
  Operation operation{
      .forward = [&] { backend.attention(spec, in, out, log_sum_exp); },
      .backward = [&] { backend.attention_backward(spec, in, out, log_sum_exp, dout, gradients, dterms); },
      .gradients = {{"q", in.q, gradients.q}, {"k", in.k, gradients.k}, {"v", in.v, gradients.v}},
      .out = out,
      .dout = dout,
      .kept = {out, log_sum_exp},
      .operations = 2 * product,
      .backward_operations = 5 * product};
  const auto add = [&](const char* name, Tensor RelativeTerms::*term) {
    if ((dterms.*term).defined()) operation.gradients.push_back({name, spec.terms.*term, dterms.*term});
  };
  add("bias", &RelativeTerms::bias);
  add("query table", &RelativeTerms::query_table);
  add("key table", &RelativeTerms::key_table);
  add("value table", &RelativeTerms::value_table);
  trial.run(operation);

  std::vector<double> logs;  // of queries with keys
  for (size_t s = 0; s < plan.query_lengths.size(); ++s) {
    for (int32_t i = query_offsets[s]; i < query_offsets[s + 1]; ++i) {
      if (spec.visible_keys(i, plan.key_lengths[s]).count() == 0) continue;
      for (int64_t head = 0; head < plan.heads; ++head) logs.push_back(read(log_sum_exp, head, i));
    }
  }
  trial.record("log_sum_exp", logs);
}

inline void add_attention(Family& family, const std::string& sizes, const AttentionPlan& plan) {
  family.cases.push_back({sizes, [=](Trial& trial) { attention_operation(trial, plan); }});
}

inline Family attention_family() {
  Family family{"attention", Rounds::attention};
  const std::vector<int32_t> ragged = {17, 0, 1, 65, 2, 64};
  for (const int64_t head_dim : {2, 6, 8, 16, 24, 64, 80}) {
    for (const int64_t heads : {1, 3}) {
      const std::string sizes = std::to_string(heads) + " heads of " + std::to_string(head_dim);
      add_attention(family, sizes,
                    {.query_lengths = ragged, .key_lengths = ragged, .heads = heads, .head_dim = head_dim});
    }
  }
  // Lengths around the borders of vectors, register tiles, panels and blocks of keys.
  std::vector<int32_t> borders(34);
  std::iota(borders.begin(), borders.end(), 1);
  for (const int32_t length : {47, 48, 49, 63, 95, 96, 97, 127, 128, 130, 256, 257}) borders.push_back(length);
  for (const int64_t head_dim : {8, 32, 128}) {
    add_attention(family, "borders, head size " + std::to_string(head_dim),
                  {.query_lengths = borders, .key_lengths = borders, .heads = 1, .head_dim = head_dim});
  }
  const std::vector<int32_t> split = {2060, 5};  // the backward splits keys into several tasks
  add_attention(family, "split by keys", {.query_lengths = {530, 3}, .key_lengths = split, .heads = 1, .head_dim = 8});
  const std::vector<int32_t> blocks = {129, 300};
  add_attention(family, "long", {.query_lengths = blocks, .key_lengths = blocks, .heads = 1, .head_dim = 64});
  add_attention(family, "long, dropout",
                {.query_lengths = blocks, .key_lengths = blocks, .heads = 1, .head_dim = 8, .dropout = kSomeDropout});
  add_attention(family, "values of another size",
                {.query_lengths = ragged, .key_lengths = ragged, .heads = 3, .head_dim = 16, .value_dim = 6});
  add_attention(family, "no sequences", {.query_lengths = {}, .key_lengths = {}, .heads = 5, .head_dim = 8});
  add_attention(family, "no tokens", {.query_lengths = {0, 0}, .key_lengths = {0, 0}, .heads = 1, .head_dim = 8});
  const std::vector<int32_t> queries = {1, 65, 0, 3, 129}, keys = {129, 2, 17, 0, 66};
  add_attention(family, "cross", {.query_lengths = queries, .key_lengths = keys, .heads = 5, .head_dim = 24});
  // exp overflows unless the maximum score is subtracted first.
  add_attention(
      family, "scores of several hundred",
      {.query_lengths = {65, 1, 140}, .key_lengths = {65, 1, 140}, .heads = 3, .head_dim = 16, .score_size = 100});
  add_attention(family, "dropout",
                {.query_lengths = ragged, .key_lengths = ragged, .heads = 3, .head_dim = 16, .dropout = kSomeDropout});
  add_attention(family, "cross, dropout",
                {.query_lengths = queries, .key_lengths = keys, .heads = 3, .head_dim = 8, .dropout = kSomeDropout});
  add_random_cases(family, 16, [](RandomSizes& sizes) {
    AttentionPlan plan;
    const int64_t sequences = sizes.between(1, 5), groups = sizes.between(1, 3);
    plan.query_lengths = plan.key_lengths = sizes.lengths(sequences, 150);
    if (sizes.flip()) plan.key_lengths = sizes.lengths(sequences, 300);
    plan.kv_heads = sizes.between(1, 3);
    plan.heads = groups * plan.kv_heads;
    plan.head_dim = sizes.between(1, 70);
    plan.value_dim = sizes.flip() ? 0 : sizes.between(1, 40);
    plan.limits = sizes.one_of({Limits::none, Limits::causal, Limits::prefix, Limits::scattered});
    plan.begins = sizes.one_of({Begins::none, Begins::none, Begins::window, Begins::scattered});
    plan.score_cap = sizes.one_of({0.0, 0.0, 0.9});
    if (sizes.flip()) plan.dropout = kSomeDropout;
    plan.rising = sizes.flip();
    plan.clip = sizes.between(0, 40);
    plan.bias = sizes.flip();
    plan.query_table = sizes.flip();
    plan.key_table = sizes.flip();
    plan.value_table = sizes.flip();
    return Case{"random", [=](Trial& trial) { attention_operation(trial, plan); }};
  });
  const auto bench = [&](int32_t length, size_t sequences, bool causal) {
    AttentionPlan plan{.heads = 12, .head_dim = 64, .limits = causal ? Limits::causal : Limits::none};
    plan.query_lengths = plan.key_lengths = std::vector<int32_t>(sequences, length);
    family.benchmarks.push_back(
        {std::to_string(sequences) + " x " + std::to_string(length) + (causal ? ", causal" : ""),
         [=](Trial& trial) { attention_operation(trial, plan); }});
  };
  bench(16, 1, false);
  bench(14, 256, false);
  bench(128, 32, false);
  bench(512, 4, false);
  bench(2048, 1, false);
  bench(2048, 1, true);
  bench(8192, 1, false);
  return family;
}

// Heads of queries that share heads of keys and values.
inline Family grouped_attention_family() {
  Family family{"grouped_attention", Rounds::attention};
  const std::vector<int32_t> ragged = {17, 0, 1, 65, 2, 64}, blocks = {129, 300}, queries = {1, 65, 0, 3, 129},
                             keys = {129, 2, 17, 0, 300};
  for (const auto& [heads, kv_heads] : {std::pair{4, 1}, {6, 2}, {6, 3}, {3, 3}, {10, 5}}) {
    for (const Limits limits : {Limits::none, Limits::causal, Limits::scattered}) {
      for (const int64_t head_dim : {2, 6, 24, 80}) {
        AttentionPlan plan{.query_lengths = ragged, .key_lengths = ragged, .heads = heads, .head_dim = head_dim};
        plan.kv_heads = kv_heads;
        plan.limits = limits;
        const std::string name = std::to_string(heads) + " heads on " + std::to_string(kv_heads) + " of " +
                                 std::to_string(head_dim) + ", limits " + std::to_string(static_cast<int>(limits));
        if (limits != Limits::scattered || head_dim == 24) add_attention(family, name, plan);
        if (head_dim != 24) continue;
        plan.dropout = kSomeDropout;
        plan.value_dim = 10;
        plan.query_lengths = queries;
        plan.key_lengths = keys;
        add_attention(family, name + ", cross, dropout", plan);
        if (heads != 6) continue;
        plan.query_lengths = plan.key_lengths = blocks;
        add_attention(family, name + ", long, dropout", plan);
      }
    }
  }
  const std::vector<int32_t> split = {2060, 5};
  AttentionPlan plan{.query_lengths = {530, 3}, .key_lengths = split, .heads = 2, .head_dim = 8};
  plan.kv_heads = 1;
  add_attention(family, "split by keys", plan);
  plan = {.query_lengths = {17, 0, 1, 34}, .key_lengths = {20, 3, 0, 34}, .heads = 4, .head_dim = 6};
  plan.kv_heads = 2;
  plan.value_dim = 10;
  plan.bias = plan.query_table = plan.key_table = plan.value_table = true;
  plan.clip = 7;
  for (const bool rising : {false, true}) {
    plan.rising = plan.shared = rising;
    add_attention(family, rising ? "terms, rising" : "terms", plan);
  }
  return family;
}

inline Family limited_attention_family() {
  Family family{"limited_attention", Rounds::attention};
  const std::vector<int32_t> ragged = {17, 0, 1, 65, 2, 64}, blocks = {129, 300}, queries = {1, 65, 0, 3, 129},
                             keys = {129, 2, 17, 0, 300};
  for (const Limits limits : {Limits::causal, Limits::prefix, Limits::scattered}) {
    const std::string name = "limits " + std::to_string(static_cast<int>(limits));
    for (const Dropout& dropout : {Dropout{}, kSomeDropout}) {
      const auto add = [&](const std::string& sizes, const std::vector<int32_t>& query_lengths,
                           const std::vector<int32_t>& key_lengths) {
        add_attention(family, name + (dropout.active() ? ", dropout, " : ", ") + sizes,
                      {.query_lengths = query_lengths,
                       .key_lengths = key_lengths,
                       .heads = 3,
                       .head_dim = 16,
                       .limits = limits,
                       .dropout = dropout});
      };
      add("ragged", ragged, ragged);
      add("long", blocks, blocks);
      add("cross", queries, keys);
    }
    for (const int64_t head_dim : {2, 24}) {
      add_attention(
          family, name + ", head size " + std::to_string(head_dim),
          {.query_lengths = ragged, .key_lengths = ragged, .heads = 2, .head_dim = head_dim, .limits = limits});
    }
    add_attention(family, name + ", with terms",
                  {.query_lengths = {17, 0, 1, 34},
                   .key_lengths = {20, 3, 0, 34},
                   .heads = 2,
                   .head_dim = 6,
                   .limits = limits,
                   .dropout = kSomeDropout,
                   .bias = true,
                   .query_table = true,
                   .key_table = true,
                   .value_table = true,
                   .clip = 7});
  }
  return family;
}

// Windows, which begin in any tile, and caps; with terms, groups and dropout.
inline Family windowed_attention_family() {
  Family family{"windowed_attention", Rounds::attention};
  const std::vector<int32_t> ragged = {17, 0, 1, 65, 2, 64}, long_ones = {129, 700}, queries = {1, 65, 0, 3, 129},
                             keys = {129, 2, 17, 0, 300};
  for (const Begins begins : {Begins::none, Begins::window, Begins::scattered}) {
    for (const Limits limits : {Limits::none, Limits::causal, Limits::scattered}) {
      for (const double cap : {0.0, 0.7}) {
        if (begins == Begins::none && cap == 0) continue;
        const std::string name = "begins " + std::to_string(static_cast<int>(begins)) + ", limits " +
                                 std::to_string(static_cast<int>(limits)) + (cap > 0 ? ", capped" : "");
        AttentionPlan plan{.query_lengths = ragged, .key_lengths = ragged, .heads = 4, .head_dim = 16};
        plan.limits = limits;
        plan.begins = begins;
        plan.score_cap = cap;
        add_attention(family, name, plan);
        plan.kv_heads = 2;
        plan.value_dim = 10;
        plan.dropout = kSomeDropout;
        add_attention(family, name + ", grouped, dropout", plan);
        plan.query_lengths = queries;
        plan.key_lengths = keys;
        add_attention(family, name + ", cross, grouped, dropout", plan);
        plan.query_lengths = {17, 0, 1, 34};
        plan.key_lengths = {20, 3, 0, 34};
        plan.kv_heads = 0;
        plan.bias = plan.query_table = plan.key_table = plan.value_table = plan.rising = true;
        plan.clip = 7;
        add_attention(family, name + ", terms", plan);
        if (limits == Limits::scattered) continue;
        add_attention(family, name + ", long",
                      {.query_lengths = long_ones,
                       .key_lengths = long_ones,
                       .heads = 1,
                       .head_dim = 8,
                       .limits = limits,
                       .begins = begins,
                       .score_cap = cap});
      }
    }
  }
  return family;
}

// Each term alone, then all of them: for consecutive positions, which backends may optimize, and random ones.
inline Family relative_attention_family(bool rising) {
  Family family{rising ? "relative_attention_rising" : "relative_attention", Rounds::attention};
  const std::vector<int32_t> ragged = {17, 0, 1, 34, 2}, queries = {1, 33, 0, 3, 40}, keys = {70, 2, 17, 0, 20};
  const std::vector<int32_t> blocks = {129, 300}, split = {2060, 5}, few = {530, 3};
  for (const int64_t head_dim : {6, 16}) {
    for (int used = 1; used < 16; used = used < 8 ? used * 2 : used + 7) {
      AttentionPlan plan{.query_lengths = ragged, .key_lengths = ragged, .heads = 3, .head_dim = head_dim};
      plan.rising = rising;
      plan.shared = head_dim == 6;
      plan.bias = (used & 1) != 0;
      plan.query_table = (used & 2) != 0;
      plan.key_table = (used & 4) != 0;
      plan.value_table = (used & 8) != 0;
      const std::string name = "terms " + std::to_string(used) + ", head size " + std::to_string(head_dim);
      for (const int64_t clip : {0, 7, 64}) {
        plan.clip = clip;
        add_attention(family, name + ", clip " + std::to_string(clip), plan);
      }
      plan.query_lengths = queries;
      plan.key_lengths = keys;
      plan.clip = 9;
      plan.dropout = kSomeDropout;
      add_attention(family, "cross, dropout, " + name, plan);
      if (!rising) continue;
      plan.limits = Limits::causal;
      add_attention(family, "cross, causal, dropout, " + name, plan);
      if (head_dim != 6 || (used > 8 && used < 15)) continue;
      plan.heads = 1;
      plan.value_dim = 10;
      plan.query_lengths = plan.key_lengths = blocks;
      plan.limits = Limits::none;
      plan.clip = 400;
      add_attention(family, "long, " + name, plan);
      if (used != 15) continue;
      plan.query_lengths = few;
      plan.key_lengths = split;
      plan.limits = Limits::prefix;
      plan.clip = 33;
      add_attention(family, "split by keys, " + name, plan);
    }
  }
  return family;
}

}  // namespace roformer::test
