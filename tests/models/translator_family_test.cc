// This project's own encoder-decoders: every encoding and part, written, read and decoded.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "formats/safetensors.h"
#include "models/save_model.h"
#include "tests/base/temp_directory.h"
#include "tests/models/fixture_model.h"
#include "tests/models/translator_trial.h"

namespace roformer::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class TranslatorFamily : public ::testing::Test {
 protected:
  // Logits of two targets, and what the decoder makes of them token by token.
  struct Outputs {
    std::vector<double> whole, stepwise;
  };
  Outputs outputs(const Model& model) {
    const Context context{.backend = *cpu_};
    const std::vector<std::vector<int32_t>> sources{{3, 5, 0}, {9, 1, 4, 4, 2, 0}};
    const std::vector<std::vector<int32_t>> targets{{28, 3, 5, 7, 7, 1}, {28, 2, 1, 6, 0, 3}};
    Batch read, whole;
    for (const auto& source : sources) read.append(source);
    for (const auto& target : targets) whole.append(target);
    const Value memory = model.encoder().forward(context, read);
    const StackInputs inputs{.memory = memory, .memory_offsets = read.offsets};
    Outputs result;
    result.whole = values_of(model.logits(context, model.trunk().forward(context, whole, inputs), whole).data);
    DecodingState state(2);
    StackInputs next = inputs;
    next.state = &state;
    std::vector<std::vector<double>> rows(2);
    for (size_t t = 0; t < targets[0].size(); ++t) {
      Batch step;
      for (size_t s = 0; s < 2; ++s) step.append(std::vector{targets[s][t]}, {}, static_cast<int32_t>(t));
      const Value logits = model.logits(context, model.trunk().forward(context, step, next), step);
      for (size_t s = 0; s < 2; ++s) {
        const auto row = values_of(logits.data.row_range(static_cast<int64_t>(s), 1));
        rows[s].insert(rows[s].end(), row.begin(), row.end());
      }
      next.memory = {};
    }
    for (const auto& sequence : rows) {
      result.stepwise.insert(result.stepwise.end(), sequence.begin(), sequence.end());
    }
    return result;
  }

  // The same bits after a round trip, and the same file after two.
  void expect_survives(const ModelConfig& config) {
    Model model(*cpu_, config, false);
    randomize(model, 5);
    const TempDirectory once, twice;
    save_model(model, {}, once.path());
    LoadNotes notes;
    const Model again = load_model(once.path(), *cpu_, false, &notes);
    EXPECT_THAT(notes.warnings, IsEmpty());
    const Outputs before = outputs(model);
    EXPECT_EQ(outputs(again).whole, before.whole);
    EXPECT_LE(relative_difference(before.stepwise, before.whole), 1e-4);
    save_model(again, {}, twice.path());
    for (const char* file : {"config.json", "model.safetensors"}) {
      EXPECT_EQ(read_file(twice / file, 1 << 20), read_file(once / file, 1 << 20)) << file;
    }
  }

  ThreadPool pool_{2};
  std::unique_ptr<Backend> cpu_ = make_cpu_backend(pool_);
};

TEST_F(TranslatorFamily, EveryEncodingSurvives) {
  for (const std::string_view name : position_names()) {
    SCOPED_TRACE(name);
    expect_survives(tiny_translator(std::string(name)));
  }
}

// Parts of both halves, alone and together.
TEST_F(TranslatorFamily, EveryPartSurvives) {
  using Change = std::function<void(ModelConfig&)>;
  const std::vector<std::pair<const char*, Change>> changes{
      {"pre-norm", [](ModelConfig& half) { half.norms = kPreNorms; }},
      {"pre-norm after a norm of embeddings",
       [](ModelConfig& half) {
         half.norms = kPreNorms;
         half.norms.embedding = true;
       }},
      {"post-norm without one", [](ModelConfig& half) { half.norms.embedding = false; }},
      {"embedding scale", [](ModelConfig& half) { half.embedding_scale = std::sqrt(16.0); }},
      {"irrational scale", [](ModelConfig& half) { half.embedding_scale = std::sqrt(15.0); }},
      {"plain output", [](ModelConfig& half) { half.head_transform = false; }},
      {"biased output", [](ModelConfig& half) { half.head_transform = false, half.output_bias = true; }},
      {"untied", [](ModelConfig& half) { half.tied = false; }},
      {"untied plain output", [](ModelConfig& half) { half.tied = half.head_transform = false; }},
      {"RMS norms", [](ModelConfig& half) { half.norm = NormKind::rms_with_gain, half.norms = kPreNorms; }},
      {"gates", [](ModelConfig& half) { half.gated = true, half.activation = Activation::silu; }},
      {"no biases", [](ModelConfig& half) { half.biased = false; }},
      {"token types", [](ModelConfig& half) { half.segments = 2; }},
      {"projected embeddings", [](ModelConfig& half) { half.embedding = 6; }},
      {"linear attention", [](ModelConfig& half) { half.attention = {AttentionKind::linear_elu}; }},
      {"rotated values", [](ModelConfig& half) { std::get<RotaryPosition>(half.position).rotate_values = true; }},
  };
  for (const auto& [name, change] : changes) {
    for (const bool shared : {false, true}) {
      SCOPED_TRACE(std::string(name) + (shared ? ", shared" : ""));
      ModelConfig encoder = translator_half("rotary"), decoder = encoder;
      change(encoder);
      change(decoder);
      ModelConfig config = joined_halves(encoder, decoder);
      config.shared_words = shared;
      complete(config, "");
      expect_survives(config);
    }
  }
}

