// GPT-NeoX: against transformers (tests/fixtures/README.md, "gpt_neox"), its config.json, and its sizes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "checkpoint/safetensors.h"
#include "models/families/family.h"
#include "tests/models/fixture_model.h"

namespace roformer::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr double kAngles = 5e-6;  // transformers computes the rotation's angles in float32, also in a float64 model

class GptNeoxTest : public FixtureModelTest {
 protected:
  GptNeoxTest() : FixtureModelTest("gpt_neox", kAngles) {}
};

TEST_P(GptNeoxTest, PackedInOneBatch) { expect_right_when_packed(); }
TEST_P(GptNeoxTest, OneByOne) { expect_right_one_by_one(); }
TEST_P(GptNeoxTest, EveryKeyOfTheConfigIsUnderstood) { expect_every_key_understood(); }

// Under the names that transformers gave them, q, k and v in one tensor again, to the bit.
TEST_P(GptNeoxTest, WhatIsWrittenIsTheSameFile) {
  expect_the_same_when_written();
  const SafetensorsFile theirs(fixture_.directory() + "/model.safetensors"),
      ours(directory_ / "once/model.safetensors");
  const bool trunk = load(*cpu_).config().head == Head::none;
  std::set<std::string> their_names, our_names;
  for (const TensorInfo& info : ours.tensors()) our_names.insert(info.name);
  for (const TensorInfo& info : theirs.tensors()) {
    const std::string name = (trunk ? "gpt_neox." : "") + info.name;
    their_names.insert(name);
    EXPECT_EQ(numbers(ours.tensor(name)), numbers(theirs.tensor(info.name))) << name;
  }
  EXPECT_EQ(our_names, their_names);
}

// Older files keep masks, and frequencies beside the weights.
TEST_P(GptNeoxTest, OlderFiles) {
  const TempDirectory directory;
  std::vector<std::pair<std::string, Tensor>> tensors;
  const SafetensorsFile file(fixture_.directory() + "/model.safetensors");
  for (const TensorInfo& info : file.tensors()) tensors.emplace_back(info.name, file.tensor(info.name));
  const std::string prefix = load(*cpu_).config().head == Head::none ? "" : "gpt_neox.";
  tensors.emplace_back(prefix + "layers.0.attention.bias", Tensor::allocate({1, 1, 4, 4}, DType::float32));
  tensors.emplace_back(prefix + "layers.0.attention.masked_bias", Tensor::allocate({1}, DType::float32));
  tensors.emplace_back(prefix + "layers.1.attention.rotary_emb.inv_freq", Tensor::allocate({2}, DType::float32));
  write_safetensors(directory / "model.safetensors", tensors);
  write_file_atomically(directory / "config.json", read_file(fixture_.directory() + "/config.json", kMostBytes));
  expect_close(fixture_.run(load_model(directory.path(), *cpu_), fixture_.sequences()), fixture_.expected(), kSingle);
}

INSTANTIATE_TEST_SUITE_P(, GptNeoxTest, ::testing::Values("parallel", "sequential_fast", "trunk_unbiased"),
                         [](const auto& param) { return param.param; });

Json minimal() {
  return Json{{"model_type", "gpt_neox"}, {"architectures", {"GPTNeoXForCausalLM"}},
              {"vocab_size", 50},         {"hidden_size", 32},
              {"num_hidden_layers", 2},   {"num_attention_heads", 4},
              {"intermediate_size", 40}};
}

ModelConfig read(const Json& more = Json::object(), std::vector<std::string>* unknown = nullptr) {
  Json json = minimal();
  json.update(more);
  return read_config(JsonObject(json, "some/config.json"), unknown);
}

TEST(GptNeoxConfigTest, DefaultsAreThoseOfTransformers) {
  std::vector<std::string> unknown;
  const ModelConfig config = read({{"something", 1}}, &unknown);
  EXPECT_THAT(unknown, ElementsAre("something"));
  EXPECT_EQ(config.family, &families::gpt_neox);
  EXPECT_EQ(config.visibility, Visibility::causal);
  EXPECT_EQ(config.parallel_residual, ParallelResidual::two_norms);
  EXPECT_EQ(config.activation, Activation::gelu);
  EXPECT_EQ(config.norm_epsilon, 1e-5);
  EXPECT_FALSE(config.tied);
  EXPECT_TRUE(config.biased);
  const auto& rotary = std::get<RotaryPosition>(config.position).rotary;
  EXPECT_EQ(rotary, (Rotary{.dim = 2, .layout = RotaryLayout::half}));
}

// The share and the base of older files, of new ones, and of both where they say the same.
TEST(GptNeoxConfigTest, OldAndNewKeysOfTheRotation) {
  const auto rotary = [](const Json& more) { return std::get<RotaryPosition>(read(more).position).rotary; };
  const Rotary expected{.dim = 4, .layout = RotaryLayout::half, .base = 500};
  EXPECT_EQ(rotary({{"rotary_pct", 0.5}, {"rotary_emb_base", 500}}), expected);
  EXPECT_EQ(
      rotary({{"rope_parameters", {{"rope_type", "default"}, {"rope_theta", 500.0}, {"partial_rotary_factor", 0.5}}}}),
      expected);
}

TEST(GptNeoxConfigTest, ReadsWhatItWrites) {
  const Json written = write_config(read({{"use_parallel_residual", false},
                                          {"rotary_pct", 0.5},
                                          {"rotary_emb_base", 500},
                                          {"attention_bias", false},
                                          {"eos_token_id", 0}}));
  EXPECT_EQ(written.at("model_type"), "gpt_neox");
  EXPECT_EQ(written.at("rotary_pct"), 0.5);
  EXPECT_EQ(written.at("use_parallel_residual"), false);
  EXPECT_EQ(write_config(read_config(JsonObject(written, "written"))), written);
}

TEST(GptNeoxConfigTest, RefusesWhatItDoesNotHave) {
  const auto refused = [](const Json& more, const std::string& message) {
    EXPECT_THAT([&] { read(more); }, ThrowsMessage<DataError>(HasSubstr(message))) << more;
  };
  refused({{"hidden_act", "mish"}}, "hidden_act");
  refused({{"rotary_layout", "adjacent"}}, "layout \"half\"");
  refused({{"rotary_pct", 1.5}}, "the share of a head that turns");
  refused({{"architectures", {"GPTNeoXForTokenClassification"}}}, "architectures");
}

// Published sizes: Pythia 160M, Pythia 6.9B and GPT-NeoX 20B.
TEST(GptNeoxConfigTest, PublishedShapes) {
  const auto count = [](int64_t vocabulary, int64_t hidden, int64_t layers, int64_t heads) {
    return read({{"vocab_size", vocabulary},
                 {"hidden_size", hidden},
                 {"num_hidden_layers", layers},
                 {"num_attention_heads", heads},
                 {"intermediate_size", 4 * hidden}})
        .parameters();
  };
  EXPECT_EQ(count(50304, 768, 12, 12), 162'322'944);
  EXPECT_EQ(count(50432, 4096, 32, 32), 6'857'302'016);
  EXPECT_EQ(count(50432, 6144, 44, 64), 20'554'567'680);
}

}  // namespace
}  // namespace roformer::testing
