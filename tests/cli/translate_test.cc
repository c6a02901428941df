// translate as scripts see it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

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

TEST_F(TranslateCommand, Samples) {
  const std::string input = file("input", "a man\nthe house is small\n\na man\n");
  const Arguments sampled = {"--sample", "--seed", "3", "--n-best", "2", "--json", "--input", input};
  const auto lines = json_lines(succeed(command(sampled)));
  ASSERT_THAT(lines, SizeIs(4));
  EXPECT_THAT(lines[0]["candidates"], SizeIs(2));
  EXPECT_NE(lines[0]["candidates"][0]["ids"], lines[0]["candidates"][1]["ids"]);
  EXPECT_NE(lines[3]["ids"], lines[0]["ids"]);  // each line has its own random numbers
  EXPECT_EQ(json_lines(succeed(command(sampled + Arguments{"--threads", "3"}))), lines);
  const auto alone = json_lines(succeed(command(sampled + Arguments{"--batch-tokens", "1"})));
  for (size_t i = 0; i < lines.size(); ++i) EXPECT_EQ(alone[i]["ids"], lines[i]["ids"]);
  EXPECT_NE(json_lines(succeed(command(sampled + Arguments{"--seed", "4"}))), lines);
  const auto greedy = json_lines(succeed(command({"--beam", "1", "--json", "--input", input})));
  const auto coldest = json_lines(succeed(command({"--sample", "--temperature", "0", "--json", "--input", input})));
  for (size_t i = 0; i < greedy.size(); ++i) EXPECT_EQ(coldest[i]["ids"], greedy[i]["ids"]);
  expect_refused(command({"--top-k", "3", "a"}), 2, {"--top-k requires --sample"});
  expect_refused(command({"--sample", "--beam", "3", "a"}), 2, {"--sample does not search: expected no --beam"});
}

TEST_F(TranslateCommand, Prefixes) {
  const std::string input = file("input", "a man\n\nthe house\n");
  const auto lines =
      json_lines(succeed(command({"--json", "--input", input, "--prefix", file("prefix", "der Mann \n\ndas Ha\n")})));
  EXPECT_THAT(lines[0]["text"].get<std::string>() + " ", ::testing::StartsWith("der Mann "));
  EXPECT_EQ(lines[1]["text"], "");
  EXPECT_THAT(lines[2]["text"].get<std::string>(), ::testing::StartsWith("das Ha"));
  EXPECT_EQ(succeed(command({"--input", input, "--prefix", file("none", "\n\n\n")})),
            succeed(command({"--input", input})));
  expect_refused(
      command({"--input", input, "--prefix", file("two", "a\nb\n")}), 1,
      {directory_ / "input", "has 3 lines", directory_ / "two", "has 2 lines: expected a prefix of each line"});
  expect_refused(command({"--prefix", file("two", "a\nb\n"), "a", "b", "c"}), 1,
                 {directory_ / "two", "has 2 lines, the input more"});
  EXPECT_EQ(run(command({"--prefix", file("two", "a\nb\n"), "a"})).exit_code, 1);
  expect_refused(command({"--prefix", "-"}), 2, {"only one of the files can be standard input"});
}

TEST_F(TranslateCommand, Alignment) {
  const std::string input = file("input", "a man\nthe house is small.\n\n");
  const auto lines = json_lines(succeed(command({"--alignment", "--json", "--input", input})));
  const std::vector<size_t> words = {2, 4, 0};
  std::string plain;
  for (size_t i = 0; i < lines.size(); ++i) {
    const std::string text = lines[i]["text"];
    std::set<size_t> aligned;
    std::string pairs;
    for (const Json& pair : lines[i]["alignment"]) {
      EXPECT_LT(pair[0].get<size_t>(), words[i]);
      aligned.insert(pair[1].get<size_t>());
      pairs +=
          (pairs.empty() ? "" : " ") + std::to_string(pair[0].get<int>()) + "-" + std::to_string(pair[1].get<int>());
    }
    std::istringstream split(text);
    const std::vector<std::string> target{std::istream_iterator<std::string>(split), {}};
    EXPECT_EQ(aligned.size(), target.size()) << text;  // each word to one or more
    plain += text + " ||| " + pairs + "\n";
  }
  EXPECT_EQ(succeed(command({"--alignment", "--input", input})), plain);
  EXPECT_EQ(succeed(command({"--alignment", "--input", input, "--batch-tokens", "1"})), plain);
  expect_refused(command({"--alignment", "--alignment-layer", "2", "a"}), 2,
                 {"--alignment-layer is 2, expected 1 to the decoder's 1"});
  expect_refused(command({"--alignment-layer", "1", "a"}), 2, {"--alignment-layer requires --alignment"});
}

