// Linear attention families.
#pragma once

#include <cmath>

#include "backend/linear_attention.h"
#include "tests/backend/cases.h"

namespace roformer::test {

inline const char* map_name(FeatureMap map) {
  return map == FeatureMap::elu ? "elu" : map == FeatureMap::relu ? "relu" : "favor";
}
constexpr FeatureMap kFeatureMaps[] = {FeatureMap::elu, FeatureMap::relu, FeatureMap::favor};

enum class RotationOrder { none, after, before };
inline const char* order_name(RotationOrder order) {
  return order == RotationOrder::none    ? "not rotated"
         : order == RotationOrder::after ? "rotated after"
                                         : "rotated before";
}

struct LinearAttentionPlan {
  std::vector<int32_t> lengths = {};
  int64_t heads = 1, head_dim = 8;
  int64_t value_dim = 0;  // head_dim if 0
  FeatureMap map = FeatureMap::elu;
  int64_t features = 0;  // favor only; 3 · head_dim if 0
  bool causal = false;
  RotationOrder order = RotationOrder::none;
  RotaryLayout layout = RotaryLayout::adjacent;
  int64_t rotary_dim = 0;  // the whole dimension if 0
  bool state = false;
  double size = 1;  // of q and k
};

inline std::string name_of(const LinearAttentionPlan& plan) {
  return std::string(map_name(plan.map)) + (plan.causal ? ", causal, " : ", ") + order_name(plan.order) + ", " +
         std::to_string(plan.heads) + " heads of " + std::to_string(plan.head_dim);
}

// The arguments of a plan's kernels.
struct LinearInputs {
  std::vector<int32_t> offsets;
  RotaryAngles angles;
  LinearAttentionSpec spec;
  AttentionTensors in;
  LinearAttentionState state;

