// Fused layers of an inference-only model against the same layers run separately.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "models/model.h"
#include "tests/models/model_trial.h"

namespace roformer::test {
namespace {

constexpr double kFusedTolerance = 2e-5;

// Few tokens are split by columns, many by blocks of rows; sizes around the threshold, and ragged.
const std::vector<std::vector<int64_t>> kLengths = {{1}, {5, 1, 17}, {200, 56}, {200, 57}, {3, 300, 1, 96, 128}};

std::vector<ModelConfig> configs() {
  std::vector<ModelConfig> all;
  for (const std::string_view position : position_names()) all.push_back(tiny_config(std::string(position)));
  ModelConfig config = tiny_config();
  config.norm = NormKind::rms;
  config.biased = false;
  all.push_back(config);
  config = tiny_config();
  config.norm = NormKind::rms_with_gain;
  config.activation = Activation::relu;
  config.attention_mask = AttentionMask::causal;
  all.push_back(config);
  config = tiny_config();
  std::get<RotaryPosition>(config.position).rotate_values = true;
  all.push_back(config);
  for (ModelConfig& one : all) {
    one.max_positions = 512;
    one.embedding = one.hidden = 72;
    one.heads = 3;
    one.intermediate = 131;
    if (auto* rotary = std::get_if<RotaryPosition>(&one.position)) rotary->rotary.dim = 0;
    complete(one, "");
  }
  return all;
}

Tensor hidden_of(Backend& backend, const ModelConfig& config, bool trainable, const Batch& batch) {
  Model model(backend, config, trainable);
  randomize(model, 5);
  if (!trainable) model.prepare();
  return hidden_states(model, batch);
}

TEST(FusedLayers, ComputeWhatTheLayersDo) {
  ThreadPool pool(2);
  const auto backend = make_cpu_backend(pool);
  for (const ModelConfig& config : configs()) {
    for (const auto& lengths : kLengths) {
      const Batch batch = random_batch(config, lengths, 6).batch;
      const Tensor fused = hidden_of(*backend, config, false, batch);
      const Tensor layers = hidden_of(*backend, config, true, batch);
      EXPECT_LE(relative_difference(values_of(fused), values_of(layers)), kFusedTolerance);
    }
  }
}

class FusedPrecisionTest : public ::testing::TestWithParam<Precision> {};

TEST_P(FusedPrecisionTest, GivesTheSameBitsAtAnyNumberOfThreadsAndInAnyBatch) {
  const ModelConfig config = configs().front();
  const Batch batch = random_batch(config, {3, 300, 1, 96, 128}, 6).batch;
  std::vector<double> first;
  for (const int threads : {1, 2, 3, 64}) {
    ThreadPool pool(threads, std::min(threads, 3));
    const auto backend = make_cpu_backend(pool, GetParam());
    const auto all = values_of(hidden_of(*backend, config, false, batch));
    if (first.empty()) first = all;
    EXPECT_EQ(all, first) << threads;
    for (int64_t s = 0; s < batch.sequences(); ++s) {
      const LabeledBatch alone = sequence_of({batch, {}, {}}, s);
      const auto part = values_of(hidden_of(*backend, config, false, alone.batch));
      const auto begin = first.begin() + batch.offsets[static_cast<size_t>(s)] * config.hidden;
      EXPECT_TRUE(std::equal(part.begin(), part.end(), begin)) << "sequence " << s;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, FusedPrecisionTest,
                         ::testing::Values(Precision::float32, Precision::bfloat16, Precision::int8),
                         [](const auto& one) { return std::string(precision_name(one.param)); });

// Stated tolerances of hidden states, relative, by the root of the mean square; with weights of deviation 1/√width, as
// trained ones have: sharper softmaxes than they give turn roundings into other answers.
Tensor hidden_of_usual(Backend& backend, ModelConfig config, const Batch& batch) {
  config.initializer_range = 1 / std::sqrt(static_cast<double>(config.hidden));
  Model model(backend, config, false);
  model.initialize({5, 0});
  model.prepare();
  return hidden_states(model, batch);
}

TEST(FusedLayers, InFewerBitsAreNearFloat32) {
  ThreadPool pool(2);
  const auto backend = make_cpu_backend(pool);
  for (const ModelConfig& config : configs()) {
    const Batch batch = random_batch(config, {40, 300}, 6).batch;
    const auto exact = values_of(hidden_of_usual(*backend, config, batch));
    for (const auto& [precision, tolerance] : {std::pair{Precision::bfloat16, 0.02}, {Precision::int8, 0.04}}) {
      const auto rounded = make_cpu_backend(pool, precision);
      const auto near = values_of(hidden_of_usual(*rounded, config, batch));
      double squares = 0, differences = 0;
      for (size_t i = 0; i < exact.size(); ++i) {
        squares += exact[i] * exact[i];
        differences += (near[i] - exact[i]) * (near[i] - exact[i]);
      }
      EXPECT_GT(differences, 0);
      EXPECT_LE(std::sqrt(differences / squares), tolerance) << precision_name(precision);
    }
  }
}

TEST(FusedLayers, FollowWeightsUntilTheyArePrepared) {
  ThreadPool pool(1);
  const auto backend = make_cpu_backend(pool);
  const ModelConfig config = configs().front();
  const Batch batch = random_batch(config, {9}, 6).batch;
  Model model(*backend, config, false);
  randomize(model, 5);
  const auto before = values_of(hidden_states(model, batch));
  Model other(*backend, config, false);
  randomize(other, 7);
  StateDict weights;
  for (const auto& [name, tensor] : other.weights()) weights.emplace(name, tensor);
  model.load_weights(weights, "another model");
  const auto after = values_of(hidden_states(model, batch));
  EXPECT_NE(after, before);
  EXPECT_EQ(after, values_of(hidden_states(other, batch)));
  model.prepare();
  EXPECT_LE(relative_difference(values_of(hidden_states(model, batch)), after), kFusedTolerance);
  EXPECT_THROW(model.load_weights(weights, "another model"), ShapeError);
}

}  // namespace
}  // namespace roformer::test
