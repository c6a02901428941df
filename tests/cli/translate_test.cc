// translate as scripts see it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "generation/translator.h"
#include "models/save_model.h"
#include "tests/cli/program.h"
#include "text/translation_tokenizers.h"

namespace roformer::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class TranslateCommand : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto tokenizers = load_translation_tokenizers(ROFORMER_SOURCE_DIR "/tests/fixtures/marian/shared");
    const int64_t words = tokenizers.target->vocabulary_size(), pad = tokenizers.target->pad_id();
    const Json json = {{"model_type", "marian"},        {"architectures", {"MarianMTModel"}},
                       {"vocab_size", words},           {"d_model", 16},
                       {"encoder_layers", 1},           {"decoder_layers", 1},
                       {"encoder_attention_heads", 2},  {"decoder_attention_heads", 2},
                       {"encoder_ffn_dim", 24},         {"decoder_ffn_dim", 24},
                       {"pad_token_id", pad},           {"init_std", 0.7},
                       {"decoder_start_token_id", pad}, {"forced_eos_token_id", 0},
                       {"scale_embedding", true}};
    Model model(*backend_, read_config(JsonObject(json, "config.json")), false);
    model.initialize({5, 0});
    save_model(model, tokenizers.source->files(), directory_ / "model");
  }
  Arguments command(const Arguments& more) const {
    return Arguments{"translate", "--model", directory_ / "model", "--threads", "1", "--max-new-tokens", "9"} + more;
  }
  Arguments scoring(const Arguments& more) const {
    return Arguments{"translate", "--model", directory_ / "model", "--threads", "1"} + more;
  }
  std::string file(const std::string& name, const std::string& text) const {
    std::ofstream(directory_ / name) << text;
    return directory_ / name;
  }

  TempDirectory directory_;
  ThreadPool pool_{1};
  std::unique_ptr<Backend> backend_ = make_reference_backend(pool_);
};

TEST_F(TranslateCommand, LinesInLinesOut) {
  const std::string input = file("input", "a man\n\nthe house is small\n   \na man\n");
  const auto lines = json_lines(succeed(command({"--input", input, "--json"})));
  ASSERT_THAT(lines, SizeIs(5));
  EXPECT_THAT(keys(lines[0]), ElementsAre("ids", "score", "text"));
  EXPECT_EQ(lines[4], lines[0]);
  EXPECT_EQ(lines[1]["text"], "");
  EXPECT_THAT(lines[3]["ids"], SizeIs(0));
  std::string plain;
  for (const Json& line : lines) plain += line["text"].get<std::string>() + "\n";
  EXPECT_EQ(succeed(command({"--input", input})), plain);
  EXPECT_EQ(succeed(command({"--input", input, "--batch-tokens", "1"})), plain);
}

TEST_F(TranslateCommand, CandidatesBestFirst) {
  const auto lines = json_lines(succeed(command({"--json", "--n-best", "3", "a man"})));
  const Json& all = lines.front()["candidates"];
  ASSERT_THAT(all, SizeIs(3));
  EXPECT_EQ(all[0]["ids"], lines.front()["ids"]);
  EXPECT_GE(all[0]["score"], all[1]["score"]);
  EXPECT_THAT(succeed(command({"--n-best", "2", "a man"})), HasSubstr("\n1\t"));
}

TEST_F(TranslateCommand, LongLinesAreDividedAtSentences) {
  const auto whole = [&](const std::string& line, const char* limit) {
    return json_lines(succeed(command({"--json", "--max-source-tokens", limit, line}))).front();
  };
  const Json first = whole("a man.", "512"), second = whole("the house is small.", "512");
  const Json both = whole("a man. the house is small.", "15");
  EXPECT_EQ(both["text"], first["text"].get<std::string>() + " " + second["text"].get<std::string>());
  EXPECT_NEAR(both["score"].get<double>(), first["score"].get<double>() + second["score"].get<double>(), 1e-6);
}

TEST_F(TranslateCommand, ScoresGivenTranslations) {
  const std::string input = file("input", "a man\nthe house\n"), targets = file("targets", "der Mann\ndas Haus\n");
  const auto lines = json_lines(succeed(scoring({"--input", input, "--score", targets, "--json"})));
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_THAT(keys(lines[0]), ElementsAre("log_probability", "score", "tokens"));
  const double tokens = lines[0]["tokens"], sum = lines[0]["log_probability"];
  EXPECT_NEAR(lines[0]["score"].get<double>(), sum / std::pow(tokens, 0.6), 1e-9);
  expect_refused({"translate", "--model", directory_ / "model", "--input", input, "--score", targets, "--beam", "2"}, 2,
                 {"--score does not search: expected no --beam"});
  expect_refused(scoring({"--input", input, "--score", file("one", "der Mann\n")}), 1,
                 {"has 2 lines, " + (directory_ / "one") + " has 1 line: expected a translation of each line"});
}

