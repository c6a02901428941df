// Llamas: against transformers (tests/fixtures/README.md, "llama"), their config.json, and their sizes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "formats/safetensors.h"
#include "models/families/family.h"
#include "models/finite.h"
#include "tests/models/decoder_trial.h"

namespace roformer::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class LlamaTest : public DecoderFixtureTest {
 protected:
  LlamaTest() : DecoderFixtureTest("llama") {}
};

TEST_P(LlamaTest, PackedInOneBatch) { expect_right_when_packed(); }
TEST_P(LlamaTest, OneByOne) { expect_right_one_by_one(); }
TEST_P(LlamaTest, EveryKeyOfTheConfigIsUnderstood) { expect_every_key_understood(); }

TEST_P(LlamaTest, TheSameBitsAtAnyNumberOfThreads) {
  ThreadPool one(1);
  const auto alone = make_cpu_backend(one);
  EXPECT_EQ(fixture_.run(load(*alone), fixture_.sequences()), fixture_.run(load(*cpu_), fixture_.sequences()));
}

TEST_P(LlamaTest, WhatIsWrittenIsTheSameFile) { expect_the_same_tensors_when_written("model."); }

// A trunk saved alone has no "model." prefix, a tied output may be present, and older files have frequencies.
TEST_P(LlamaTest, OtherSpellings) {
  std::vector<std::pair<std::string, Tensor>> tensors;
  const SafetensorsFile file(fixture_.directory() + "/model.safetensors");
  for (const TensorInfo& info : file.tensors()) {
    const std::string prefix = "model.";
    const bool prefixed = info.name.starts_with(prefix);
    const Tensor tensor = file.tensor(info.name);
    tensors.emplace_back(prefixed ? info.name.substr(prefix.size()) : info.name, tensor);
    if (info.name.ends_with("embed_tokens.weight") && load(*cpu_).config().tied) {
      tensors.emplace_back("lm_head.weight", tensor);
    }
  }
  tensors.emplace_back("layers.0.self_attn.rotary_emb.inv_freq", Tensor::allocate({2}, DType::float32));
  expect_right_with(tensors);
}

INSTANTIATE_TEST_SUITE_P(, LlamaTest, ::testing::Values("grouped", "biased_tied", "trunk_scaled"),
                         [](const auto& param) { return param.param; });

constexpr DecoderFile kLlamaFile{.model_type = "llama", .architecture = "LlamaForCausalLM", .hidden = 24};

TEST(LlamaConfigTest, DefaultsAreThoseOfTransformers) {
  std::vector<std::string> unknown;
  const ModelConfig config = kLlamaFile.read({{"something", 1}}, &unknown);
  EXPECT_THAT(unknown, ElementsAre("something"));
  EXPECT_EQ(config.family, &families::llama);
  EXPECT_EQ(config.head, Head::causal_lm);
  EXPECT_EQ(config.attention_mask, AttentionMask::causal);
  EXPECT_EQ(config.kv_heads, 0);
  EXPECT_EQ(config.activation, Activation::silu);
  EXPECT_EQ(config.max_positions, 2048);
  EXPECT_EQ(config.norm_epsilon, 1e-6);
  EXPECT_FALSE(config.tied);
  EXPECT_FALSE(config.biased);
  EXPECT_FALSE(config.bos_id);
  const auto& rotary = std::get<RotaryPosition>(config.position).rotary;
  EXPECT_EQ(rotary, (Rotary{.dim = 6, .layout = RotaryLayout::half}));
}

