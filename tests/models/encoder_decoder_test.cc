// Encoder-decoders of two RoFormers: against transformers' EncoderDecoderModel (tests/fixtures/README.md,
// "encoder_decoders"), their config.json and their files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "models/families/family.h"
#include "tests/models/fixture_model.h"
#include "tests/models/translator_trial.h"

namespace roformer::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kWordsOfEncoder = "encoder.embeddings.word_embeddings.weight";
constexpr const char* kWordsOfDecoder = "decoder.roformer.embeddings.word_embeddings.weight";

class EncoderDecoderTest : public FixtureModelTest {
 protected:
  // Its weights are large, so that sources are told apart.
  EncoderDecoderTest() : FixtureModelTest("encoder_decoders", 1e-9, 2e-4) {}

  // Why a directory with these tensors and this config.json is refused.
  std::string error_of(const std::vector<std::pair<std::string, Tensor>>& tensors, const Json& config) {
    try {
      run_with(tensors, config);
    } catch (const DataError& error) {
      return error.what();
    }
    return "";
  }
  std::string error_of(const std::function<void(Json&)>& change) {
    Json config = config_json();
    change(config);
    return error_of(tensors(), config);
  }
};

TEST_P(EncoderDecoderTest, PackedInOneBatch) { expect_right_when_packed(); }
TEST_P(EncoderDecoderTest, OneByOne) { expect_right_one_by_one(); }
TEST_P(EncoderDecoderTest, EveryKeyOfTheConfigIsUnderstood) { expect_every_key_understood(); }

// Its tensors are those that transformers writes, the tables of positions and the second embeddings among them.
TEST_P(EncoderDecoderTest, WhatIsWrittenIsTheSameFile) {
  expect_the_same_when_written();
  std::set<std::string> ours, theirs;
  const SafetensorsFile written(directory_ / "once/model.safetensors");
  for (const TensorInfo& info : written.tensors()) ours.insert(info.name);
  for (const auto& [name, tensor] : tensors()) theirs.insert(name);
  EXPECT_EQ(ours, theirs);
  for (const auto& [name, tensor] : tensors()) {
    if (GetParam() == "untied" && name == "decoder.cls.predictions.bias") continue;  // which nothing uses
    EXPECT_LE(relative_difference(values_of(written.tensor(name)), values_of(tensor)), 1e-6) << name;
  }
  EXPECT_EQ(JsonObject::read(directory_ / "once/config.json").value().contains("share_encoder_decoder_embeddings"),
            GetParam() == "shared");
}

// Names in front of all tensors, old names of norms, and no "architectures".
TEST_P(EncoderDecoderTest, OtherNames) {
  auto renamed = tensors();
  for (auto& [name, tensor] : renamed) {
    const size_t norm = name.find("LayerNorm.weight");
    if (norm != name.npos) name.replace(norm, name.npos, "LayerNorm.gamma");
    name.insert(0, "module.");
  }
  Json config = config_json();
  config.erase("architectures");
  expect_close(run_with(renamed, config), fixture_.expected(), single_);
}

TEST_P(EncoderDecoderTest, UnknownKeysOfAHalfAreNamed) {
  Json config = config_json();
  config["encoder"]["rope_theta"] = 500.0;
  config["decoder"]["temperature"] = 1.0;  // as transformers 4 wrote
  std::vector<std::string> unknown;
  read_config(JsonObject(config, "config.json"), &unknown);
  EXPECT_THAT(unknown, ElementsAre("encoder.rope_theta"));
}

TEST_P(EncoderDecoderTest, RefusesOtherHalves) {
  EXPECT_THAT(error_of([](Json& json) { json.erase("encoder"); }), HasSubstr("'encoder' is missing"));
  EXPECT_THAT(error_of([](Json& json) { json["decoder"]["model_type"] = "bert"; }),
              HasSubstr("'decoder': 'model_type' is \"bert\", expected \"roformer\""));
  EXPECT_THAT(error_of([](Json& json) { json["decoder"]["is_decoder"] = false; }), HasSubstr("is_decoder"));
  EXPECT_THAT(error_of([](Json& json) { json["decoder"]["add_cross_attention"] = false; }),
              HasSubstr("add_cross_attention"));
  EXPECT_THAT(error_of([](Json& json) { json["encoder"]["is_decoder"] = true; }), HasSubstr("the encoder has neither"));
  EXPECT_THAT(error_of([](Json& json) { json["tie_encoder_decoder"] = true; }), HasSubstr("'tie_encoder_decoder'"));
  EXPECT_THAT(error_of([](Json& json) { json["decoder_start_token_id"] = 99; }),
              HasSubstr("decoder_start_token_id is 99"));
  EXPECT_THAT(error_of([](Json& json) { json["decoder"]["cross_attention_hidden_size"] = 16; }),
              HasSubstr("'decoder': 'cross_attention_hidden_size' is 16, expected none"));
  EXPECT_THAT(error_of([](Json& json) { json["encoder"]["hidden_size"] = 32; }),
              HasSubstr("the encoder's hidden states are 32 wide, the decoder's 16"));
}

