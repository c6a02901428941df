// Loading of model directories: contents, names, and errors.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "formats/safetensors.h"
#include "models/finite.h"
#include "models/model.h"
#include "tests/base/error_detail.h"
#include "tests/base/temp_directory.h"
#include "tests/models/model_trial.h"

namespace roformer::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::ThrowsMessage;

const char* const kWords = "roformer.embeddings.word_embeddings.weight";

class LoadModelTest : public ::testing::Test {
 protected:
  LoadModelTest() {
    randomize(model_, 3);
    for (const auto& [name, tensor] : model_.weights()) weights_.emplace(name, tensor);
    write_file_atomically(directory_ / "config.json", dump_json(write_config(model_.config())));
  }

  Model load(LoadNotes* notes = nullptr) {
    write_safetensors(directory_ / "model.safetensors", {weights_.begin(), weights_.end()});
    return load_model(directory_.path(), *backend_, false, notes);
  }

  void rename(const std::string& from, const std::string& to) {
    auto node = weights_.extract(from);
    ASSERT_FALSE(node.empty()) << from;
    node.key() = to;
    weights_.insert(std::move(node));
  }
  void rename_all(const std::function<std::string(const std::string&)>& spelling) {
    for (const auto& [name, tensor] : model_.weights()) rename(name, spelling(name));
  }

  void expect_same_weights(const Model& loaded) {
    ASSERT_EQ(loaded.parameters().size(), model_.parameters().size());
    for (size_t i = 0; i < loaded.parameters().size(); ++i) {
      const NamedParameter &actual = loaded.parameters()[i], &expected = model_.parameters()[i];
      EXPECT_EQ(actual.name, expected.name);
      EXPECT_EQ(values_of(actual.parameter.value), values_of(expected.parameter.value)) << expected.name;
    }
  }

  Tensor zeros(Shape shape) {
    const Tensor x = Tensor::allocate(shape, DType::float32);
    backend_->fill(x, 0);
    return x;
  }

  ThreadPool pool_{1};
  std::unique_ptr<Backend> backend_ = make_cpu_backend(pool_);
  Model model_{*backend_, tiny_config(), false};
  StateDict weights_;
  TempDirectory directory_;
};

TEST_F(LoadModelTest, WhatWasWritten) {
  const Model loaded = load();
  expect_same_weights(loaded);
  EXPECT_FALSE(loaded.parameters()[0].parameter.gradient.defined());
  EXPECT_TRUE(load_model(directory_.path(), *backend_, true).parameters()[0].parameter.gradient.defined());
}

TEST_F(LoadModelTest, IntoFloat64) {
  load();
  const auto reference = make_reference_backend(pool_, DType::float64);
  expect_same_weights(load_model(directory_.path(), *reference));
}

TEST_F(LoadModelTest, WithoutPrefix) {
  rename_all([](const std::string& name) { return name.starts_with("roformer.") ? name.substr(9) : name; });
  expect_same_weights(load());
}

TEST_F(LoadModelTest, GammaAndBeta) {
  rename_all([](const std::string& name) {
    if (name.ends_with("LayerNorm.weight")) return name.substr(0, name.size() - 6) + "gamma";
    if (name.ends_with("LayerNorm.bias")) return name.substr(0, name.size() - 4) + "beta";
    return name;
  });
  expect_same_weights(load());
}

TEST_F(LoadModelTest, GammaAndBetaWithoutPrefix) {
  rename("roformer.encoder.layer.1.output.LayerNorm.weight", "encoder.layer.1.output.LayerNorm.gamma");
  rename("roformer.encoder.layer.1.output.LayerNorm.bias", "encoder.layer.1.output.LayerNorm.beta");
  expect_same_weights(load());
}

TEST_F(LoadModelTest, DecoderBiasInsteadOfBias) {
  rename("cls.predictions.bias", "cls.predictions.decoder.bias");
  expect_same_weights(load());
}

TEST_F(LoadModelTest, DecoderWeightInsteadOfWords) {
  rename(kWords, "cls.predictions.decoder.weight");
  expect_same_weights(load());
}

TEST_F(LoadModelTest, WhatIsKnownAndNotNeeded) {
  weights_["cls.predictions.decoder.weight"] = weights_.at(kWords);
  weights_["cls.predictions.decoder.bias"] = weights_.at("cls.predictions.bias");
  weights_["roformer.encoder.embed_positions.weight"] = zeros({40, 4});
  weights_["roformer.embeddings.position_ids"] = zeros({1, 40});
  weights_["cls.seq_relationship.weight"] = zeros({2, 8});
  expect_same_weights(load());
}