TEST_F(TranslatorFamily, HalvesMayDiffer) {
  ModelConfig encoder = translator_half("t5"), decoder = translator_half("xpos");
  encoder.norms = kPreNorms;
  encoder.layers = 3;
  encoder.vocabulary = 40;
  decoder.rotate_cross_queries = false;
  decoder.hidden_dropout = 0.3;
  ModelConfig config = joined_halves(encoder, decoder);
  complete(config, "");
  expect_survives(config);
  const ModelConfig read = read_config(JsonObject(write_config(config), "written"));
  EXPECT_EQ(read.family, &families::translator);
  EXPECT_EQ(read.encoder->norms, kPreNorms);
  EXPECT_EQ(read.norms, kPostNorms);
  EXPECT_EQ(position_name(read.encoder->position), "t5");
  EXPECT_EQ(position_name(read.position), "xpos");
  EXPECT_EQ(read.hidden_dropout, 0.3);
  EXPECT_EQ(read.start_id, 28);
}

// The keys, and what keeps transformers from loading such a model as another.
TEST_F(TranslatorFamily, KeysSayWhatItIs) {
  ModelConfig encoder = translator_half("rotary"), decoder = encoder;
  for (ModelConfig* half : {&encoder, &decoder}) {
    half->norms = kPreNorms;
    half->embedding_scale = 4;
  }
  decoder.head_transform = false;
  ModelConfig config = joined_halves(encoder, decoder);
  config.shared_words = true;
  complete(config, "");
  const Json json = write_config(config);
  EXPECT_EQ(json.at("model_type"), "roformer_translator");
  EXPECT_EQ(json.at("architectures"), Json({"RoFormerTranslator"}));
  EXPECT_EQ(json.at("share_encoder_decoder_embeddings"), true);
  for (const char* name : {"encoder", "decoder"}) {
    const Json& half = json.at(name);
    EXPECT_EQ(half.at("model_type"), "roformer_variant");
    EXPECT_EQ(half.at("position_embedding_type"), "rotary");
    EXPECT_EQ(half.at("norm_placement"), "pre");
    EXPECT_EQ(half.at("embedding_norm"), false);
    EXPECT_EQ(half.at("embedding_scale"), 4);
    EXPECT_EQ(half.at("type_vocab_size"), 0);
    EXPECT_EQ(half.contains("prediction_transform"), half.contains("is_decoder"));
  }
  EXPECT_EQ(json.at("decoder").at("prediction_transform"), false);
  EXPECT_EQ(json.at("decoder").at("prediction_bias"), false);
  Json other = json;
  other["decoder"]["model_type"] = "roformer";
  try {
    read_config(JsonObject(other, "config.json"));
    ADD_FAILURE() << "a half of another type is accepted";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("'decoder': 'model_type' is \"roformer\", expected \"roformer_variant\""));
  }
}

TEST_F(TranslatorFamily, RefusesWhatItCannotSay) {
  const auto refusal = [](const std::function<void(ModelConfig&)>& change) -> std::string {
    ModelConfig config = joined_halves(translator_half("rotary"), translator_half("rotary"));
    change(config);
    try {
      complete(config, "");
    } catch (const UsageError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(refusal([](ModelConfig&) {}), "");
  EXPECT_THAT(refusal([](ModelConfig& config) { config.norms.sublayer.output = true; }), HasSubstr("norms are before"));
  EXPECT_THAT(refusal([](ModelConfig& config) { config.kv_heads = 1; }), HasSubstr("grouped key and value heads"));
  EXPECT_THAT(refusal([](ModelConfig& config) { config.windows = {{.before = 3}}; }), HasSubstr("windows"));
  EXPECT_THAT(refusal([](ModelConfig& config) { config.cross_attention = false; }), HasSubstr("is to have"));
  EXPECT_THAT(refusal([](ModelConfig& config) { config.encoder = nullptr; }), HasSubstr("is an encoder-decoder"));
  EXPECT_THAT(refusal([](ModelConfig& config) { config.start_id = 29; }), HasSubstr("expected 0 to 28"));
  EXPECT_THAT(refusal([](ModelConfig& config) {
                config.shared_words = true;
                config.vocabulary = 31;
              }),
              HasSubstr("shared embeddings"));
}

}  // namespace
}  // namespace roformer::test
