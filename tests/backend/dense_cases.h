// Families of every kernel but rotation and attention.
#pragma once

#include <cmath>

#include "tests/backend/cases.h"

namespace roformer::testing {

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
  const Tensor x = trial.random(rows, columns), in_place = trial.sum("in place", rows, columns);
  trial.backend().dropout(x, kSomeDropout, trial.output("out", rows, columns));
  trial.backend().dropout(in_place, kSomeDropout, in_place);
  trial.backend().dropout(x, {}, trial.output("inactive", rows, columns));
}

inline void activation_kernel(Trial& trial, int64_t rows, int64_t columns) {
  for (const Activation activation : kActivations) {
    const Tensor before = trial.random(rows, columns, 3), dout = trial.random(rows, columns);
    trial.backend().activation_backward(activation, before, dout, trial.output("dbefore", rows, columns), {});
    trial.backend().activation_backward(activation, before, dout, trial.output("dbefore again", rows, columns),
                                        trial.output("out", rows, columns));
    trial.backend().activation_backward(activation, before, dout, trial.watch("in place", dout),
                                        trial.watch("out in place", before));
  }
}

inline void gated_kernels(Trial& trial, int64_t rows, int64_t columns) {
  Backend& backend = trial.backend();
  const auto output = [&](const std::string& name) { return trial.output(name, rows, columns); };
  for (const Activation activation : kActivations) {
    const Tensor gate = trial.random(rows, columns, 3), x = trial.random(rows, columns),
                 dout = trial.random(rows, columns);
    backend.gated(activation, gate, x, output("out"));
    backend.gated_backward(activation, gate, x, dout, output("dgate"), output("dx"), output("out again"));
    const Tensor in_place = output("gated in place");
    backend.copy(gate, in_place);
    backend.gated(activation, in_place, x, in_place);
    backend.gated_backward(activation, gate, x, dout, trial.watch("dgate in place", dout),
                           trial.watch("dx in place", x), trial.watch("out in place", gate));
  }
}

inline void adamw_kernel(Trial& trial, int64_t rows, int64_t columns) {
  AdamWStep step{.step = 3, .learning_rate = 0.01, .beta1 = 0.9, .beta2 = 0.98, .epsilon = 1e-6, .gradient_scale = 0.5};
  const auto variances = [](const Tensor& second) {
    std::vector<double> squares = numbers(second);
    for (double& square : squares) square = std::abs(square);
    assign(second, squares);
    return second;
  };
  const std::vector<AdamWTensors> tensors{
      {trial.sum("gradient", rows, columns), trial.sum("parameter", rows, columns), trial.sum("first", rows, columns),
       variances(trial.sum("second", rows, columns)), 0.1},
      {trial.sum_vector("vector's gradient", columns), trial.sum_vector("vector", columns),
       trial.sum_vector("first of vector", columns), variances(trial.sum_vector("second of vector", columns)), 0}};
  trial.backend().adamw(step, tensors);
  trial.backend().adamw(step, {&tensors[0], 1});
  step.zero_gradients = true;
  trial.backend().adamw(step, tensors);
  trial.backend().adamw(step, {});
}

// ---- Embedding and linear ----

inline void embedding_kernels(Trial& trial, int64_t rows, int64_t columns) {
  const std::vector<int32_t> ids = trial.random_ids(rows, 7);
  const Tensor table = trial.random(7, columns);
  trial.backend().embedding(table, ids, 1, trial.output("out", rows, columns), false);
  trial.backend().embedding(table, ids, 1, trial.sum("accumulated", rows, columns), true);
  trial.backend().embedding(table, ids, 0.4, trial.output("scaled", rows, columns), false);
  trial.backend().embedding(table, ids, -1.5, trial.sum("scaled, accumulated", rows, columns), true);
  trial.backend().embedding_backward(trial.random(rows, columns), ids, 1, trial.sum("dtable", 7, columns));
  trial.backend().embedding_backward(trial.random(rows, columns), ids, 0.4, trial.sum("scaled dtable", 7, columns));
}

// Both widths of a linear layer are awkward: the output's is taken from the same list, further on.
inline int64_t other_columns(int64_t columns) {
  const std::vector<int64_t> sizes = column_sizes();
  return sizes[(columns * 7 + 3) % sizes.size()];
}

