// Marian: against transformers (tests/fixtures/README.md, "marian_models"), its config.json and its files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "formats/safetensors.h"
#include "models/families/family.h"
#include "tests/models/fixture_model.h"

namespace roformer::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class MarianTest : public FixtureModelTest {
 protected:
  // Its weights are large, so that sources are told apart.
  MarianTest() : FixtureModelTest("marian_models", 1e-9, 5e-5) {}
};

TEST_P(MarianTest, PackedInOneBatch) { expect_right_when_packed(); }
TEST_P(MarianTest, OneByOne) { expect_right_one_by_one(); }
TEST_P(MarianTest, EveryKeyOfTheConfigIsUnderstood) { expect_every_key_understood(); }

TEST_P(MarianTest, WhatIsWrittenIsTheSameFile) {
  expect_the_same_when_written();
  std::set<std::string> ours, theirs;
  const SafetensorsFile written(directory_ / "once/model.safetensors");
  for (const TensorInfo& info : written.tensors()) ours.insert(info.name);
  for (const auto& [name, tensor] : tensors()) theirs.insert(name);
  if (GetParam() == "untied") theirs.erase("model.shared.weight");  // which nothing uses
  EXPECT_EQ(ours, theirs);
  for (const auto& [name, tensor] : tensors()) {
    if (!theirs.contains(name)) continue;
    EXPECT_EQ(values_of(written.tensor(name)), values_of(tensor)) << name;
  }
}

// pytorch_model.bin of OPUS-MT names shared embeddings four times, and holds tables of positions.
TEST_P(MarianTest, OlderFiles) {
  auto all = tensors();
  for (const char* half : {"encoder", "decoder"}) {
    all.emplace_back(std::string("model.") + half + ".embed_positions.weight",
                     Tensor::allocate({40, 16}, DType::float32));
  }
  if (GetParam() == "shared") {
    const Tensor words = all[static_cast<size_t>(std::ranges::find(all, std::string("model.shared.weight"),
                                                                   &std::pair<std::string, Tensor>::first) -
                                                 all.begin())]
                             .second;
    for (const char* name :
         {"model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight", "lm_head.weight"})
      all.emplace_back(name, words);
  }
  expect_close(run_with(all, config_json()), fixture_.expected(), single_);
}

// Keys of BART that old config.json files have, which transformers' Marian does not read.
TEST_P(MarianTest, OlderConfigs) {
  Json config = config_json();
  config.update(Json{{"normalize_before", false},
                     {"add_bias_logits", false},
                     {"static_position_embeddings", true},
                     {"bad_words_ids", {{28}}},
                     {"num_beams", 6},
                     {"classif_dropout", 0.0}});
  expect_close(run_with(tensors(), config), fixture_.expected(), single_);
}

// Hypotheses share the keys and values of their source; token by token gives what a whole pass gives.
TEST_P(MarianTest, TokenByTokenIsTheWholePass) {
  const Model model = load(*cpu_);
  const Context context{.backend = *cpu_};
  const std::vector<std::vector<int32_t>> sources{{3, 5, 0}, {9, 1, 4, 4, 2, 0}}, targets{{28, 3, 5, 7}, {28, 2, 1, 6}};
  Batch batch, whole;
  for (const auto& source : sources) batch.append(source);
  for (const auto& target : targets) whole.append(target);
  const Value memory = model.encoder().forward(context, batch);
  const Tensor right = model.trunk().forward(context, whole, {.memory = memory, .memory_offsets = batch.offsets}).data;
  DecodingState state(2);
  for (size_t t = 0; t < 4; ++t) {
    if (t == 1) state.select(*cpu_, std::vector<int32_t>{0, 0, 1});  // two hypotheses of the first source
    Batch step;
    for (int64_t s = 0; s < state.sequences(); ++s) {
      const size_t source = s + 1 == state.sequences() ? 1 : 0;
      step.append(std::vector{targets[source][t]}, {}, state.next_position(s));
    }
    StackInputs inputs{.state = &state};
    if (t == 0) inputs.memory = memory;
    if (t == 0) inputs.memory_offsets = batch.offsets;
    const Tensor hidden = model.trunk().forward(context, step, inputs).data;
    for (int64_t s = 0; s < state.sequences(); ++s) {
      const int64_t row = (s + 1 == state.sequences() ? 4 : 0) + static_cast<int64_t>(t);
      EXPECT_LE(relative_difference(values_of(hidden.row_range(s, 1)), values_of(right.row_range(row, 1))), kSingle);
    }
  }
  EXPECT_THROW(state.select(*cpu_, std::vector<int32_t>{2, 0}), ShapeError);
}

