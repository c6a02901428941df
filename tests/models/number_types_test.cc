// Models in each dtype: effective and close to float32 in every family; weights of inference-only models stay in the
// file's type, without copies.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "formats/safetensors.h"
#include "models/model.h"
#include "tests/base/temp_directory.h"
#include "tests/models/model_trial.h"

namespace roformer::test {
namespace {

ModelConfig llama(bool tied) {
  ModelConfig config = tiny_llama();
  config.vocabulary = 97;
  config.hidden = config.embedding = 64;
  config.intermediate = 96;
  config.tied = tied;
  config.position = RotaryPosition{.rotary = {.layout = RotaryLayout::half}};
  config.initializer_range = 1 / std::sqrt(64.0);
  complete(config, "");
  return config;
}

std::vector<double> scores(const Model& model, const Batch& batch) {
  const Context context{.backend = model.backend()};
  return values_of(model.logits(context, model.trunk().forward(context, batch), batch).data);
}

// RMS of the differences relative to the RMS of the expected values.
double distance(const std::vector<double>& actual, const std::vector<double>& expected) {
  double differences = 0, squares = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    differences += (actual[i] - expected[i]) * (actual[i] - expected[i]);
    squares += expected[i] * expected[i];
  }
  return std::sqrt(differences / squares);
}

TEST(NumberTypesOfModels, ALlamaHasEachOfThem) {
  ThreadPool pool(2);
  const auto exact = make_cpu_backend(pool);
  for (const bool tied : {false, true}) {
    const ModelConfig config = llama(tied);
    // Prompts of whole blocks, and short ones computed like decoding steps.
    for (const std::vector<int64_t>& lengths : {std::vector<int64_t>{3}, {5, 1, 40}, {300}}) {
      const Batch batch = random_batch(config, lengths, 6).batch;
      Model reference(*exact, config, false);
      reference.initialize({5, 0});
      const std::vector<double> expected = scores(reference, batch);
      reference.prepare();
      EXPECT_LE(distance(scores(reference, batch), expected), 1e-6);
      for (const auto& [precision, tolerance] : {std::pair{Precision::bfloat16, 0.02}, {Precision::int8, 0.05}}) {
        const auto backend = make_cpu_backend(pool, precision);
        Model model(*backend, config, false);
        model.initialize({5, 0});
        const std::vector<double> before = scores(model, batch);
        model.prepare();
        const std::vector<double> after = scores(model, batch);
        EXPECT_GT(distance(after, expected), 1e-4) << precision_name(precision);
        EXPECT_LE(distance(after, expected), tolerance) << precision_name(precision);
        EXPECT_LE(distance(before, expected), tolerance) << precision_name(precision);
      }
    }
  }
}

TEST(NumberTypesOfModels, AreHeldOnceAndMadeOnce) {
  ThreadPool pool(1);
  const ModelConfig config = llama(false);
  const Batch batch = random_batch(config, {20}, 6).batch;
  const auto backend = make_cpu_backend(pool, Precision::int8);
  Model model(*backend, config, false);
  model.initialize({5, 0});
  const int64_t before = model.weight_bytes();
  model.prepare();
  std::set<const PreparedWeight*> made;
  int64_t multiplied = 0;
  for (const NamedParameter& named : model.parameters()) {
    if (named.role != ParameterRole::weight) continue;
    EXPECT_FALSE(named.parameter.value.defined()) << named.name;
    ASSERT_NE(named.parameter.prepared, nullptr) << named.name;
    if (made.insert(named.parameter.prepared.get()).second) multiplied += named.parameter.prepared->shape().elements();
  }
  EXPECT_EQ(made.size(), 5u * 2 + 1);  // qkv, output, gate, up and down of two layers, and the head
  EXPECT_LT(model.weight_bytes(), before - 2 * multiplied);
  model.prepare();
  scores(model, batch);
  std::set<const PreparedWeight*> still;
  for (const NamedParameter& named : model.parameters()) {
    if (named.parameter.prepared != nullptr) still.insert(named.parameter.prepared.get());
  }
  EXPECT_EQ(still, made);
}

TEST(NumberTypesOfModels, NoneIsTrainedInInt8) {
  ThreadPool pool(1);
  const auto backend = make_cpu_backend(pool, Precision::int8);
  EXPECT_THROW(Model(*backend, llama(true), true), UsageError);
}

// Matrices and embeddings in 16 bits, the rest in float32.
class HalfFile : public ::testing::TestWithParam<DType> {
 protected:
  HalfFile() {
    Model model(*backend_, config_, false);
    model.initialize({5, 0});
    std::vector<std::pair<std::string, Tensor>> tensors;
    for (const NamedParameter& named : model.parameters()) {
      const Tensor& x = named.parameter.value;
      const Tensor half = Tensor::allocate(x.shape(), GetParam());
      for (int64_t i = 0; i < x.rows(); ++i) {
        for (int64_t j = 0; j < x.columns(); ++j) {
          // Multiples of 1/128 below 1 are exact in float16 and bfloat16.
          const double number = std::round(value(x, i, j) * 128) / 128;
          half_row(half, i)[j] = bits_of(static_cast<float>(std::clamp(number, -0.9921875, 0.9921875)));
        }
      }
      tensors.emplace_back(named.name, half);
      (named.role == ParameterRole::norm_gain ? gains_ : weights_) += x.elements();
    }
    write_safetensors(directory_ / "model.safetensors", tensors);
    write_file_atomically(directory_ / "config.json", dump_json(write_config(config_)));
  }