// Where the whole names no tokens, the decoder's count, and a text begins with its first token.
TEST_P(EncoderDecoderTest, TokensOfTheDecoder) {
  Json config = config_json();
  for (const char* key : {"decoder_start_token_id", "pad_token_id", "eos_token_id"}) config.erase(key);
  config["decoder"].update(Json{{"bos_token_id", 5}, {"eos_token_id", {0, 7}}});
  const ModelConfig read = read_config(JsonObject(config, "config.json"));
  EXPECT_EQ(read.start_id, 5);
  EXPECT_EQ(read.pad_id, 28);
  EXPECT_THAT(read.eos_ids, ElementsAre(0, 7));
}

INSTANTIATE_TEST_SUITE_P(, EncoderDecoderTest, ::testing::Values("shared", "separate", "untied"),
                         [](const auto& param) { return param.param; });

class SharedEmbeddings : public EncoderDecoderTest {};

TEST_P(SharedEmbeddings, AreReadOnce) {
  EXPECT_TRUE(load(*cpu_).config().shared_words);
  for (const char* missing : {kWordsOfEncoder, kWordsOfDecoder}) {
    auto once = tensors();
    std::erase_if(once, [&](const auto& one) { return one.first == missing; });
    expect_close(run_with(once, config_json()), fixture_.expected(), single_);
  }
  Json separate = config_json();
  separate.erase("share_encoder_decoder_embeddings");
  EXPECT_FALSE(read_config(JsonObject(separate, "config.json")).shared_words);
  expect_close(run_with(tensors(), separate), fixture_.expected(), single_);
}

TEST_P(SharedEmbeddings, ThatDifferAreRefused) {
  auto other = tensors();
  for (auto& [name, tensor] : other) {
    if (name != kWordsOfEncoder) continue;
    const Tensor changed = Tensor::allocate(tensor.shape(), tensor.dtype());
    copy_tensor(tensor, changed);
    changed.row<float>(3)[2] += 1;
    tensor = changed;
  }
  EXPECT_THAT(error_of(other, config_json()), AllOf(HasSubstr(kWordsOfEncoder), HasSubstr(kWordsOfDecoder),
                                                    HasSubstr("share_encoder_decoder_embeddings")));
}

TEST_P(SharedEmbeddings, HaveOneSize) {
  EXPECT_THAT(error_of([](Json& json) { json["encoder"]["vocab_size"] = 40; }),
              HasSubstr("shared embeddings of 40 words by 8 in the encoder, 29 by 8 in the decoder"));
}

INSTANTIATE_TEST_SUITE_P(, SharedEmbeddings, ::testing::Values("shared"),
                         [](const auto& param) { return param.param; });

// What transformers would compute otherwise is refused, by name.
TEST(EncoderDecoderConfigTest, RefusesWhatARoFormerIsNot) {
  const auto refusal = [](const std::function<void(ModelConfig&)>& change) -> std::string {
    ModelConfig decoder = translator_half("rotary"), encoder = translator_half("rotary");
    decoder.segments = encoder.segments = 1;
    decoder.family = &families::encoder_decoder;
    change(encoder);
    ModelConfig config = joined_halves(encoder, decoder);
    try {
      complete(config, "");
    } catch (const UsageError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(refusal([](ModelConfig&) {}), "");
  EXPECT_THAT(refusal([](ModelConfig& half) { half.norms = kPreNorms; }), HasSubstr("a norm after each sub-layer"));
  EXPECT_THAT(refusal([](ModelConfig& half) { half.norms.embedding = false; }), HasSubstr("one of the embeddings"));
  EXPECT_THAT(refusal([](ModelConfig& half) { half.position = T5Position{}; }), HasSubstr("no positions that are t5"));
  EXPECT_THAT(refusal([](ModelConfig& half) { half.position = parse_position("rotary-partial"); }),
              HasSubstr("rotary with other settings"));
  EXPECT_THAT(refusal([](ModelConfig& half) { half.embedding_scale = 4; }), HasSubstr("not multiplied"));
  EXPECT_THAT(refusal([](ModelConfig& half) { half.norm = NormKind::rms; }), HasSubstr("layer norms"));
  EXPECT_THAT(refusal([](ModelConfig& half) { half.segments = 0; }), HasSubstr("token types"));
  EXPECT_THAT(refusal([](ModelConfig& half) { half.gated = true; }), HasSubstr("without a gate"));
  EXPECT_THAT(refusal([](ModelConfig& half) { half.biased = false; }), HasSubstr("biases"));
  EXPECT_THAT(refusal([](ModelConfig& half) { half.attention = {AttentionKind::linear_elu}; }),
              HasSubstr("softmax attention"));
  EXPECT_THAT(refusal([](ModelConfig& half) { half.head_transform = false; }), HasSubstr("before its output"));
}

}  // namespace
}  // namespace roformer::test
