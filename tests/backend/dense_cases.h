// Families of elementwise kernels, linear layers and norms.
#pragma once

#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/backend/cases.h"

namespace roformer::test {

// ---- Elementwise and memory ----

inline void memory_kernels(Trial& trial, int64_t rows, int64_t columns) {
  Backend& backend = trial.backend();
  const Tensor x = trial.random(rows, columns);
  backend.copy(x, trial.output("copy", rows, columns));
  backend.fill(trial.output("fill", rows, columns), 0.75);
  backend.add(x, trial.sum("add", rows, columns));
  trial.record("squared norm", {backend.squared_norm({&x, 1})});
  const Tensor vector = trial.random_vector(columns);
  backend.add(vector, trial.sum_vector("vector", columns));
  trial.record("squared norm of several", {backend.squared_norm(std::vector<Tensor>{x, vector, x})});
  trial.record("squared norm of a vector", {backend.squared_norm({&vector, 1})});
}

inline void dropout_kernel(Trial& trial, int64_t rows, int64_t columns) {
  Backend& backend = trial.backend();
  const Tensor x = trial.random(rows, columns), in_place = trial.sum("in place", rows, columns);
  const Tensor out = trial.output("out", rows, columns), dout = trial.random(rows, columns),
               dx = trial.output("dx", rows, columns);
  trial.run({.forward = [&] { backend.dropout(x, kSomeDropout, out); },
             .backward = [&] { backend.dropout(dout, kSomeDropout, dx); },
             .gradients = {{"x", x, dx}},
             .out = out,
             .dout = dout});
  backend.dropout(in_place, kSomeDropout, in_place);
  backend.dropout(x, {}, trial.output("inactive", rows, columns));
}

inline void activation_kernel(Trial& trial, int64_t rows, int64_t columns) {
  Backend& backend = trial.backend();
  for (const Activation activation : kActivations) {
    const Tensor before = trial.random(rows, columns, 3), dout = trial.random(rows, columns);
    const Tensor out = trial.output("out", rows, columns), dbefore = trial.output("dbefore", rows, columns);
    const Tensor again = trial.output("dbefore again", rows, columns);
    trial.run({.forward = [&] { backend.activation_backward(activation, before, dout, again, out); },
               .backward = [&] { backend.activation_backward(activation, before, dout, dbefore, {}); },
               .gradients = {{"before", before, dbefore}},
               .out = out,
               .dout = dout});
    backend.activation_backward(activation, before, dout, trial.watch("in place", dout),
                                trial.watch("out in place", before));
  }
}

inline void gated_kernels(Trial& trial, int64_t rows, int64_t columns) {
  Backend& backend = trial.backend();
  const auto output = [&](const std::string& name) { return trial.output(name, rows, columns); };
  for (const Activation activation : kActivations) {
    const Tensor gate = trial.random(rows, columns, 3), x = trial.random(rows, columns),
                 dout = trial.random(rows, columns);
    const Tensor out = output("out"), again = output("out again"), dgate = output("dgate"), dx = output("dx");
    trial.run({.forward = [&] { backend.gated(activation, gate, x, out); },
               .backward = [&] { backend.gated_backward(activation, gate, x, dout, dgate, dx, again); },
               .gradients = {{"gate", gate, dgate}, {"x", x, dx}},
               .out = out,
               .dout = dout});
    const Tensor in_place = output("gated in place");
    backend.copy(gate, in_place);
    backend.gated(activation, in_place, x, in_place);
    backend.gated_backward(activation, gate, x, dout, trial.watch("dgate in place", dout),
                           trial.watch("dx in place", x), trial.watch("out in place", gate));
  }
}

inline Tensor squares_of(const Tensor& x) {
  std::vector<double> squares = values_of(x);
  for (double& square : squares) square = std::abs(square);
  assign(x, squares);
  return x;
}

inline AdamWTensors adamw_tensors(Trial& trial, int64_t rows, int64_t columns) {
  return {trial.sum("gradient", rows, columns), trial.sum("parameter", rows, columns),
          trial.sum("first", rows, columns), squares_of(trial.sum("second", rows, columns)), 0.1};
}

inline void adamw_kernel(Trial& trial, int64_t rows, int64_t columns) {
  AdamWStep step{.step = 3, .learning_rate = 0.01, .beta1 = 0.9, .beta2 = 0.98, .epsilon = 1e-6, .gradient_scale = 0.5};
  const AdamWTensors matrix = adamw_tensors(trial, rows, columns);
  const AdamWTensors vector{trial.sum_vector("vector's gradient", columns), trial.sum_vector("vector", columns),
                            trial.sum_vector("first of vector", columns),
                            squares_of(trial.sum_vector("second of vector", columns)), 0};
  const std::vector<AdamWTensors> tensors{matrix, vector};
  trial.backend().adamw(step, tensors);
  trial.backend().adamw(step, {&tensors[0], 1});
  step.zero_gradients = true;
  trial.backend().adamw(step, tensors);
  trial.backend().adamw(step, {});
}

inline Family adamw_family() {
  Family family = sweep("adamw", Rounds::elements, adamw_kernel);
  family.benchmarks.push_back({"4096 x 1024",
                               [](Trial& trial) {
                                 const AdamWTensors tensors = adamw_tensors(trial, 4096, 1024);
                                 trial.run(
                                     {.forward =
                                          [&] {
                                            trial.backend().adamw({.step = 10, .learning_rate = 1e-6}, {&tensors, 1});
                                          },
                                      .bytes = 7 * tensors.parameter.bytes()});
                               },
                               false});
  return family;
}

// ---- Embedding and linear ----

inline void embedding_kernels(Trial& trial, int64_t rows, int64_t columns) {
  Backend& backend = trial.backend();
  const std::vector<int32_t> ids = trial.random_ids(rows, 7);
  const Tensor table = trial.random(7, columns);
  for (const double factor : {1.0, 0.4}) {
    const Tensor out = trial.output("out", rows, columns), dout = trial.random(rows, columns);
    const Tensor dtable = trial.sum("dtable", 7, columns);
    trial.run({.forward = [&] { backend.embedding(table, ids, factor, out, false); },
               .backward = [&] { backend.embedding_backward(dout, ids, factor, dtable); },
               .gradients = {{"table", table, dtable}},
               .out = out,
               .dout = dout});
  }
  backend.embedding(table, ids, 1, trial.sum("accumulated", rows, columns), true);
  backend.embedding(table, ids, -1.5, trial.sum("scaled, accumulated", rows, columns), true);
}

struct LinearPlan {
  int64_t rows, in, out;
  Activation activation = Activation::none;
  bool bias = true;
  bool accumulate = false;  // dx
};

inline void linear_operation(Trial& trial, const LinearPlan& plan) {
  Backend& backend = trial.backend();
  const Tensor x = trial.random(plan.rows, plan.in), weight = trial.random_weight(plan.out, plan.in, 0.3);
  const Tensor bias = plan.bias ? trial.random_vector(plan.out) : Tensor();
  const bool activated = plan.activation != Activation::none;
  const Tensor out = trial.output("out", plan.rows, plan.out), before = trial.output("before", plan.rows, plan.out);
  const Tensor dout = trial.random(plan.rows, plan.out), dbefore = trial.scratch(plan.rows, plan.out);
  const Tensor dx = plan.accumulate ? trial.sum("dx", plan.rows, plan.in) : trial.output("dx", plan.rows, plan.in);
  const Tensor dweight = trial.sum("dweight", plan.out, plan.in);
  const Tensor dbias = plan.bias ? trial.sum_vector("dbias", plan.out) : Tensor();
  const double product = 2.0 * static_cast<double>(plan.rows * plan.in * plan.out);
  Operation operation{.forward = [&] { backend.linear(x, weight, bias, plan.activation, out, before); },
                      .backward =
                          [&] {
                            if (activated) backend.activation_backward(plan.activation, before, dout, dbefore, {});
                            const Tensor& dproduct = activated ? dbefore : dout;
                            backend.linear_backward_input(dproduct, weight, dx, plan.accumulate);
                            backend.linear_backward_weight(dproduct, x, dweight, dbias);
                          },
                      .gradients = {{"x", x, dx}, {"weight", weight, dweight}},
                      .out = out,
                      .dout = dout,
                      .kept = {before},
                      .operations = product,
                      .backward_operations = 2 * product};
  if (plan.bias) operation.gradients.push_back({"bias", bias, dbias});
  trial.run(operation);
}

// The product of an inference-only model: the weight itself, or as the backend prepares it for passes of that size.
inline void inference_operation(Trial& trial, const LinearPlan& plan, std::optional<PassSize> passes) {
  Backend& backend = trial.backend();
  const Tensor x = trial.random(plan.rows, plan.in), weight = trial.random_weight(plan.out, plan.in, 0.3);
  const Tensor bias = plan.bias ? trial.random_vector(plan.out) : Tensor();
  const Tensor out = trial.output("out", plan.rows, plan.out);
  std::shared_ptr<const PreparedWeight> prepared;
  Tensor rows = weight;
  if (passes) {
    rows = backend.empty({plan.out, plan.in});
    backend.copy(weight, rows);
    prepared = backend.prepare({&rows, 1}, *passes).front();
  }
  const WeightView view(rows, prepared.get(), true);
  trial.run({.forward = [&] { backend.linear(x, view, bias, plan.activation, out, {}); },
             .operations = 2.0 * static_cast<double>(plan.rows * plan.in * plan.out)});
}

inline void linear_inference(Trial& trial, const LinearPlan& plan) {
  inference_operation(trial, plan, {});
  inference_operation(trial, plan, PassSize::few_tokens);
  inference_operation(trial, plan, PassSize::many_tokens);
}

inline Family linear_family() {
  Family family{"linear", Rounds::products};
  const auto add = [&](int64_t rows, int64_t in, int64_t out) {
    family.cases.push_back(
        {std::to_string(rows) + " x " + std::to_string(in) + " x " + std::to_string(out), [=](Trial& trial) {
           // Rounded factors may cross relu's kink, where the derivative jumps.
           const auto smooth = [](int64_t index) {
             const Activation activation = kActivations[index % 6];
             return activation == Activation::relu ? Activation::gelu : activation;
           };
           const Activation activation = kActivations[in % 6], other = kActivations[(in + rows) % 6];
           linear_operation(trial, {rows, in, out, smooth(in)});
           linear_operation(trial, {rows, in, out, rows % 2 == 0 ? Activation::none : smooth(in + rows), false, true});
           linear_inference(trial, {rows, in, out, other});
           linear_inference(trial, {rows, in, out, activation, false});
         }});
  };
  // Both widths are awkward: the output width comes from later in the same list.
  const std::vector<int64_t> sizes = column_sizes();
  for (const int64_t rows : kRows) {
    for (const int64_t in : sizes) add(rows, in, sizes[static_cast<size_t>(in * 7 + 3) % sizes.size()]);
  }
  add(257, 320, 200);
  add(700, 9, 40);
  for (uint64_t draw = 0; draw < 10; ++draw) {
    RandomSizes random(draw);
    add(random.between(1, 300), random.between(1, 700), random.between(1, 300));
    family.cases.back().sizes += " (seed " + std::to_string(RandomSizes::seed()) + ")";
  }
  for (const auto& [rows, in, out] : {std::tuple{4096, 256, 1024},
                                      {2048, 768, 3072},
                                      {2048, 3072, 768},
                                      {448, 384, 1536},
                                      {448, 1536, 384},
                                      {128, 768, 3072},
                                      {16, 768, 3072},
                                      {1, 768, 3072}}) {
    const LinearPlan plan{rows, in, out, Activation::gelu};
    const std::string name = std::to_string(rows) + " x " + std::to_string(in) + " x " + std::to_string(out);
    family.benchmarks.push_back({name, [=](Trial& trial) { linear_operation(trial, plan); }});
    const PassSize passes = rows > 8 ? PassSize::many_tokens : PassSize::few_tokens;
    family.benchmarks.push_back(
        {name + ", prepared", [=](Trial& trial) { inference_operation(trial, plan, passes); }, false});
  }
  return family;
}

// ---- Norms ----

struct NormPlan {
  int64_t rows, columns;
  bool residual = false, gain = true;  // gain: RMS norms only; layer norms always have one
  Dropout dropout = {};
  double mean = 0, epsilon = 1e-2;
};

inline void layer_norm_operation(Trial& trial, const NormPlan& plan) {
  Backend& backend = trial.backend();
  const int64_t rows = plan.rows, columns = plan.columns;
  const Tensor x = trial.random(rows, columns, 1, plan.mean);
  const Tensor residual = plan.residual ? trial.random(rows, columns, 1, plan.mean) : Tensor();
  const Tensor gain = trial.random_vector(columns), bias = trial.random_vector(columns);
  const Tensor sum = trial.output("sum", rows, columns), out = trial.output("out", rows, columns);
  const Tensor statistics = trial.scratch(rows, 2), dout = trial.random(rows, columns);
  const Tensor dsum = trial.output("dsum", rows, columns), dx = trial.output("dx", rows, columns);
  const Tensor dgain = trial.sum_vector("dgain", columns), dbias = trial.sum_vector("dbias", columns);
  Operation operation{
      .forward = [&] { backend.layer_norm(x, residual, plan.dropout, gain, bias, plan.epsilon, sum, statistics, out); },
      .backward =
          [&] { backend.layer_norm_backward(dout, sum, statistics, gain, plan.dropout, dsum, dx, dgain, dbias); },
      .gradients = {{"x", x, dx}, {"gain", gain, dgain}, {"bias", bias, dbias}},
      .out = out,
      .dout = dout,
      .kept = {sum, statistics},
      .bytes = 4 * x.bytes(),
      .backward_bytes = 4 * x.bytes()};
  if (plan.residual) operation.gradients.push_back({"residual", residual, dsum});
  trial.run(operation);
  std::vector<double> means, deviations;  // separate results: their scales differ
  for (int64_t i = 0; i < rows; ++i) {
    means.push_back(read(statistics, i, 0));
    deviations.push_back(read(statistics, i, 1));
  }
  trial.record("means", means);
  trial.record("1 / standard deviations", deviations);
}

// Without dx, and in place.
inline void layer_norm_alone(Trial& trial, int64_t rows, int64_t columns) {
  const Tensor sum = trial.random(rows, columns), statistics = trial.random(rows, 2),
               gain = trial.random_vector(columns);
  const Tensor dout = trial.sum("dsum in place", rows, columns);
  trial.backend().layer_norm_backward(dout, sum, statistics, gain, {}, dout, {}, trial.sum_vector("dgain", columns),
                                      trial.sum_vector("dbias", columns));
}

inline Family layer_norm_family() {
  Family family = sweep("layer_norm", Rounds::sums, [](Trial& trial, int64_t rows, int64_t columns) {
    layer_norm_operation(trial, {rows, columns});
    layer_norm_operation(trial, {.rows = rows, .columns = columns, .residual = true, .dropout = kSomeDropout});
    layer_norm_alone(trial, rows, columns);
  });
  // Rows with a mean far greater than their deviation, where a one-pass variance cancels.
  for (const int64_t columns : {16, 100, 256}) {
    family.cases.push_back({"columns " + std::to_string(columns) + ", around 300", [=](Trial& trial) {
                              layer_norm_operation(trial,
                                                   {.rows = 33, .columns = columns, .mean = 300, .epsilon = 1e-12});
                            }});
  }
  for (const auto& [columns, dropout] : {std::pair{256, 0.0}, {256, 0.1}, {768, 0.0}}) {
    const NormPlan plan{.rows = 4096, .columns = columns, .residual = true, .dropout = {dropout, {1, 1}}};
    family.benchmarks.push_back({"4096 x " + std::to_string(columns) + (dropout > 0 ? ", dropout" : ""),
                                 [=](Trial& trial) { layer_norm_operation(trial, plan); }});
  }
  return family;
}

inline void rms_norm_operation(Trial& trial, const NormPlan& plan) {
  Backend& backend = trial.backend();
  const int64_t rows = plan.rows, columns = plan.columns;
  const Tensor x = trial.random(rows, columns), residual = plan.residual ? trial.random(rows, columns) : Tensor();
  const Tensor gain = plan.gain ? trial.random_vector(columns) : Tensor();
  const Tensor dgain = plan.gain ? trial.sum_vector("dgain", columns) : Tensor();
  const Tensor sum = trial.output("sum", rows, columns), statistics = trial.output("statistics", rows, 1);
  const Tensor out = trial.output("out", rows, columns), dout = trial.random(rows, columns);
  const Tensor dsum = trial.output("dsum", rows, columns), dx = trial.output("dx", rows, columns);
  Operation operation{
      .forward = [&] { backend.rms_norm(x, residual, plan.dropout, gain, plan.epsilon, sum, statistics, out); },
      .backward = [&] { backend.rms_norm_backward(dout, sum, statistics, gain, plan.dropout, dsum, dx, dgain); },
      .gradients = {{"x", x, dx}},
      .out = out,
      .dout = dout,
      .kept = {sum, statistics},
      .bytes = 4 * x.bytes(),
      .backward_bytes = 4 * x.bytes()};
  if (plan.residual) operation.gradients.push_back({"residual", residual, dsum});
  if (plan.gain) operation.gradients.push_back({"gain", gain, dgain});
  trial.run(operation);
  backend.rms_norm_backward(dout, sum, statistics, gain, {}, trial.output("dsum alone", rows, columns), {}, {});
}

inline Family rms_norm_family() {
  Family family = sweep("rms_norm", Rounds::sums, [](Trial& trial, int64_t rows, int64_t columns) {
    rms_norm_operation(trial, {.rows = rows, .columns = columns, .gain = false});
    rms_norm_operation(trial, {.rows = rows, .columns = columns, .residual = true, .dropout = kSomeDropout});
  });
  family.benchmarks.push_back({"4096 x 768", [](Trial& trial) {
                                 rms_norm_operation(trial, {.rows = 4096, .columns = 768, .residual = true});
                               }});
  return family;
}

}  // namespace roformer::test