TEST(LlamaConfigTest, ReadsWhatItWrites) {
  const ModelConfig config = kLlamaFile.read({{"num_key_value_heads", 2},
                                              {"rope_theta", 5000.0},
                                              {"rope_scaling", {{"rope_type", "linear"}, {"factor", 2.0}}},
                                              {"attention_bias", true},
                                              {"bos_token_id", 1},
                                              {"eos_token_id", {2, 7}},
                                              {"pad_token_id", -1}});
  EXPECT_EQ(config.kv_heads, 2);
  EXPECT_EQ(config.bos_id, 1);
  EXPECT_THAT(config.eos_ids, ElementsAre(2, 7));
  EXPECT_EQ(config.pad_id, 0);
  EXPECT_FALSE(config.feed_forward_biased.value());
  const Json written = write_config(config);
  EXPECT_EQ(written.at("model_type"), "llama");
  EXPECT_EQ(written.at("num_key_value_heads"), 2);
  EXPECT_EQ(written.at("rope_theta"), 5000.0);
  EXPECT_FALSE(written.contains("rotary_layout"));
  const ModelConfig again = read_config(JsonObject(written, "written"));
  EXPECT_EQ(again.position, config.position);
  EXPECT_EQ(again.kv_heads, 2);
  EXPECT_EQ(again.eos_ids, config.eos_ids);
  EXPECT_EQ(write_config(again), written);
}

TEST(LlamaConfigTest, NamesKeysOfAScalingWithoutInfluence) {
  std::vector<std::string> unknown;
  const Json scaling = {{"rope_type", "yarn"}, {"factor", 4.0}, {"original_max_position_embeddings", 16}};
  Json more = scaling;
  more["finetuned"] = true;
  const ModelConfig config = kLlamaFile.read({{"rope_scaling", more}, {"something", 1}}, &unknown);
  EXPECT_THAT(unknown, ElementsAre("rope_scaling.finetuned", "something"));
  EXPECT_EQ(config.position, kLlamaFile.read({{"rope_scaling", scaling}}).position);
}

// The form of transformers, which has no key of its own for the share.
TEST(LlamaConfigTest, AShareOfThePairsIsAScaling) {
  for (const double factor : {1.0, 2.0}) {
    const Json scaling = {{"rope_type", "proportional"}, {"partial_rotary_factor", 0.5}, {"factor", factor}};
    const ModelConfig config = kLlamaFile.read({{"rope_parameters", scaling}});
    EXPECT_EQ(std::get<RotaryPosition>(config.position).rotary.proportion, 0.5);
    const Json written = write_config(config);
    EXPECT_EQ(written.at("rope_scaling"), scaling);
    EXPECT_FALSE(written.contains("rotary_proportion"));
    EXPECT_EQ(read_config(JsonObject(written, "written")).position, config.position);
  }
  kLlamaFile.expect_refused({{"rotary_proportion", 0.5}, {"rope_scaling", {{"rope_type", "dynamic"}, {"factor", 2.0}}}},
                            "no scaling but by a factor");
}

TEST(LlamaConfigTest, RefusesWhatItDoesNotHave) {
  kLlamaFile.expect_refused({{"head_dim", 7}}, "head_dim 7 is odd");
  kLlamaFile.expect_refused({{"num_key_value_heads", 3}},
                            "num_attention_heads 4 is not a multiple of num_key_value_heads 3");
  kLlamaFile.expect_refused({{"num_key_value_heads", 0}}, "num_key_value_heads");
  kLlamaFile.expect_refused({{"num_key_value_heads", 8}}, "num_key_value_heads is 8, expected 0 to 4");
  kLlamaFile.expect_refused({{"hidden_act", "mish"}}, "hidden_act");
  kLlamaFile.expect_refused({{"sliding_window", 4096}}, "sliding_window");
  kLlamaFile.expect_refused({{"partial_rotary_factor", 0.5}}, "a Llama rotates whole heads");
  kLlamaFile.expect_refused({{"rotary_layout", "adjacent"}}, "layout \"half\"");
  kLlamaFile.expect_refused({{"rope_scaling", {{"rope_type", "mystery"}}}}, "rope_type");
  kLlamaFile.expect_refused({{"quantization_config", {{"bits", 4}}}}, "quantization_config");
  kLlamaFile.expect_refused({{"eos_token_id", "2"}}, "eos_token_id");
  kLlamaFile.expect_refused({{"architectures", {"RoFormerModel"}}}, "one of model_type \"llama\"");
  kLlamaFile.expect_refused(
      {{"model_type", "mamba"}},
      "\"roformer\", \"bert\", \"llama\", \"mistral\", \"qwen2\", \"qwen3\", \"gemma\", \"gemma2\", \"gemma3_text\", "
      "\"gpt_neox\", \"gptj\", \"gpt_neo\", \"marian\", \"encoder-decoder\" or \"roformer_translator\"");
}