  LinearInputs(Trial& trial, const LinearAttentionPlan& plan) : offsets(offsets_of(plan.lengths)) {
    const int64_t tokens = offsets.back(), hidden = plan.heads * plan.head_dim;
    const int64_t value_dim = plan.value_dim == 0 ? plan.head_dim : plan.value_dim;
    spec = {.heads = plan.heads, .map = plan.map, .causal = plan.causal, .offsets = offsets};
    if (plan.map == FeatureMap::favor) {
      spec.projection = trial.random(plan.features == 0 ? 3 * plan.head_dim : plan.features, plan.head_dim);
    }
    const int64_t features = spec.features(plan.head_dim);
    if (plan.order != RotationOrder::none) {
      const int64_t whole = (plan.order == RotationOrder::after ? features : plan.head_dim) / 2 * 2;
      const Rotary rotary{.dim = plan.rotary_dim == 0 ? whole : plan.rotary_dim, .layout = plan.layout, .base = 100};
      angles = trial.backend().rotary_angles(rotary, trial.random_ids(tokens, 3000));
      spec.rotation = plan.order == RotationOrder::after ? FeatureRotation::after : FeatureRotation::before;
      spec.query_angles = spec.key_angles = &angles;
    }
    in = {trial.random(tokens, hidden, plan.size), trial.random(tokens, hidden, plan.size),
          trial.random(tokens, plan.heads * value_dim)};
    if (!plan.state) return;
    const auto sequences = static_cast<int64_t>(plan.lengths.size());
    state = {trial.backend().empty({sequences, plan.heads, features, value_dim}),
             trial.backend().empty({sequences, plan.heads, features})};
    for (const Tensor& x : {state.sums, state.totals}) trial.watch("state", x);
  }
  // Sets the state before each sequence.
  void set_state(bool causal) const {
    for (const Tensor& x : {state.sums, state.totals}) {
      for (int64_t i = 0; x.defined() && i < x.rows(); ++i) {
        for (int64_t j = 0; j < x.columns(); ++j) write(x, i, j, causal ? 1 + static_cast<double>((i + j) % 7) : 0);
      }
    }
  }
  LinearInputs(const LinearInputs&) = delete;
};

inline void linear_attention_operation(Trial& trial, const LinearAttentionPlan& plan) {
  Backend& backend = trial.backend();
  const LinearInputs inputs(trial, plan);
  const AttentionTensors& in = inputs.in;
  const int64_t tokens = in.q.rows(), hidden = in.q.columns(), values = in.v.columns();
  const Tensor out = trial.output("out", tokens, values);
  const Tensor denominators = trial.output("denominators", plan.heads, tokens);
  // Two products of features and values per token.
  const double product = 4.0 * static_cast<double>(tokens * inputs.spec.features(plan.head_dim) * values);
  Operation operation{.forward = [&] { backend.linear_attention(inputs.spec, in, out, denominators, inputs.state); },
                      .out = out,
                      .kept = {out, denominators},
                      .setup = [&] { inputs.set_state(plan.causal); },
                      .operations = product,
                      .backward_operations = 2.5 * product};
  if (plan.state && plan.causal) return trial.run(operation);
  const AttentionTensors gradients{trial.output("dq", tokens, hidden), trial.output("dk", tokens, hidden),
                                   trial.output("dv", tokens, values)};
  operation.dout = trial.random(tokens, values);
  operation.backward = [&] {
    backend.linear_attention_backward(inputs.spec, in, out, denominators, inputs.state, operation.dout, gradients);
  };
  operation.gradients = {{"q", in.q, gradients.q}, {"k", in.k, gradients.k}, {"v", in.v, gradients.v}};
  trial.run(operation);
}

inline void add_linear(Family& family, const LinearAttentionPlan& plan, const std::string& what = "") {
  family.cases.push_back({name_of(plan) + what, [plan](Trial& trial) { linear_attention_operation(trial, plan); }});
}

inline Family linear_attention_family(FeatureMap map) {
  Family family{std::string("linear_attention_") + map_name(map), Rounds::sums};
  const std::vector<int32_t> ragged = {17, 0, 1, 65, 2, 63, 64, 129};
  for (const bool causal : {false, true}) {
    for (const RotationOrder order : {RotationOrder::none, RotationOrder::after, RotationOrder::before}) {
      LinearAttentionPlan plan{
          .lengths = ragged, .heads = 3, .head_dim = 16, .map = map, .causal = causal, .order = order};
      add_linear(family, plan);
      plan.layout = RotaryLayout::half;
      plan.rotary_dim = order == RotationOrder::none ? 0 : 6;
      plan.head_dim = 24;
      plan.features = 34;
      add_linear(family, plan, ", partial");
    }
    for (const int64_t head_dim : {1, 2, 5, 33, 64}) {
      add_linear(family, {.lengths = {3, 70}, .heads = 2, .head_dim = head_dim, .map = map, .causal = causal});
    }
    add_linear(family, {.lengths = {66, 3}, .heads = 2, .head_dim = 6, .value_dim = 9, .map = map, .causal = causal},
               ", other values");
    add_linear(family, {.lengths = {}, .head_dim = 4, .map = map, .causal = causal}, ", no sequence");
  }
  for (const RotationOrder order : {RotationOrder::none, RotationOrder::after, RotationOrder::before}) {
    for (const bool causal : {false, true}) {
      add_linear(family, {.lengths = ragged, .heads = 2, .map = map, .causal = causal, .order = order, .state = true},
                 ", with a state");
    }
  }
  add_random_cases(family, 6, [map](RandomSizes& sizes) {
    LinearAttentionPlan plan{.map = map};
    plan.lengths = sizes.lengths(sizes.between(1, 5), 200);
    plan.heads = sizes.between(1, 3);
    plan.head_dim = sizes.between(2, 40);
    plan.value_dim = sizes.between(1, 40);
    plan.features = sizes.between(2, 60);
    plan.causal = sizes.flip();
    plan.order = sizes.one_of({RotationOrder::none, RotationOrder::after, RotationOrder::before});
    return Case{name_of(plan), [=](Trial& trial) { linear_attention_operation(trial, plan); }};
  });
  for (const bool causal : {false, true}) {
    LinearAttentionPlan plan{
        .lengths = {4096}, .heads = 12, .head_dim = 64, .map = map, .causal = causal, .order = RotationOrder::after};
    family.benchmarks.push_back(
        {"4096, " + name_of(plan), [=](Trial& trial) { linear_attention_operation(trial, plan); }});
  }
  return family;
}

// Few heads of long sequences, split into several tasks.
inline Family split_linear_attention_family() {
  Family family{"linear_attention_split", Rounds::sums};
  for (const bool causal : {false, true}) {
    for (const RotationOrder order : {RotationOrder::none, RotationOrder::after}) {
      add_linear(family, {.lengths = {2100, 3}, .head_dim = 4, .causal = causal, .order = order}, ", split");
    }
  }
  for (const bool causal : {false, true}) {
    add_linear(family, {.lengths = {2049}, .heads = 2, .head_dim = 4, .causal = causal, .state = true},
               ", split, a state");
  }
  return family;
}

}  // namespace roformer::test
