// embed, similarity, classify and fill-mask as scripts see them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <thread>

#include "models/save_model.h"
#include "tests/cli/program.h"
#include "tests/inference/head_models.h"

namespace roformer::test {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;

Child::Options with(const std::string& input) {
  Child::Options options;
  options.input = input;
  return options;
}

class TextCommands : public ::testing::Test {
 protected:
  std::string path(const std::string& name) const { return directory_ / name; }

  // A directory with a random model of this head.
  std::string model(Head head, const std::vector<std::string>& labels = {"no", "yes"},
                    Problem problem = Problem::single_label) {
    const std::string name = path("model" + std::to_string(models_++));
    save_model(random_model(*backend_, tokenizer_->vocabulary_size(), head, labels, problem), tokenizer_->files(),
               name);
    return name;
  }
  std::vector<Json> json(const Arguments& arguments, const std::string& input = {}) {
    return json_lines(succeed(arguments + Arguments{"--json", "--threads", "1"}, with(input)));
  }

  TempDirectory directory_;
  ThreadPool pool_{1};
  std::unique_ptr<Backend> backend_ = make_reference_backend(pool_);
  std::unique_ptr<Tokenizer> tokenizer_ = train_byte();
  int models_ = 0;
};

TEST_F(TextCommands, EmbedGivesVectorsAndTokens) {
  const std::string directory = model(Head::none);
  const auto lines = json({"embed", "--model", directory}, "abc\n\nd");
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_THAT(keys(lines[0]), ElementsAre("embedding", "tokens"));
  EXPECT_EQ(lines[0]["embedding"].size(), 8u);
  EXPECT_EQ(lines[0]["tokens"], 5);
  EXPECT_EQ(lines[1]["tokens"], 2);
  double squares = 0;
  const auto normalized = json({"embed", "--model", directory, "--normalize", "abc"});
  for (const Json& value : normalized[0]["embedding"]) squares += value.get<double>() * value.get<double>();
  EXPECT_NEAR(squares, 1, 1e-6);
  const std::string plain = succeed({"embed", "--model", directory, "abc"});
  EXPECT_EQ(std::count(plain.begin(), plain.end(), ' '), 7);
  EXPECT_THAT(plain, EndsWith("\n"));
  EXPECT_NE(succeed({"embed", "--model", directory, "--pooling", "cls", "abc"}), plain);
  EXPECT_EQ(json({"embed", "--model", directory, "--max-length", "3", "abc"})[0]["tokens"], 3);
  expect_refused({"embed", "--model", directory, "--pooling", "pooler", "abc"}, 1, {"pooler"});
  expect_refused({"embed", "--model", directory, "--pooling", "best", "abc"}, 2, {"--pooling", "cls"});
  expect_refused({"embed", "--model", directory, "--max-length", "1", "abc"}, 2, {"--max-length 1"});
}

TEST_F(TextCommands, EmbedGivesTheVectorsOfTokens) {
  const std::string directory = model(Head::none);
  const Arguments embed = {"embed", "--model", directory, "--pooling", "none"};
  const auto lines = json(embed, "ab\nc\n");
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_THAT(keys(lines[0]), ElementsAre("tokens", "vectors"));
  EXPECT_EQ(lines[0]["tokens"].size(), 4u);
  EXPECT_EQ(lines[0]["tokens"][0], "[CLS]");
  ASSERT_EQ(lines[0]["vectors"].size(), 4u);
  EXPECT_EQ(lines[0]["vectors"][1].size(), 8u);
  EXPECT_EQ(lines[1]["vectors"].size(), 3u);
  EXPECT_EQ(json({"embed", "--model", directory, "--pooling", "cls"}, "ab\nc\n")[0]["embedding"],
            lines[0]["vectors"][0]);
  const std::string plain = succeed(embed + Arguments{"ab", "c"});
  EXPECT_THAT(plain, ::testing::StartsWith("[CLS]\t"));
  EXPECT_EQ(std::count(plain.begin(), plain.end(), '\n'), 4 + 1 + 3 + 1);
  EXPECT_EQ(json(embed + Arguments{"--max-length", "3"}, "abcdef")[0]["vectors"].size(), 3u);
  expect_refused(embed + Arguments{"--output", path("v.npy"), "a"}, 2, {"--output", "--pooling none", "--json"});
  expect_refused({"similarity", "--model", directory, "--pooling", "none", "a", "b"}, 2, {"--pooling"});
}

TEST_F(TextCommands, EmbedWritesOneTensor) {
  const std::string directory = model(Head::none);
  const Outcome written = run({"embed", "--model", directory, "--output", path("v.npy"), "a", "b", "c"});
  EXPECT_EQ(written.exit_code, 0);
  EXPECT_EQ(written.output, "");
  EXPECT_THAT(written.error, ::testing::ContainsRegex("wrote 3 vectors of 8 dimensions to .*v.npy in [0-9.]+ s "
                                                      "\\([0-9.kM]+ texts/s\\)\n$"));
  EXPECT_EQ(content(path("v.npy")).size(), 128u + 3 * 8 * sizeof(float));
  EXPECT_EQ(succeed({"embed", "--model", directory, "--output", path("v.safetensors"), "a", "b", "c"}), "");
  EXPECT_EQ(content(path("v.safetensors")).substr(128), content(path("v.npy")).substr(128));
  expect_refused({"embed", "--model", directory, "--output", path("w.npy"), "\xff"}, 1, {"text 1"});
  EXPECT_FALSE(exists(path("w.npy")));
  expect_refused({"embed", "--model", directory, "--output", path("v.txt"), "a"}, 2, {"v.txt", ".npy"});
}

// What sentence-transformers' files say wins over the defaults, and the options over both.
TEST_F(TextCommands, EmbedDoesWhatTheDirectorySays) {
  const std::string directory = model(Head::none);
  const Arguments embed = {"embed", "--model", directory, "a longer text"};
  const std::string mean = succeed(embed), cls = succeed(embed + Arguments{"--pooling", "cls"});
  const std::string normalized = succeed(embed + Arguments{"--pooling", "cls", "--normalize", "--max-length", "4"});
  put(directory + "/modules.json",
      R"([{"type": "Transformer", "path": ""}, {"type": "Pooling", "path": "1_Pooling"}, {"type": "Normalize"}])");
  put(directory + "/sentence_bert_config.json", R"({"max_seq_length": 4})");
  std::filesystem::create_directory(directory + "/1_Pooling");
  put(directory + "/1_Pooling/config.json", R"({"pooling_mode_cls_token": true})");
  EXPECT_EQ(succeed(embed), normalized);
  EXPECT_EQ(succeed(embed + Arguments{"--normalize=false", "--max-length", "0"}), cls);
  EXPECT_EQ(succeed(embed + Arguments{"--pooling", "mean", "--normalize=false", "--max-length", "0"}), mean);
  EXPECT_EQ(run(embed).error.find("not understood"), std::string::npos);
  put(directory + "/1_Pooling/config.json", R"({"pooling_mode": "median"})");
  expect_refused(embed, 1, {"1_Pooling/config.json", "median"});
  put(directory + "/1_Pooling/config.json", R"({"pooling_mode": "cls", "warmth": 3})");
  EXPECT_THAT(run(embed).error, HasSubstr("1_Pooling/config.json: not understood and ignored: \"warmth\"\n"));
}

// A directory whose transformer is in a folder is opened by every command, which says once that texts are cut.
TEST_F(TextCommands, TheTransformerMayBeInAFolder) {
  const std::string plain = model(Head::masked_lm), directory = path("sentences");
  std::filesystem::create_directory(directory);
  std::filesystem::copy(plain, directory + "/0_Transformer");
  put(directory + "/config.json", R"({"__version__": "0.3.8"})");
  put(directory + "/modules.json",
      R"([{"type": "sentence_transformers.models.Transformer", "path": "0_Transformer"}])");
  put(directory + "/0_Transformer/sentence_bert_config.json", R"({"max_seq_length": 5})");
  const Arguments texts = {"ab", "abcdef", "abcdefg"};
  const Outcome cut = run(Arguments{"embed", "--model", directory} + texts);
  EXPECT_EQ(cut.output, succeed(Arguments{"embed", "--model", plain, "--max-length", "5"} + texts));
  EXPECT_EQ(
      cut.error,
      "roformer: text 2: 8 tokens, truncated to 5 (the model directory's max_seq_length), as is every longer text; "
      "--max-length N sets another limit (0: none)\n");
  EXPECT_EQ(run(Arguments{"embed", "--model", directory, "--max-length", "6"} + texts).error, "");
  for (const char* command : {"fill-mask", "tokenize"}) {
    EXPECT_EQ(succeed({command, "--model", directory, "[MASK] a"}), succeed({command, "--model", plain, "[MASK] a"}));
  }
  EXPECT_THAT(succeed({"inspect", "--model", directory}), HasSubstr("truncated to 5 tokens"));
  std::filesystem::remove_all(directory + "/0_Transformer");
  expect_refused({"fill-mask", "--model", directory, "a"}, 1, {"modules.json", "0_Transformer"});
}

TEST_F(TextCommands, PromptsStandBeforeTexts) {
  const std::string directory = model(Head::none);
  const auto embed = [&](const Arguments& more) { return succeed(Arguments{"embed", "--model", directory} + more); };
  const std::string plain = embed({"abc"}), prompted = embed({"q: abc"});
  EXPECT_EQ(embed({"--prompt", "q: ", "abc"}), prompted);
  put(directory + "/modules.json", R"([{"type": "sentence_transformers.models.Transformer", "path": ""}])");
  put(directory + "/config_sentence_transformers.json",
      R"({"prompts": {"mine": "q: ", "query": "?"}, "default_prompt_name": "mine"})");
  EXPECT_EQ(embed({"abc"}), prompted);
  EXPECT_EQ(embed({"--prompt-name", "query", "abc"}), embed({"--prompt", "?", "abc"}));
  EXPECT_EQ(embed({"--prompt", "", "abc"}), plain);
  EXPECT_EQ(embed({"--prompt-name", "document", "abc"}), plain);  // every model of that library has it
  const Arguments wrong = {"embed", "--model", directory, "--prompt-name", "other", "abc"};
  expect_refused(wrong, 2, {"--prompt-name \"other\"", "\"mine\""});
  expect_refused({"embed", "--model", directory, "--prompt-name", "mine", "--prompt", "a", "b"}, 2, {"--prompt"});
  const std::string three = embed({"--dimensions", "3", "abc"});
  EXPECT_TRUE(prompted.starts_with(three.substr(0, three.size() - 1) + " ")) << three;
  expect_refused({"embed", "--model", directory, "--dimensions", "9", "abc"}, 2, {"--dimensions"});
}

TEST_F(TextCommands, SimilarityIsWhatTheDirectoryNames) {
  const std::string directory = model(Head::none);
  put(directory + "/modules.json", R"([{"type": "sentence_transformers.models.Transformer", "path": ""}])");
  put(directory + "/config_sentence_transformers.json", R"({"similarity_fn_name": "manhattan"})");
  const auto vectors = json({"embed", "--model", directory, "abc", "xyz"});
  double distance = 0;
  for (size_t i = 0; i < 8; ++i) {
    distance += std::abs(vectors[0]["embedding"][i].get<double>() - vectors[1]["embedding"][i].get<double>());
  }
  EXPECT_NEAR(json({"similarity", "--model", directory, "abc", "xyz"})[0]["similarity"].get<double>(), -distance, 1e-5);
}

// A cross-encoder's one logit goes through the function that its directory names, else through a sigmoid.
TEST_F(TextCommands, OneLabelHasAScore) {
  const std::string directory = model(Head::sequence_classification, {"score"}, Problem::regression);
  const Arguments classify = {"classify", "--model", directory, "--pair", "abc\txyz"};
  const double logit = json(classify)[0]["scores"]["score"];
  Json config = Json::parse(content(directory + "/config.json"));
  config.erase("problem_type");
  put(directory + "/config.json", config.dump());
  EXPECT_NEAR(json(classify)[0]["scores"]["score"].get<double>(), 1 / (1 + std::exp(-logit)), 1e-6);
  EXPECT_EQ(json(classify)[0]["label"], "score");
  EXPECT_THAT(succeed(classify), ::testing::MatchesRegex("[01]\\.[0-9]+ score\n"));
  config["sentence_transformers"] = {{"activation_fn", "torch.nn.modules.activation.Tanh"}};
  put(directory + "/config.json", config.dump());
  EXPECT_EQ(run(classify).error, "");
  EXPECT_NEAR(json(classify)[0]["scores"]["score"].get<double>(), std::tanh(logit), 1e-6);
  config["sentence_transformers"] = {{"activation_fn", "my.Softmax"}};
  put(directory + "/config.json", config.dump());
  expect_refused(classify, 1, {"activation_fn", "my.Softmax"});
}

// Texts beyond learned positions are cut by embed and by sequence classification, unless told not to be.
TEST_F(TextCommands, TextsEndWithLearnedPositions) {
  ModelConfig config = random_model(*backend_, tokenizer_->vocabulary_size(), Head::none).config();
  config.position = LearnedPosition{};
  config.max_positions = 6;
  Model learned(*backend_, config, false);
  learned.initialize({1, 0});
  save_model(learned, tokenizer_->files(), path("learned"));
  const Arguments embed = {"embed", "--model", path("learned"), "--json", "abcdefgh"};
  const Outcome cut = run(embed);
  EXPECT_EQ(json_lines(cut.output).at(0)["tokens"], 6);
  EXPECT_THAT(cut.error, HasSubstr("10 tokens, truncated to 6 (where the model's learned positions end"));
  EXPECT_EQ(run(embed + Arguments{"--max-length", "9"}).output, cut.output);
  expect_refused(embed + Arguments{"--max-length", "0"}, 1, {"10 tokens, expected at most 6"});
}

class OnErrors : public TextCommands {
 protected:
  OnErrors() {
    std::string lines;
    for (int i = 0; i < 60; ++i) lines += fmt::format("text {}\n", i * i);
    good_ = lines;
    bad_ = lines;
    bad_.replace(bad_.find("text 1600"), 9, "te\xff");  // line 41
  }
  Arguments embed(const std::string& output, const Arguments& more = {}) const {
    return Arguments{"embed", "--model", trunk_, "--batch-tokens", "100", "--output", path(output)} + more;
  }
  std::string rows(const std::string& name) const { return content(path(name)).substr(128); }