// Values specific to Llama cannot be expressed by other families' files.
TEST(LlamaConfigTest, OtherFamiliesDoNotTakeItsParts) {
  ModelConfig config = tiny_config();
  config.kv_heads = 1;
  EXPECT_THAT([&] { complete(config, ""); }, ThrowsMessage<UsageError>(HasSubstr("a Llama's")));
  ModelConfig llama = tiny_llama();
  EXPECT_NO_THROW(complete(llama, ""));
  ShapeOptions alibi, rotary;
  alibi.position = "alibi";
  rotary.position = "rotary";
  ModelConfig other = alibi.apply(llama);
  EXPECT_THAT([&] { complete(other, ""); }, ThrowsMessage<UsageError>(HasSubstr("rotary positions, not alibi")));
  EXPECT_EQ(rotary.apply(llama).position, llama.position);
  llama.head = Head::masked_lm;
  EXPECT_THAT([&] { complete(llama, ""); }, ThrowsMessage<UsageError>(HasSubstr("causal language model")));
}

TEST(LlamaConfigTest, CountsItsParameters) {
  ThreadPool pool(1);
  const auto backend = make_cpu_backend(pool);
  for (const Json& more : std::vector<Json>{{{"num_key_value_heads", 2}},
                                            {{"num_key_value_heads", 1}, {"attention_bias", true}},
                                            {{"mlp_bias", true}, {"tie_word_embeddings", true}},
                                            {{"architectures", {"LlamaModel"}}},
                                            {{"num_hidden_layers", 0}}}) {
    const ModelConfig config = kLlamaFile.read(more);
    const Model model(*backend, config, false);
    int64_t sum = 0;
    for (const NamedParameter& named : model.parameters()) sum += named.parameter.value.elements();
    EXPECT_EQ(config.parameters(), sum) << more;
  }
}

// Published sizes: Llama 2 7B, TinyLlama 1.1B and Llama 3.2 1B.
TEST(LlamaConfigTest, PublishedShapes) {
  const auto count = [](int64_t vocabulary, int64_t hidden, int64_t layers, int64_t heads, int64_t kv_heads,
                        int64_t intermediate, bool tied) {
    return kLlamaFile
        .read({{"vocab_size", vocabulary},
               {"hidden_size", hidden},
               {"num_hidden_layers", layers},
               {"num_attention_heads", heads},
               {"num_key_value_heads", kv_heads},
               {"intermediate_size", intermediate},
               {"tie_word_embeddings", tied}})
        .parameters();
  };
  EXPECT_EQ(count(32000, 4096, 32, 32, 32, 11008, false), 6'738'415'616);
  EXPECT_EQ(count(32000, 2048, 22, 32, 4, 5632, false), 1'100'048'384);
  EXPECT_EQ(count(128256, 2048, 16, 32, 8, 8192, true), 1'235'814'400);
}

TEST(FiniteTest, NamesTheTensor) {
  ThreadPool pool(1);
  const auto backend = make_cpu_backend(pool);
  const Model model(*backend, tiny_llama(), false);
  EXPECT_NO_THROW(check_finite_weights(model, "some/model"));
  for (const NamedParameter& named : model.parameters()) {
    if (named.name != "model.layers.1.mlp.up_proj.weight") continue;
    for (const double bad : {std::numeric_limits<double>::quiet_NaN(), -std::numeric_limits<double>::infinity()}) {
      write(named.parameter.value, 2, 3, bad);
      EXPECT_THAT([&] { check_finite_weights(model, "some/model"); },
                  ThrowsMessage<DataError>(
                      HasSubstr("some/model: row 2, column 3 of model.layers.1.mlp.up_proj.weight [10, 8]")));
    }
  }
}

}  // namespace
}  // namespace roformer::test