// The pooler is not in config.json; an incomplete one is an error.
TEST_F(LoadModelTest, APoolerThatIsInTheFile) {
  EXPECT_FALSE(load().has_pooler());
  weights_["roformer.pooler.dense.weight"] = zeros({8, 8});
  EXPECT_THAT([&] { load(); }, ThrowsMessage<DataError>(HasSubstr("missing: \"roformer.pooler.dense.bias\" [8]")));
  weights_["roformer.pooler.dense.bias"] = zeros({8});
  const Model loaded = load();
  EXPECT_TRUE(loaded.has_pooler());
  const Batch batch = random_batch(loaded.config(), {3, 1}, 6).batch;
  const Context context{.backend = *backend_};
  EXPECT_EQ(values_of(loaded.pooled(context, loaded.trunk().forward(context, batch), batch).data),
            std::vector<double>(16, 0.0));
  Batch empty = batch;
  empty.append({});
  EXPECT_THAT([&] { loaded.pooled(context, loaded.trunk().forward(context, empty), empty); },
              ThrowsMessage<DataError>(HasSubstr("sequence 2 of the batch has no token")));
}

// Weights of an inference-only model stay in the mapped file, except q, k and v, which are concatenated.
TEST_F(LoadModelTest, SharesTheFileUnlessTrained) {
  load();
  const StateDict file = load_state_dict(directory_ / "model.safetensors");
  const auto shared = [&](const Model& model) {
    int64_t count = 0;
    for (const NamedParameter& named : model.parameters()) {
      EXPECT_EQ(values_of(named.parameter.value), values_of(file.at(named.name))) << named.name;
      count += named.parameter.value.raw() == file.at(named.name).raw();
    }
    return count;
  };
  const Model model = build_model(*backend_, model_.config(), file, "file");
  EXPECT_EQ(shared(model), std::ssize(model.parameters()) - 2 * 3 * 2);  // weights and biases of two layers' q, k and v
  EXPECT_EQ(model.trunk().word_embeddings().value.raw(), file.at(kWords).raw());
  Model copied(*backend_, model_.config(), false);
  copied.load_weights(file, "file");
  EXPECT_EQ(shared(copied), 0);
}

TEST_F(LoadModelTest, ATrunkOfAFileWithPartOfAHead) {
  ModelConfig config = model_.config();
  config.head = Head::none;
  write_file_atomically(directory_ / "config.json", dump_json(write_config(config)));
  weights_.erase("cls.predictions.bias");
  const Model loaded = load();
  EXPECT_EQ(loaded.config().head, Head::none);
  EXPECT_EQ(loaded.weights().size() + 5, model_.weights().size());
  EXPECT_EQ(values_of(loaded.parameters()[0].parameter.value), values_of(weights_.at(kWords)));
  EXPECT_THAT([&] { loaded.mlm_head(); }, ThrowsMessage<DataError>(HasSubstr("cls.predictions.bias")));
}

TEST_F(LoadModelTest, UnknownKeysOfTheConfig) {
  Json json = write_config(model_.config());
  json["rope_theta"] = 7;
  write_file_atomically(directory_ / "config.json", dump_json(json));
  LoadNotes notes;
  load(&notes);
  EXPECT_THAT(notes.unknown_keys, ElementsAre("rope_theta"));
  EXPECT_THAT(notes.warnings, ElementsAre(HasSubstr("config.json: not understood and ignored: rope_theta")));
}

TEST_F(LoadModelTest, NamesEverythingThatDoesNotFit) {
  weights_.erase("roformer.encoder.layer.0.attention.self.query.weight");
  weights_.erase("roformer.embeddings_project.weight");
  weights_["roformer.encoder.layer.2.output.dense.bias"] = zeros({8});
  weights_["roformer.encoder.layer.1.intermediate.dense.weight"] = zeros({8, 10});
  weights_["roformer.embeddings_project.bias"] = zeros({1, 8});
  weights_["roformer.embeddings.LayerNorm.weight"] = Tensor::allocate({6}, DType::int64);
  EXPECT_THAT([&] { load(); },
              ThrowsMessage<DataError>(AllOf(
                  HasSubstr(directory_ / "model.safetensors"), HasSubstr("6 problems"),
                  HasSubstr("missing: \"roformer.encoder.layer.0.attention.self.query.weight\" [8, 8]"),
                  HasSubstr("missing: \"roformer.embeddings_project.weight\" [8, 6]"),
                  HasSubstr("extra: \"roformer.encoder.layer.2.output.dense.bias\" [8]"),
                  HasSubstr("wrong: \"roformer.encoder.layer.1.intermediate.dense.weight\" has the shape [8, 10], "
                            "expected [10, 8]"),
                  HasSubstr("wrong: \"roformer.embeddings_project.bias\" has the shape [1, 8], expected [8]"),
                  HasSubstr("wrong: \"roformer.embeddings.LayerNorm.weight\" is int64, expected float32"),
                  Not(HasSubstr("value.weight")))));
}