  const std::string trunk_ = model(Head::none);
  static constexpr size_t kRow = 8 * sizeof(float);
  std::string good_, bad_;
};

TEST_F(OnErrors, AStoppedFileIsContinued) {
  succeed(embed("whole.npy"), with(good_));
  const Outcome stopped = run(embed("v.npy"), with(bad_));
  EXPECT_EQ(stopped.exit_code, 1);
  EXPECT_THAT(stopped.error, HasSubstr("kept 40 vectors in "));
  EXPECT_THAT(stopped.error, HasSubstr("standard input:41: not valid UTF-8"));
  EXPECT_EQ(rows("v.npy").size(), 40 * kRow);
  EXPECT_THAT(content(path("v.npy")), HasSubstr("'shape': (40, 8)"));
  // The same again stops there again; with the line mended the bytes are those of one run.
  EXPECT_EQ(run(embed("v.npy"), with(bad_)).exit_code, 1);
  EXPECT_EQ(rows("v.npy").size(), 40 * kRow);
  EXPECT_EQ(run(embed("v.npy", {"--pooling", "cls"}), with(good_)).exit_code, 2);
  std::string other = good_;
  other[0] = 'T';
  EXPECT_THAT(run(embed("v.npy"), with(other)).error, HasSubstr("are not those of its unfinished run"));
  const Outcome continued = run(embed("v.npy"), with(good_));
  EXPECT_EQ(continued.exit_code, 0);
  EXPECT_THAT(continued.error, HasSubstr("continuing "));
  EXPECT_THAT(continued.error, HasSubstr("wrote 60 vectors"));
  EXPECT_TRUE(content(path("v.npy")) == content(path("whole.npy")));
  EXPECT_FALSE(exists(path("v.npy.progress")));
}

TEST_F(OnErrors, BadTextsAreSkippedOrEmpty) {
  const Outcome skipped = run(embed("skip.npy", {"--on-error", "skip"}), with(bad_));
  EXPECT_EQ(skipped.exit_code, 0);
  EXPECT_THAT(skipped.error, HasSubstr("standard input:41: not valid UTF-8 at byte 2; left out\n"));
  EXPECT_THAT(skipped.error, HasSubstr("left out 1 of 60 texts: number 41\n"));
  const Outcome empty = run(embed("empty.npy", {"--on-error", "empty"}), with(bad_));
  EXPECT_EQ(empty.exit_code, 0);
  EXPECT_THAT(empty.error, HasSubstr("no vectors for 1 of 60 texts: number 41\n"));
  const std::string less = rows("skip.npy"), all = rows("empty.npy");
  ASSERT_EQ(all.size(), 60 * kRow);
  EXPECT_TRUE(less == all.substr(0, 40 * kRow) + all.substr(41 * kRow));
  for (size_t i = 0; i < 8; ++i) {
    float value = 0;
    std::memcpy(&value, &all[40 * kRow + i * sizeof(float)], sizeof(float));
    EXPECT_TRUE(std::isnan(value));
  }
  // A run that was stopped goes on in either way.
  EXPECT_EQ(run(embed("v.npy"), with(bad_)).exit_code, 1);
  EXPECT_EQ(run(embed("v.npy", {"--on-error", "empty"}), with(bad_)).exit_code, 0);
  EXPECT_TRUE(rows("v.npy") == all);
}

TEST_F(OnErrors, LinesSayWhichTextHasNoVector) {
  const Arguments print = {"embed", "--model", trunk_};
  const auto lines = json(print + Arguments{"--on-error", "empty"}, "a\n\xff\nb\n");
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_TRUE(lines[1]["embedding"].is_null());
  EXPECT_THAT(lines[1]["error"].get<std::string>(), HasSubstr("standard input:2: "));
  EXPECT_EQ(lines[2]["embedding"].size(), 8u);
  EXPECT_EQ(json(print + Arguments{"--on-error", "skip"}, "a\n\xff\nb\n").size(), 2u);
  EXPECT_THAT(succeed(print + Arguments{"--on-error", "empty"}, with("\xff\n")), "nan nan nan nan nan nan nan nan\n");
  EXPECT_EQ(succeed(print + Arguments{"--on-error", "skip"}, with("\xff\n")), "");
}

TEST_F(OnErrors, TokenVectorsKeepTheirTexts) {
  const Arguments print = {"embed", "--model", trunk_, "--pooling", "none"};
  const auto lines = json(print + Arguments{"--on-error", "empty"}, "a\n\xff\nb\n");
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_TRUE(lines[1]["tokens"].is_null());
  EXPECT_THAT(lines[1]["error"].get<std::string>(), HasSubstr("standard input:2: "));
  const auto less = json(print + Arguments{"--on-error", "skip"}, "a\n\xff\nb\n");
  ASSERT_EQ(less.size(), 2u);
  EXPECT_EQ(less[1], lines[2]);
  EXPECT_EQ(succeed(print + Arguments{"--on-error", "empty"}, with("\xff\n")), "\n");
  EXPECT_EQ(run(print, with("\xff\n")).exit_code, 1);
}

// Lines of an archive are no texts, and damaged data has no next line.
TEST_F(OnErrors, FilesThatCannotBeReadEndTheCommand) {
  for (const auto& [content, message] :
       {std::pair("PK\x03\x04 a\nb\nc\n", "is a zip archive"), {"\x1F\x8B\x08 no gzip data\n", "gzip data"}}) {
    const Outcome outcome = run({"embed", "--model", trunk_, "--on-error", "skip"}, with(content));
    EXPECT_EQ(outcome.exit_code, 1) << message;
    EXPECT_THAT(outcome.error, HasSubstr(message));
    EXPECT_EQ(outcome.output, "");
  }
}

// Killed at any moment, a run that is started again gives the bytes of one that was not.
TEST_F(OnErrors, AKilledFileIsContinued) {
  put(path("lines"), sentences(kSanitized ? 3'000 : 30'000));
  const Arguments both = {"--input", path("lines"), "--threads", "1"};
  succeed(embed("whole.npy", both));
  Child child(embed("v.npy", both));
  child.wait_until([&] { return exists(path("v.npy.progress")); });
  child.send(SIGKILL);
  child.wait();
  succeed(embed("v.npy", both));
  EXPECT_TRUE(content(path("v.npy")) == content(path("whole.npy")));
  // Interrupted, it leaves what it has.
  Child interrupted(embed("i.npy", both));
  interrupted.wait_until([&] { return exists(path("i.npy.partial")); });
  interrupted.send(SIGINT);
  if (interrupted.wait().exit_code == 130) succeed(embed("i.npy", both));
  EXPECT_TRUE(content(path("i.npy")) == content(path("whole.npy")));
}

TEST_F(TextCommands, SimilarityIsTheCosineOfTheVectors) {
  const std::string directory = model(Head::none);
  const auto vectors = json({"embed", "--model", directory, "abc", "xyz"});
  double dot = 0, a = 0, b = 0;
  for (size_t i = 0; i < 8; ++i) {
    const double x = vectors[0]["embedding"][i], y = vectors[1]["embedding"][i];
    dot += x * y;
    a += x * x;
    b += y * y;
  }
  const double expected = dot / std::sqrt(a * b);
  const auto two = json({"similarity", "--model", directory, "abc", "xyz"});
  ASSERT_EQ(two.size(), 1u);
  EXPECT_THAT(keys(two[0]), ElementsAre("similarity"));
  EXPECT_NEAR(two[0]["similarity"].get<double>(), expected, 1e-6);
  const auto lines = json({"similarity", "--model", directory}, "abc\txyz\nabc\tabc\n");
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_NEAR(lines[0]["similarity"].get<double>(), expected, 1e-6);
  EXPECT_NEAR(lines[1]["similarity"].get<double>(), 1, 1e-6);
  expect_refused({"similarity", "--model", directory, "abc"}, 1, {"text 1", "no tab", "two arguments"});
  expect_refused({"similarity", "--model", directory, "a\tb", "c", "d"}, 1, {"text 2", "no tab"});
  EXPECT_EQ(json_lines(succeed({"similarity", "--model", directory, "--json", "-"}, with("abc\txyz\n"))).size(), 1u);
}

TEST_F(TextCommands, ClassifyGivesALabelAndScores) {
  const auto line = json({"classify", "--model", model(Head::sequence_classification, {"zz", "aa"}), "text"})[0];
  EXPECT_THAT(keys(line), ElementsAre("label", "scores"));
  EXPECT_THAT(keys(line["scores"]), ElementsAre("aa", "zz"));
  const double a = line["scores"]["aa"], z = line["scores"]["zz"];
  EXPECT_NEAR(a + z, 1, 1e-9);
  EXPECT_EQ(line["label"], a > z ? "aa" : "zz");

  const std::string multi = model(Head::sequence_classification, {"x", "y", "z"}, Problem::multi_label);
  const auto all = json({"classify", "--model", multi, "--threshold", "0", "text"})[0];
  EXPECT_EQ(all["labels"], Json({"x", "y", "z"}));
  EXPECT_EQ(json({"classify", "--model", multi, "--threshold", "1", "text"})[0]["labels"], Json::array());

  const std::string number = model(Head::sequence_classification, {"score"}, Problem::regression);
  const auto value = json({"classify", "--model", number, "--pair", "one\ttwo"})[0];
  EXPECT_TRUE(value["label"].is_number());
  EXPECT_EQ(value["label"], value["scores"]["score"]);
  expect_refused({"classify", "--model", number, "--pair", "one"}, 1, {"text 1", "expected a tab"});
}

TEST_F(TextCommands, ClassifyHasAFormForEveryHead) {
  const auto tokens = json({"classify", "--model", model(Head::token_classification), "ab"})[0]["tokens"];
  ASSERT_EQ(tokens.size(), 2u);
  EXPECT_THAT(keys(tokens[0]), ElementsAre("label", "offsets", "score", "token"));
  EXPECT_EQ(tokens[1]["offsets"], Json({1, 2}));
  const auto answer = json({"classify", "--model", model(Head::question_answering), "what?\tthis \"and\" that"})[0];
  EXPECT_THAT(keys(answer), ElementsAre("answer", "offsets", "score"));
  EXPECT_THAT("this \"and\" that", HasSubstr(answer["answer"].get<std::string>()));
  const Arguments question = {"classify", "--model", model(Head::question_answering),
                              "what?\tthis is a longer context"};
  const auto in_windows = json(question + Arguments{"--max-length", "16", "--stride", "3"})[0];
  EXPECT_THAT("this is a longer context", HasSubstr(in_windows["answer"].get<std::string>()));
  EXPECT_NE(in_windows["score"], json(question)[0]["score"]);
  expect_refused(question + Arguments{"--max-length", "16", "--stride", "16"}, 2, {"--stride", "--max-length"});
  expect_refused(question + Arguments{"--max-length", "8"}, 1, {"text 1", "the question"});
  const auto choice = json({"classify", "--model", model(Head::multiple_choice), "prompt\tone\ttwo"})[0];
  EXPECT_THAT(keys(choice), ElementsAre("choice", "label", "scores"));
  EXPECT_EQ(choice["choice"], choice["label"] == 0 ? "one" : "two");
  expect_refused({"classify", "--model", model(Head::none), "x"}, 1, {"no head", "sequence classification"});
  expect_refused({"classify", "--model", model(Head::sequence_classification, {"same", "same"}), "x"}, 1,
                 {"config.json", "\"same\" twice"});
}

TEST_F(TextCommands, FillMaskShowsTheFilledText) {
  const std::string directory = model(Head::masked_lm);
  const Json masks = json({"fill-mask", "--model", directory, "--top-k", "2", "a[MASK]"})[0]["masks"];
  ASSERT_EQ(masks[0].size(), 2u);
  const std::string one = succeed({"fill-mask", "--model", directory, "--top-k", "2", "a[MASK]"});
  EXPECT_THAT(one, ::testing::StartsWith("a[MASK]\n  0."));
  EXPECT_EQ(std::count(one.begin(), one.end(), '\n'), 3);
  EXPECT_THAT(one, HasSubstr(fmt::format("  {:<8.3g}  {}", masks[0][0]["score"].get<double>(),
                                         masks[0][0]["token"].get<std::string>())));
  const std::string two = succeed({"fill-mask", "--model", directory, "--top-k", "2", "a[MASK]b[MASK]"});
  EXPECT_EQ(std::count(two.begin(), two.end(), '\n'), 4);
  EXPECT_THAT(two, ::testing::ContainsRegex("\n  a.*b.*\n$"));
}

TEST_F(TextCommands, ResultsComeBeforeTheError) {
  const std::string trunk = model(Head::none), filler = model(Head::masked_lm);
  const Outcome embedded = run({"embed", "--model", trunk}, with("a\nb\n\xff\nc\n"));
  EXPECT_EQ(embedded.exit_code, 1);
  EXPECT_EQ(std::count(embedded.output.begin(), embedded.output.end(), '\n'), 2);
  EXPECT_EQ(embedded.error, "roformer: standard input:3: not valid UTF-8 at byte 0\n");
  const Outcome filled = run({"fill-mask", "--json", "--model", filler}, with("[MASK] b\nplain\n[MASK]\n"));
  EXPECT_EQ(filled.exit_code, 1);
  EXPECT_EQ(json_lines(filled.output).size(), 1u);
  EXPECT_EQ(filled.error, "roformer: standard input:2: no [MASK] in the text\n");
}

// Any number of threads and any size of batches gives lines in the order of the input; batches of other sizes differ by
// rounding only, and threads not at all.
TEST_F(TextCommands, OrderAndBitsDoNotDependOnThreads) {
  const std::string directory = model(Head::none);
  put(path("lines"), sentences(2000));
  const Arguments embed = {"embed", "--model", directory, "--input", path("lines"), "--batch-tokens", "300"};
  const std::string one = succeed(embed + Arguments{"--threads", "1"});
  EXPECT_EQ(one, succeed(embed + Arguments{"--threads", "3"}));
  EXPECT_EQ(std::count(one.begin(), one.end(), '\n'), std::ranges::count(content(path("lines")), '\n'));
}

TEST_F(TextCommands, InterruptedAfterWholeLines) {
  const std::string directory = model(Head::none);
  put(path("lines"), sentences(300'000));
  Child child({"embed", "--json", "--model", directory, "--input", path("lines"), "--threads", "1"});
  const auto begin = std::chrono::steady_clock::now();
  child.wait_until([&] { return std::chrono::steady_clock::now() - begin > std::chrono::milliseconds(500); });
  child.send(SIGINT);
  const Outcome outcome = child.wait();
  EXPECT_EQ(outcome.exit_code, 130);
  EXPECT_THAT(outcome.error, HasSubstr("roformer: interrupted"));
  if (!outcome.output.empty()) {
    EXPECT_EQ(outcome.output.back(), '\n');
  }
  for (const Json& line : json_lines(outcome.output)) EXPECT_EQ(line["embedding"].size(), 8u);
}

}  // namespace
}  // namespace roformer::test