  static double value(const Tensor& x, int64_t i, int64_t j) { return x.row<float>(i)[j]; }
  static uint16_t* half_row(const Tensor& x, int64_t i) { return static_cast<uint16_t*>(x.raw()) + i * x.columns(); }
  static uint16_t bits_of(float x) {
    const auto bits = std::bit_cast<uint32_t>(x);
    if (GetParam() == DType::bfloat16) return static_cast<uint16_t>(bits >> 16);
    const auto exponent = static_cast<int32_t>(bits >> 23 & 0xFF) - 127 + 15;
    if (exponent <= 0) return 0;
    return static_cast<uint16_t>((bits >> 16 & 0x8000u) | static_cast<uint32_t>(exponent) << 10 |
                                 (bits >> 13 & 0x3FFu));
  }

  ThreadPool pool_{2};
  std::unique_ptr<Backend> backend_ = make_cpu_backend(pool_);
  ModelConfig config_ = llama(true);
  TempDirectory directory_;
  int64_t weights_ = 0, gains_ = 0;
};

TEST_P(HalfFile, KeepsItsTypeAndGivesTheBitsOfTheWidenedOne) {
  Model kept = load_model(directory_.path(), *backend_);
  EXPECT_EQ(kept.weight_bytes(), 2 * weights_ + 4 * gains_);
  EXPECT_EQ(kept.trunk().word_embeddings().value.dtype(), GetParam());
  kept.prepare();
  EXPECT_EQ(kept.weight_bytes(), 2 * weights_ + 4 * gains_);
  Model widened(*backend_, config_, false);
  widened.load_weights(load_state_dict(directory_ / "model.safetensors"), "file");
  EXPECT_EQ(widened.weight_bytes(), 4 * (weights_ + gains_));
  widened.prepare();
  for (const std::vector<int64_t>& lengths : {std::vector<int64_t>{1}, {7}, {5, 30}, {250}}) {
    const Batch batch = random_batch(config_, lengths, 6).batch;
    EXPECT_EQ(scores(kept, batch), scores(widened, batch));
  }
}

TEST_P(HalfFile, IsRealNumbersWhereItIsTrainedOrTheOracleReadsIt) {
  EXPECT_EQ(load_model(directory_.path(), *backend_, true).trunk().word_embeddings().value.dtype(), DType::float32);
  const auto oracle = make_reference_backend(pool_, DType::float64);
  const Model exact = load_model(directory_.path(), *oracle);
  EXPECT_EQ(exact.trunk().word_embeddings().value.dtype(), DType::float64);
  const Batch batch = random_batch(config_, {20}, 6).batch;
  EXPECT_LE(distance(scores(load_model(directory_.path(), *backend_), batch), scores(exact, batch)), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Both, HalfFile, ::testing::Values(DType::bfloat16, DType::float16),
                         [](const auto& one) { return std::string(dtype_name(one.param)); });

}  // namespace
}  // namespace roformer::test