// The tags of a source are in its translation, which is that of the text without them.
TEST_F(TranslateCommand, Markup) {
  const std::string marked =
      file("marked", "a <b>man</b>\nthe <a href=\"x y\">house <i>is</i></a><br/> small &amp; a\n<hr/>\na < man\n");
  const std::string plain = file("plain", "a man\nthe house is small & a\n\na < man\n");
  const auto with = json_lines(succeed(command({"--markup", "--json", "--input", marked})));
  const auto without = json_lines(succeed(command({"--json", "--input", plain})));
  ASSERT_EQ(with.size(), without.size());
  for (size_t i = 0; i < with.size(); ++i) EXPECT_EQ(with[i]["ids"], without[i]["ids"]) << i;
  const std::string text = with[1]["text"];
  for (const char* tag : {"<a href=\"x y\">", "<i>", "</i>", "</a>", "<br/>"}) {
    EXPECT_NE(text.find(tag), text.npos) << text;
    EXPECT_EQ(text.find(tag), text.rfind(tag)) << text;
  }
  EXPECT_EQ(with[2]["text"], "<hr/>");
  const Outcome crossed = run(command({"--markup", "--max-new-tokens", "3", "a <b>man <i>x</b> y</i>"}));
  EXPECT_THAT(crossed.error, HasSubstr("1 of 1 lines have tags that do not nest or lack a partner, the first \"<i>\""));
  for (const char* tag : {"<b>", "<i>", "</i>", "</b>"}) EXPECT_THAT(crossed.output, HasSubstr(tag));
  // Of a line in parts.
  const std::string parts =
      succeed(command({"--markup", "--max-source-tokens", "15", "<u>a <b>man</b>.</u> the <i>house</i> is small."}));
  for (const char* tag : {"<u>", "</u>", "<b>", "</b>", "<i>", "</i>"}) EXPECT_THAT(parts, HasSubstr(tag));
}

TEST_F(TranslateCommand, CoverageIsPartOfScores) {
  const std::string input = file("input", "the house is small\n"), targets = file("targets", "er\n");
  const Arguments given = {"--json", "--input", input, "--score", targets};
  const Json plain = json_lines(succeed(scoring(given))).front();
  const auto covering = [&](const char* penalty) {
    const Json line = json_lines(succeed(scoring(given + Arguments{"--coverage-penalty", penalty}))).front();
    EXPECT_EQ(line["log_probability"], plain["log_probability"]);
    return line["score"].get<double>() - plain["score"].get<double>();
  };
  EXPECT_LT(covering("0.5"), 0);
  EXPECT_NEAR(covering("1"), 2 * covering("0.5"), 1e-9);
  const auto search = [&](const char* penalty) {
    return json_lines(
        succeed(command({"--coverage-penalty", penalty, "--max-new-tokens", "2", "--json", "--input", input})));
  };
  EXPECT_LT(search("1").front()["score"], search("0").front()["score"]);
}

// Number types of products change scores by their rounding, and little of the translations.
TEST_F(TranslateCommand, NumberTypes) {
  const std::string input = file("input", sentences(20)), targets = file("targets", sentences(20, 2));
  const auto scores_in = [&](const char* dtype) {
    std::vector<double> scores;
    for (const Json& line :
         json_lines(succeed(scoring({"--dtype", dtype, "--json", "--input", input, "--score", targets})))) {
      scores.push_back(line["log_probability"].get<double>() / line["tokens"].get<double>());
    }
    return scores;
  };
  const auto exact = scores_in("float32");
  for (const auto& [dtype, bound] : {std::pair("bfloat16", 0.05), std::pair("int8", 0.2)}) {
    const auto scores = scores_in(dtype);
    ASSERT_EQ(scores.size(), exact.size());
    double error = 0, spread = 0, mean = 0;
    for (const double score : exact) mean += score / static_cast<double>(exact.size());
    for (size_t i = 0; i < exact.size(); ++i) {
      error += std::abs(scores[i] - exact[i]);
      spread += std::abs(exact[i] - mean);
    }
    EXPECT_GT(error, 0);  // it is another type
    EXPECT_LT(error, bound * spread) << dtype;
    EXPECT_THAT(json_lines(succeed(command({"--dtype", dtype, "--json", "--input", input}))), SizeIs(exact.size()));
  }
}

TEST_F(TranslateCommand, AVocabularyOfAnotherModel) {
  const std::string model = directory_ / "model", path = model + "/vocab.json";
  Json vocabulary = Json::parse(content(path));
  const size_t tokens = vocabulary.size();
  vocabulary["more"] = tokens;
  put(path, vocabulary.dump());
  expect_refused(
      command({"a"}), 1,
      {"vocab.json has " + std::to_string(tokens + 1) + " tokens", "embeddings of " + std::to_string(tokens)});
}

TEST_F(TranslateCommand, LinesOfManyWordsAndUnseenCharacters) {
  std::string line;
  for (int i = 0; i < 10'000; ++i) line += i % 10 == 9 ? "small. " : "house ";
  const std::string input = file("input", line + "\n\u4e2d\u0416\U0001f600\n");
  const auto lines =
      json_lines(succeed(command({"--beam", "1", "--json", "--alignment", "--markup", "--input", input})));
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_GT(lines[0]["ids"].size(), 100u);
}

// As `translate … | head -1` has it.
TEST_F(TranslateCommand, AReaderThatLeaves) {
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += "a man\n";
  const std::string input = file("input", text), errors = directory_ / "errors";
  const std::string shell = std::string(ROFORMER_PROGRAM) +
                            " translate --threads 1 --beam 1 --max-new-tokens 2 --model " + (directory_ / "model") +
                            " --input " + input + " 2>" + errors + " | head -1 >" + (directory_ / "first");
  EXPECT_EQ(std::system(shell.c_str()), 0);
  EXPECT_EQ(content(errors), "");
  const std::string first = content(directory_ / "first");
  EXPECT_EQ(std::ranges::count(first, '\n'), 1);
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