inline void linear_forward(Trial& trial, int64_t rows, int64_t in, int64_t out) {
  const Tensor x = trial.random(rows, in), weight = trial.random(out, in, 0.3), bias = trial.random_vector(out);
  const Activation activation = kActivations[in % 6], other = kActivations[(in + rows) % 6];
  trial.backend().linear(x, weight, bias, activation, trial.output("out", rows, out),
                         trial.output("before", rows, out));
  trial.backend().linear(x, weight, bias, other, trial.output("inference", rows, out), {});
  trial.backend().linear(x, weight, {}, Activation::none, trial.output("without bias", rows, out), {});
  trial.backend().linear(x, weight, {}, activation, trial.output("activated without bias", rows, out),
                         trial.output("before without bias", rows, out));
}

inline void linear_backward(Trial& trial, int64_t rows, int64_t in, int64_t out) {
  const Tensor x = trial.random(rows, in), weight = trial.random(out, in, 0.3), dout = trial.random(rows, out);
  trial.backend().linear_backward_input(dout, weight, trial.output("dx", rows, in), false);
  trial.backend().linear_backward_input(dout, weight, trial.sum("dx accumulated", rows, in), true);
  trial.backend().linear_backward_weight(dout, x, trial.sum("dweight", out, in), trial.sum_vector("dbias", out));
  trial.backend().linear_backward_weight(dout, x, trial.sum("dweight alone", out, in), {});
}

inline Family linear_family(const std::string& name, void (*kernel)(Trial&, int64_t, int64_t, int64_t)) {
  Family family = sweep(name, 2e-5, [=](Trial& trial, int64_t rows, int64_t columns) {
    kernel(trial, rows, columns, other_columns(columns));
  });
  family.cases.push_back({"257 x 320 x 200", [=](Trial& trial) { kernel(trial, 257, 320, 200); }});
  family.cases.push_back({"700 x 9 x 40", [=](Trial& trial) { kernel(trial, 700, 9, 40); }});
  return family;
}

// ---- Layer normalisation ----

inline void layer_norm_kernel(Trial& trial, int64_t rows, int64_t columns, double mean, double epsilon) {
  Backend& backend = trial.backend();
  for (const bool with_residual : {false, true}) {
    const Dropout dropout = with_residual ? kSomeDropout : Dropout{};
    const Tensor x = trial.random(rows, columns, 1, mean);
    const Tensor residual = with_residual ? trial.random(rows, columns, 1, mean) : Tensor();
    const Tensor gain = trial.random_vector(columns), bias = trial.random_vector(columns);
    const Tensor sum = trial.output("sum", rows, columns), statistics = trial.output("statistics", rows, 2);
    backend.layer_norm(x, residual, dropout, gain, bias, epsilon, sum, statistics, trial.output("out", rows, columns));
    const Tensor dout = trial.random(rows, columns);
    backend.layer_norm_backward(dout, sum, statistics, gain, dropout, trial.output("dsum", rows, columns),
                                trial.output("dx", rows, columns), trial.sum_vector("dgain", columns),
                                trial.sum_vector("dbias", columns));
    backend.layer_norm_backward(dout, sum, statistics, gain, {}, trial.output("dsum alone", rows, columns), {},
                                trial.sum_vector("dgain", columns), trial.sum_vector("dbias", columns));
  }
}

// Rows whose mean is far greater than their spread: a one-pass variance loses everything here.
inline Family layer_norm_offset_family() {
  Family family{"layer_norm_offset", 2e-3, {}};
  for (const int64_t columns : {16, 100, 256}) {
    family.cases.push_back({"columns " + std::to_string(columns),
                            [=](Trial& trial) { layer_norm_kernel(trial, 33, columns, 300, 1e-12); }});
  }
  return family;
}

inline void rms_norm_kernel(Trial& trial, int64_t rows, int64_t columns) {
  Backend& backend = trial.backend();
  for (const bool with_gain : {false, true}) {
    const Dropout dropout = with_gain ? kSomeDropout : Dropout{};
    const Tensor x = trial.random(rows, columns), residual = with_gain ? trial.random(rows, columns) : Tensor();
    const Tensor gain = with_gain ? trial.random_vector(columns) : Tensor();
    const Tensor dgain = with_gain ? trial.sum_vector("dgain", columns) : Tensor();
    const Tensor sum = trial.output("sum", rows, columns), statistics = trial.output("statistics", rows, 1);
    backend.rms_norm(x, residual, dropout, gain, 1e-2, sum, statistics, trial.output("out", rows, columns));
    const Tensor dout = trial.random(rows, columns);
    backend.rms_norm_backward(dout, sum, statistics, gain, dropout, trial.output("dsum", rows, columns),
                              trial.output("dx", rows, columns), dgain);
    backend.rms_norm_backward(dout, sum, statistics, gain, {}, trial.output("dsum alone", rows, columns), {}, {});
  }
}

