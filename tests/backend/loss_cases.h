// Loss and pooling families.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/backend/cases.h"

namespace roformer::test {

struct LossPlan {
  int64_t rows, hidden;
  int32_t vocabulary;
  double size = 1;  // of hidden states, and so of logits
  bool bias = true;
  double smoothing = 0, cap = 0;
};

inline void cross_entropy_operation(Trial& trial, const LossPlan& plan) {
  Backend& backend = trial.backend();
  const double scale = plan.bias ? 0.25 : 1;
  const std::vector<int32_t> labels = trial.random_ids(plan.rows, plan.vocabulary);
  const Tensor x = trial.random(plan.rows, plan.hidden, plan.size);
  const Tensor weight = trial.random_weight(plan.vocabulary, plan.hidden, 0.5);
  const Tensor bias = plan.bias ? trial.random_vector(plan.vocabulary) : Tensor();
  const Tensor dx = trial.output("dhidden", plan.rows, plan.hidden);
  const Tensor dweight = trial.sum("dweight", plan.vocabulary, plan.hidden);
  const Tensor dbias = plan.bias ? trial.sum_vector("dbias", plan.vocabulary) : Tensor();
  LossSum forward, backward;
  const double product = 2.0 * static_cast<double>(plan.rows * plan.hidden) * plan.vocabulary;
  Operation operation{
      .forward =
          [&] {
            forward = backend.cross_entropy(x, weight, bias, {labels, 1, plan.smoothing, plan.cap}, {}, {}, {}).read();
          },
      .backward =
          [&] {
            backward =
                backend.cross_entropy(x, weight, bias, {labels, scale, plan.smoothing, plan.cap}, dx, dweight, dbias)
                    .read();
          },
      .gradients = {{"hidden", x, dx}, {"weight", weight, dweight}},
      .objective = [&] { return scale * forward.sum; },
      .operations = product,
      .backward_operations = 3 * product};
  if (plan.bias) operation.gradients.push_back({"bias", bias, dbias});
  trial.run(operation);
  trial.record("loss", {forward.sum});
  if (trial.trains()) trial.record("loss of the backward", {backward.sum});
  trial.record_exact("correct", {static_cast<double>(forward.correct)});
}

inline Family cross_entropy_family() {
  Family family{"cross_entropy", Rounds::products};
  const auto add = [&](const LossPlan& plan, const std::string& what = "") {
    family.cases.push_back({"rows " + std::to_string(plan.rows) + ", vocabulary " + std::to_string(plan.vocabulary) +
                                ", hidden size " + std::to_string(plan.hidden) + what,
                            [=](Trial& trial) {
                              LossPlan one = plan;
                              cross_entropy_operation(trial, one);
                              one.bias = false;
                              if (plan.vocabulary > 1) one.smoothing = 0.1;  // else the loss is constant
                              cross_entropy_operation(trial, one);
                              if (plan.vocabulary < 50 || plan.size > 1) return;
                              one.cap = 1.5;
                              cross_entropy_operation(trial, one);
                            }});
  };
  for (const int64_t rows : kRows) {
    for (const int32_t vocabulary : {1, 2, 97, 1003}) {
      for (const int64_t hidden : {1, 33}) add({rows, hidden, vocabulary});
    }
  }
  add({65, 100, 1003});
  add({600, 20, 97});
  add({33, 24, 97, 400}, ", logits near 1000");
  for (uint64_t draw = 0; draw < 6; ++draw) {
    RandomSizes random(draw);
    add({random.between(1, 200), random.between(1, 200), static_cast<int32_t>(random.between(1, 1200))},
        " (seed " + std::to_string(RandomSizes::seed()) + ")");
  }
  family.benchmarks.push_back({"300 x 768, vocabulary 50000", [](Trial& trial) {
                                 cross_entropy_operation(trial, {300, 768, 50000});
                               }});
  return family;
}

inline Family log_sum_exp_family() {
  Family family{"log_sum_exp", Rounds::sums};
  for (const int64_t columns : column_sizes()) {
    family.cases.push_back({"columns " + std::to_string(columns), [=](Trial& trial) {
                              for (const double size : {1.0, 400.0}) {
                                trial.record("log sums", trial.backend().log_sum_exp(trial.random(7, columns, size)));
                              }
                            }});
  }
  return family;
}

inline void pooling_kernels(Trial& trial, const std::vector<int32_t>& lengths, int64_t columns) {
  Backend& backend = trial.backend();
  const std::vector<int32_t> offsets = offsets_of(lengths);
  const auto sequences = static_cast<int64_t>(lengths.size());
  const Tensor x = trial.random(offsets.back(), columns), dout = trial.random(sequences, columns);
  for (const Pooling pooling : {Pooling::cls, Pooling::mean, Pooling::max}) {
    const Tensor argmax = backend.empty({sequences, columns}, DType::int32);
    const Tensor out = trial.output("out", sequences, columns), dx = trial.output("dx", offsets.back(), columns);
    trial.run({.forward = [&] { backend.pool(pooling, x, offsets, out, argmax); },
               .backward = [&] { backend.pool_backward(pooling, dout, offsets, argmax, dx); },
               .gradients = {{"x", x, dx}},
               .out = out,
               .dout = dout});
    if (pooling != Pooling::max) continue;
    trial.record_exact("argmax", {argmax.data<int32_t>(), argmax.data<int32_t>() + argmax.elements()});
  }
}

inline Family pooling_family() {
  Family family{"pool", Rounds::sums};
  for (const int64_t columns : column_sizes()) {
    family.cases.push_back({"columns " + std::to_string(columns), [=](Trial& trial) {
                              pooling_kernels(trial, {3, 0, 1, 129, 2, 17}, columns);
                              pooling_kernels(trial, {}, columns);
                              pooling_kernels(trial, {0}, columns);
                            }});
  }
  add_random_cases(family, 6, [](RandomSizes& sizes) {
    const std::vector<int32_t> lengths = sizes.lengths(sizes.between(1, 9), 200);
    const int64_t columns = sizes.between(1, 300);
    return Case{"columns " + std::to_string(columns), [=](Trial& trial) { pooling_kernels(trial, lengths, columns); }};
  });
  return family;
}

}  // namespace roformer::test