TEST_F(LoadModelTest, AWeightThatIsNotFiniteIsNamed) {
  write(weights_.at(kWords), 2, 3, std::nan(""));
  const Model loaded = load();
  const ErrorDetail detail = detail_of<DataError>([&] { check_finite_weights(loaded, directory_.path()); });
  EXPECT_EQ(detail.tensor, kWords);
  EXPECT_EQ(detail.path, directory_.path());
}

TEST_F(LoadModelTest, AFailedLoadChangesNothing) {
  StateDict half = weights_;
  half.erase("cls.predictions.bias");
  half[kWords] = zeros({29, 6});
  const std::vector<double> before = values_of(weights_.at(kWords));
  EXPECT_THROW(model_.load_weights(half, "half"), DataError);
  EXPECT_EQ(values_of(weights_.at(kWords)), before);
}

// Rejected before allocation.
TEST_F(LoadModelTest, AConfigThatClaimsMoreThanTheFileHolds) {
  Json json = write_config(model_.config());
  json["vocab_size"] = 10'000'000;
  write_file_atomically(directory_ / "config.json", dump_json(json));
  EXPECT_THAT([&] { load(); }, ThrowsMessage<DataError>(HasSubstr("holds")));
  EXPECT_EQ(detail_of<DataError>([&] { load(); }).path, directory_ / "model.safetensors");
}

TEST_F(LoadModelTest, AModelThatNoMachineHolds) {
  ModelConfig config = model_.config();
  config.hidden = config.embedding = 65536;
  config.layers = 1000;
  config.intermediate = 262144;
  std::get<RotaryPosition>(config.position).rotary.dim = 0;
  complete(config, "");
  EXPECT_THAT([&] { Model(*backend_, config, true); }, ThrowsMessage<DataError>(HasSubstr("this machine has")));
}

TEST_F(LoadModelTest, MissingAndBrokenFiles) {
  const auto load_it = [&] { load_model(directory_.path(), *backend_); };
  EXPECT_EQ(detail_of<FileError>([&] { load_model(directory_ / "nowhere", *backend_); }).path, directory_ / "nowhere");
  EXPECT_THAT(load_it, ThrowsMessage<FileError>(HasSubstr("model.safetensors")));
  EXPECT_EQ(detail_of<FileError>(load_it).path, directory_.path());
  write_file_atomically(directory_ / "model.safetensors", "not tensors");
  EXPECT_EQ(detail_of<DataError>(load_it).path, directory_ / "model.safetensors");
  write_file_atomically(directory_ / "config.json", "{\"vocab_size\": 3");
  const ErrorDetail detail = detail_of<DataError>(load_it);
  EXPECT_EQ(detail.path, directory_ / "config.json");
  EXPECT_EQ(detail.line, 1);
}

TEST(InitializeTest, NormalWeightsZeroBiasesUnitGains) {
  ModelConfig config = tiny_config();
  config.vocabulary = 500;
  config.embedding = 40;
  config.initializer_range = 0.05;
  const auto weights_on = [&](const char* device, uint64_t seed) {
    ThreadPool pool(2);
    const auto backend = make_backend(device, pool);
    Model model(*backend, config, false);
    model.initialize({seed, 0});
    std::vector<Result> all;
    for (const NamedParameter& named : model.parameters()) {
      const std::vector<double> values = values_of(named.parameter.value);
      double squares = 0;
      for (const double value : values) squares += value * value;
      const double deviation = std::sqrt(squares / static_cast<double>(values.size()));
      const bool random = decays(named.role);
      const double expected = random ? 0.05 : named.role == ParameterRole::norm_gain ? 1 : 0;
      // Five standard errors of a sample's deviation, 1/√(2n).
      const double error = random ? 5 * 0.05 / std::sqrt(2 * static_cast<double>(values.size())) : 0;
      EXPECT_NEAR(deviation, expected, error) << named.name;
      all.push_back({named.name, values});
    }
    return all;
  };
  const std::vector<Result> first = weights_on("cpu", 1);
  expect_same_bits(weights_on("reference", 1), first);
  EXPECT_NE(weights_on("cpu", 2)[0].values, first[0].values);
  std::set<double> starts;  // each parameter draws from a stream of its own: 16 random ones, and 0 and 1
  for (const Result& one : first) starts.insert(one.values[0]);
  EXPECT_EQ(starts.size(), 16u + 2u);
}

}  // namespace
}  // namespace roformer::test