// ---- Loss and pooling ----

inline void cross_entropy_kernel(Trial& trial, int64_t rows, int64_t hidden, int32_t vocabulary, double size) {
  const std::vector<int32_t> labels = trial.random_ids(rows, vocabulary);
  const Tensor x = trial.random(rows, hidden, size), weight = trial.random(vocabulary, hidden, 0.5);
  const Tensor bias = trial.random_vector(vocabulary);
  const auto record = [&](const Loss& of_rows) {
    const LossSum loss = of_rows.read();
    trial.record("loss", {loss.sum});
    trial.record("correct", {static_cast<double>(loss.correct)});
  };
  Backend& backend = trial.backend();
  record(backend.cross_entropy(x, weight, bias, labels, 1, {}, {}, {}));
  record(backend.cross_entropy(x, weight, bias, labels, 0.25, trial.output("dhidden", rows, hidden),
                               trial.sum("dweight", vocabulary, hidden), trial.sum_vector("dbias", vocabulary)));
  record(backend.cross_entropy(x, weight, {}, labels, 1, trial.output("dhidden without bias", rows, hidden),
                               trial.sum("dweight without bias", vocabulary, hidden), {}));
}

inline Family cross_entropy_family() {
  Family family{"cross_entropy", 3e-5, {}};
  for (const int64_t rows : kRows) {
    for (const int32_t vocabulary : {1, 2, 97, 1003}) {
      for (const int64_t hidden : {1, 33}) {
        family.cases.push_back({"rows " + std::to_string(rows) + ", vocabulary " + std::to_string(vocabulary) +
                                    ", hidden size " + std::to_string(hidden),
                                [=](Trial& trial) { cross_entropy_kernel(trial, rows, hidden, vocabulary, 1); }});
      }
    }
  }
  family.cases.push_back({"wide", [](Trial& trial) { cross_entropy_kernel(trial, 65, 100, 1003, 1); }});
  family.cases.push_back({"many rows", [](Trial& trial) { cross_entropy_kernel(trial, 600, 20, 97, 1); }});
  return family;
}

inline Family cross_entropy_large_logits_family() {
  Family family{"cross_entropy_large_logits", 1e-3, {}};
  family.cases.push_back({"logits near 1000", [](Trial& trial) { cross_entropy_kernel(trial, 33, 24, 97, 400); }});
  return family;
}

inline void pooling_kernels(Trial& trial, const std::vector<int32_t>& lengths, int64_t columns) {
  const std::vector<int32_t> offsets = offsets_of(lengths);
  const auto sequences = static_cast<int64_t>(lengths.size());
  const Tensor x = trial.random(offsets.back(), columns), dout = trial.random(sequences, columns);
  for (const Pooling pooling : {Pooling::cls, Pooling::mean, Pooling::max}) {
    const Tensor argmax = trial.backend().empty({sequences, columns}, DType::int32);
    trial.backend().pool(pooling, x, offsets, trial.output("out", sequences, columns), argmax);
    trial.backend().pool_backward(pooling, dout, offsets, argmax, trial.output("dx", offsets.back(), columns));
    if (pooling != Pooling::max) continue;
    trial.record("argmax", {argmax.data<int32_t>(), argmax.data<int32_t>() + argmax.elements()});
  }
}

inline Family pooling_family() {
  Family family{"pool", 2e-6, {}};
  for (const int64_t columns : column_sizes()) {
    family.cases.push_back({"columns " + std::to_string(columns), [=](Trial& trial) {
                              pooling_kernels(trial, {3, 0, 1, 129, 2, 17}, columns);
                              pooling_kernels(trial, {}, columns);
                              pooling_kernels(trial, {0}, columns);
                            }});
  }
  return family;
}

}  // namespace roformer::testing
