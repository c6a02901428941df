// GPT-NeoX: against transformers (tests/fixtures/README.md, "gpt_neox"), its config.json, and its sizes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "formats/safetensors.h"
#include "models/families/family.h"
#include "tests/models/decoder_trial.h"

namespace roformer::test {
namespace {

using ::testing::ElementsAre;

class GptNeoxTest : public DecoderFixtureTest {
 protected:
  GptNeoxTest() : DecoderFixtureTest("gpt_neox") {}
};

TEST_P(GptNeoxTest, PackedInOneBatch) { expect_right_when_packed(); }
TEST_P(GptNeoxTest, OneByOne) { expect_right_one_by_one(); }
TEST_P(GptNeoxTest, EveryKeyOfTheConfigIsUnderstood) { expect_every_key_understood(); }

// Also q, k and v, in one tensor again.
TEST_P(GptNeoxTest, WhatIsWrittenIsTheSameFile) { expect_the_same_tensors_when_written("gpt_neox."); }

// Older files keep masks, and frequencies beside the weights.
TEST_P(GptNeoxTest, OlderFiles) {
  std::vector<std::pair<std::string, Tensor>> tensors;
  const SafetensorsFile file(fixture_.directory() + "/model.safetensors");
  for (const TensorInfo& info : file.tensors()) tensors.emplace_back(info.name, file.tensor(info.name));
  const std::string prefix = load(*cpu_).config().head == Head::none ? "" : "gpt_neox.";
  tensors.emplace_back(prefix + "layers.0.attention.bias", Tensor::allocate({1, 1, 4, 4}, DType::float32));
  tensors.emplace_back(prefix + "layers.0.attention.masked_bias", Tensor::allocate({1}, DType::float32));
  tensors.emplace_back(prefix + "layers.1.attention.rotary_emb.inv_freq", Tensor::allocate({2}, DType::float32));
  expect_right_with(tensors);
}

INSTANTIATE_TEST_SUITE_P(, GptNeoxTest, ::testing::Values("parallel", "sequential_fast", "trunk_unbiased"),
                         [](const auto& param) { return param.param; });

constexpr DecoderFile kFile{.model_type = "gpt_neox", .architecture = "GPTNeoXForCausalLM", .hidden = 32};

TEST(GptNeoxConfigTest, DefaultsAreThoseOfTransformers) {
  std::vector<std::string> unknown;
  const ModelConfig config = kFile.read({{"something", 1}}, &unknown);
  EXPECT_THAT(unknown, ElementsAre("something"));
  EXPECT_EQ(config.family, &families::gpt_neox);
  EXPECT_EQ(config.attention_mask, AttentionMask::causal);
  EXPECT_EQ(config.parallel_residual, ParallelResidual::two_norms);
  EXPECT_EQ(config.activation, Activation::gelu);
  EXPECT_EQ(config.norm_epsilon, 1e-5);
  EXPECT_FALSE(config.tied);
  EXPECT_TRUE(config.biased);
  const auto& rotary = std::get<RotaryPosition>(config.position).rotary;
  EXPECT_EQ(rotary, (Rotary{.dim = 2, .layout = RotaryLayout::half}));
}

// Rotated fraction and base from older files, new files, and both if they agree.
TEST(GptNeoxConfigTest, OldAndNewKeysOfTheRotation) {
  const auto rotary = [](const Json& more) { return std::get<RotaryPosition>(kFile.read(more).position).rotary; };
  const Rotary expected{.dim = 4, .layout = RotaryLayout::half, .base = 500};
  EXPECT_EQ(rotary({{"rotary_pct", 0.5}, {"rotary_emb_base", 500}}), expected);
  EXPECT_EQ(
      rotary({{"rope_parameters", {{"rope_type", "default"}, {"rope_theta", 500.0}, {"partial_rotary_factor", 0.5}}}}),
      expected);
}

// transformers writes them with the values of the family's own keys, and reads those.
TEST(GptNeoxConfigTest, OthersNamesOfTheRotationAreNotRead) {
  const auto read = [](const Json& more) {
    std::vector<std::string> unknown;
    const Rotary rotary = std::get<RotaryPosition>(kFile.read(more, &unknown).position).rotary;
    return std::pair(std::pair(rotary.base, rotary.dim), unknown);
  };
  const std::vector<std::string> none;
  const Json own = {{"rotary_pct", 0.5}, {"rotary_emb_base", 500}};
  const auto with = [&](const Json& more) {
    Json all = own;
    all.update(more);
    return read(all);
  };
  const auto expected = std::pair(500.0, int64_t{4});
  EXPECT_EQ(with({{"rope_theta", 500.0}, {"partial_rotary_factor", 0.5}}), std::pair(expected, none));
  EXPECT_EQ(with({{"rope_theta", 600.0}}), std::pair(expected, std::vector<std::string>{"rope_theta"}));
  EXPECT_EQ(with({{"partial_rotary_factor", 1}}),
            std::pair(expected, std::vector<std::string>{"partial_rotary_factor"}));
  EXPECT_EQ(read({{"rope_theta", 600}}),
            std::pair(std::pair(10000.0, int64_t{2}), std::vector<std::string>{"rope_theta"}));
  EXPECT_EQ(read({{"rope_theta", 10000}, {"partial_rotary_factor", 0.25}}).second, none);
}

TEST(GptNeoxConfigTest, ReadsWhatItWrites) {
  const Json written = write_config(kFile.read({{"use_parallel_residual", false},
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
  kFile.expect_refused({{"hidden_act", "mish"}}, "hidden_act");
  kFile.expect_refused({{"rotary_layout", "adjacent"}}, "layout \"half\"");
  kFile.expect_refused({{"rotary_pct", 1.5}}, "the rotated fraction of a head");
}

// Published sizes: Pythia 160M, Pythia 6.9B and GPT-NeoX 20B.
TEST(GptNeoxConfigTest, PublishedShapes) {
  const auto count = [](int64_t vocabulary, int64_t hidden, int64_t layers, int64_t heads) {
    return kFile
        .read({{"vocab_size", vocabulary},
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
}  // namespace roformer::test
