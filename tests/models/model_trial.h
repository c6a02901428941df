// Masked-LM batches, random models and their losses, for the tests of this folder.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "models/families/family.h"
#include "models/model.h"
#include "tests/backend/trial.h"

namespace roformer::test {

// A batch with labels of some of its tokens.
struct LabeledBatch {
  Batch batch;
  std::vector<int32_t> rows, labels;
};

inline LossSum masked_lm_loss(const Model& model, const Context& context, const LabeledBatch& data, double scale) {
  const Value hidden = gather_rows(context, model.trunk().forward(context, data.batch), data.rows);
  return model.mlm_head().loss(context, hidden, model.trunk().word_embeddings(), {data.labels, scale}).read();
}

// Adds the gradients of the mean loss to the model's parameters and returns that loss. `random` null: no dropout.
inline double train_pass(const Model& model, const LabeledBatch& data, const RandomStream* random = nullptr,
                         bool checkpointing = false) {
  Tape tape;
  const Context context{.backend = model.backend(),
                        .tape = &tape,
                        .random = random == nullptr ? RandomStream{} : *random,
                        .training = random != nullptr,
                        .checkpointing = checkpointing};
  const double scale = 1.0 / static_cast<double>(data.rows.size());
  const LossSum loss = masked_lm_loss(model, context, data, scale);
  tape.backward();
  return loss.sum * scale;
}

inline Tensor hidden_states(const Model& model, const Batch& batch) {
  return model.trunk().forward({.backend = model.backend()}, batch).data;
}

inline void clear_gradients(const Model& model) {
  for (const NamedParameter& named : model.parameters()) model.backend().fill(named.parameter.gradient, 0);
}

inline std::vector<Result> gradients(const Model& model) {
  std::vector<Result> all;
  for (const NamedParameter& named : model.parameters()) {
    all.push_back({named.name, values_of(named.parameter.gradient)});
  }
  return all;
}

// All widths differ; the embedding is projected.
inline ModelConfig tiny_config(const std::string& position = "rotary") {
  ModelConfig config;
  config.vocabulary = 29;
  config.embedding = 6;
  config.hidden = 8;
  config.layers = 2;
  config.heads = 2;
  config.intermediate = 10;
  config.max_positions = 40;
  config.segments = 3;
  config.position = parse_position(position);
  complete(config, "");
  return config;
}

// Two key heads for four query heads.
inline ModelConfig tiny_llama() {
  ModelConfig config = tiny_config();
  config.family = &families::llama;
  config.head = Head::causal_lm;
  config.attention_mask = AttentionMask::causal;
  config.embedding = config.hidden;
  config.heads = 4;
  config.kv_heads = 2;
  config.segments = 0;
  config.norm = NormKind::rms_with_gain;
  config.norms = kPreNorms;
  config.gated = true;
  config.biased = config.tied = false;
  config.activation = Activation::silu;
  config.position = RotaryPosition{.rotary = {.layout = RotaryLayout::half}};
  complete(config, "");
  return config;
}

// All parameters random, including biases and norm gains, and large enough that every part matters.
inline void randomize(const Model& model, uint64_t seed) {
  Generator generator({seed, 0});
  for (const NamedParameter& named : model.parameters()) {
    const Tensor& x = named.parameter.value;
    const double mean = named.role == ParameterRole::norm_gain ? 1 : 0;
    for (int64_t i = 0; i < x.rows(); ++i) {
      for (int64_t j = 0; j < x.columns(); ++j) write(x, i, j, static_cast<float>(mean + 0.4 * generator.normal()));
    }
  }
}

inline LabeledBatch random_batch(const ModelConfig& config, const std::vector<int64_t>& lengths, uint64_t seed) {
  Generator generator({seed, 1});
  const auto draw = [&](int64_t below) { return static_cast<int32_t>(generator.below(static_cast<uint64_t>(below))); };
  LabeledBatch result;
  for (const int64_t length : lengths) {
    std::vector<int32_t> ids, segments;
    for (int64_t i = 0; i < length; ++i) {
      if (draw(3) == 0) {
        result.rows.push_back(static_cast<int32_t>(result.batch.tokens() + i));
        result.labels.push_back(draw(config.vocabulary));
      }
      ids.push_back(draw(config.vocabulary));
      segments.push_back(config.segments > 0 ? draw(config.segments) : 0);
    }
    result.batch.append(ids, segments);
  }
  return result;
}

// One sequence of a batch, with its own labels and positions.
inline LabeledBatch sequence_of(const LabeledBatch& data, int64_t sequence) {
  const int32_t begin = data.batch.offsets[static_cast<size_t>(sequence)];
  const int32_t end = data.batch.offsets[static_cast<size_t>(sequence) + 1];
  const auto part = [&](const std::vector<int32_t>& all) {
    return std::vector<int32_t>(all.begin() + begin, all.begin() + end);
  };
  LabeledBatch result;
  result.batch.append(part(data.batch.ids), part(data.batch.segments));
  result.batch.positions = part(data.batch.positions);
  for (size_t i = 0; i < data.rows.size(); ++i) {
    if (data.rows[i] < begin || data.rows[i] >= end) continue;
    result.rows.push_back(data.rows[i] - begin);
    result.labels.push_back(data.labels[i]);
  }
  return result;
}

// max |difference| / max |expected|.
inline double relative_difference(const std::vector<double>& actual, const std::vector<double>& expected) {
  EXPECT_EQ(actual.size(), expected.size());
  if (actual.size() != expected.size()) return INFINITY;
  double difference = 0, largest = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    if (!std::isfinite(actual[i])) return INFINITY;
    difference = std::max(difference, std::abs(actual[i] - expected[i]));
    largest = std::max(largest, std::abs(expected[i]));
  }
  return largest > 0 ? difference / largest : difference;
}

}  // namespace roformer::test