TEST_F(TranslateCommand, WarnsOfRepetition) {
  EXPECT_THAT(run(command({"--max-new-tokens", "60", "--beam", "1", "a man"})).error,
              HasSubstr("1 of 1 translations repeat themselves"));
  EXPECT_EQ(run(command({"--max-new-tokens", "60", "--beam", "1", "--no-repeat-ngram", "3", "a man"})).error, "");
}

TEST_F(TranslateCommand, OtherCommandsAndOtherModels) {
  const std::string model = directory_ / "model", other = ROFORMER_SOURCE_DIR "/tests/fixtures/small_ragged";
  expect_refused({"generate", "--model", model, "--prompt", "a"}, 1, {"encoder-decoder"});
  expect_refused({"embed", "--model", model, "a"}, 1, {"encoder-decoder"});
  expect_refused({"translate", "--model", other, "a"}, 1, {});
  expect_refused(command({"--beam", "2", "--n-best", "3", "a"}), 2, {"--n-best is 3, expected 1 to the number"});
}

// A RoFormer as transformers has it, and the same in this project's own format.
class TranslateRoFormers : public TranslateCommand {
 protected:
  void SetUp() override {
    const auto tokenizers = load_translation_tokenizers(ROFORMER_SOURCE_DIR "/tests/fixtures/marian/shared");
    const int64_t words = tokenizers.target->vocabulary_size(), pad = tokenizers.target->pad_id();
    Json half = {{"model_type", "roformer"}, {"vocab_size", words},      {"hidden_size", 16},
                 {"num_hidden_layers", 1},   {"num_attention_heads", 2}, {"intermediate_size", 24},
                 {"initializer_range", 0.7}, {"pad_token_id", pad}};
    Json config = {{"model_type", "encoder-decoder"},
                   {"architectures", {"EncoderDecoderModel"}},
                   {"encoder", half},
                   {"decoder", half},
                   {"decoder_start_token_id", pad},
                   {"pad_token_id", pad},
                   {"eos_token_id", 0},
                   {"share_encoder_decoder_embeddings", true}};
    config["decoder"].update(Json{{"is_decoder", true}, {"add_cross_attention", true}});
    save(config, tokenizers, "roformer");
    for (const char* name : {"encoder", "decoder"}) config[name]["model_type"] = "roformer_variant";
    config.update(Json{{"model_type", "roformer_translator"}, {"architectures", {"RoFormerTranslator"}}});
    save(config, tokenizers, "own");
  }
  void save(const Json& config, const TranslationTokenizers& tokenizers, const std::string& name) const {
    Model model(*backend_, read_config(JsonObject(config, "config.json")), false);
    model.initialize({5, 0});
    auto files = tokenizers.source->files();
    files["generation_config.json"] = generation_config(model.config(), {.beams = 3, .longest = 9});
    save_model(model, files, directory_ / name);
  }
  std::string translated(const std::string& name) const {
    const Arguments all{"translate", "--model", directory_ / name, "--threads", "1", "--json", "a man", "the house"};
    return succeed(all);
  }
};

TEST_F(TranslateRoFormers, BothFormsAlike) {
  const std::string lines = translated("roformer");
  ASSERT_THAT(json_lines(lines), SizeIs(2));
  EXPECT_EQ(translated("own"), lines);
  const std::string ids = file("ids.json", R"({"input_ids": [[3, 5, 0]], "decoder_input_ids": [[2, 4]]})");
  for (const std::string name : {"roformer", "own"}) {
    const std::string copy = directory_ / (name + "_copy");
    EXPECT_THAT(succeed({"convert", "--input", directory_ / name, "--output", copy}), HasSubstr("values equal"));
    EXPECT_EQ(translated(name + "_copy"), lines);
    EXPECT_THAT(succeed({"forward", "--model", copy, "--ids", ids, "--output", directory_ / "out"}),
                HasSubstr("1 seq"));
    EXPECT_THAT(succeed({"inspect", "--model", copy}), HasSubstr("\nencoder "));
    expect_refused({"convert", "--input", copy, "--output", directory_ / "half", "--rotary-layout", "half"}, 2,
                   {"the weights of an encoder-decoder stay as they are"});
  }
}

}  // namespace
}  // namespace roformer::test