INSTANTIATE_TEST_SUITE_P(, MarianTest, ::testing::Values("shared", "separate", "untied"),
                         [](const auto& param) { return param.param; });

ModelConfig read_config_of_marian(const Json& more) {
  Json json = {{"model_type", "marian"},
               {"architectures", {"MarianMTModel"}},
               {"vocab_size", 50},
               {"d_model", 16},
               {"encoder_layers", 1},
               {"decoder_layers", 2},
               {"encoder_attention_heads", 2},
               {"decoder_attention_heads", 4},
               {"encoder_ffn_dim", 24},
               {"decoder_ffn_dim", 20},
               {"pad_token_id", 49},
               {"decoder_start_token_id", 49}};
  json.update(more);
  return read_config(JsonObject(json, "config.json"));
}

std::string marian_refusal(const Json& more) {
  try {
    read_config_of_marian(more);
  } catch (const DataError& error) {
    return error.what();
  }
  return "";
}

TEST(MarianConfigTest, BothHalves) {
  const ModelConfig config = read_config_of_marian({{"scale_embedding", true}, {"dropout", 0.2}});
  EXPECT_EQ(config.family, &families::marian);
  EXPECT_EQ(config.layers, 2);
  EXPECT_EQ(config.heads, 4);
  EXPECT_EQ(config.embedding_scale, 4);
  EXPECT_EQ(config.start_id, 49);
  EXPECT_THAT(config.eos_ids, ElementsAre(0));
  ASSERT_NE(config.encoder, nullptr);
  EXPECT_EQ(config.encoder->layers, 1);
  EXPECT_EQ(config.encoder->intermediate, 24);
  EXPECT_EQ(config.encoder->hidden_dropout, 0.2);
  EXPECT_EQ(config.encoder->attention_mask, AttentionMask::bidirectional);
  EXPECT_EQ(write_config(read_config(JsonObject(write_config(config), "written"))), write_config(config));
}

TEST(MarianConfigTest, RefusesWhatItDoesNotHave) {
  EXPECT_THAT(marian_refusal({{"decoder_vocab_size", 60}}),
              HasSubstr("'decoder_vocab_size' is 60, expected vocab_size 50"));
  EXPECT_THAT(marian_refusal({{"activation_function", "mish"}}), HasSubstr("activation_function"));
  EXPECT_THAT(marian_refusal({{"d_model", 10}}), HasSubstr("is not a multiple of"));
  EXPECT_THAT(marian_refusal({{"decoder_start_token_id", 50}}),
              HasSubstr("decoder_start_token_id is 50, expected 0 to 49"));
}

// opus-mt-en-de: 74.4 million parameters.
TEST(MarianConfigTest, PublishedShape) {
  const ModelConfig config = read_config_of_marian({{"vocab_size", 58101},
                                                    {"d_model", 512},
                                                    {"encoder_layers", 6},
                                                    {"decoder_layers", 6},
                                                    {"encoder_attention_heads", 8},
                                                    {"decoder_attention_heads", 8},
                                                    {"encoder_ffn_dim", 2048},
                                                    {"decoder_ffn_dim", 2048},
                                                    {"pad_token_id", 58100}});
  EXPECT_EQ(config.parameters(), 58101 * 512 + 58101 + 6 * 3'152'384 + 6 * 4'204'032);
}

}  // namespace
}  // namespace roformer::test
