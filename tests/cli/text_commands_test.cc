// embed, similarity, classify and fill-mask as scripts see them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <cmath>
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
  expect_refused({"embed", "--model", directory, "--output", path("w.npy"), "a", "\xff"}, 1, {"text 2"});
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
  put(directory + "/1_Pooling/config.json", R"({"pooling_mode_lasttoken": true})");
  expect_refused(embed, 1, {"1_Pooling/config.json", "lasttoken", "--pooling"});
  EXPECT_EQ(succeed(embed + Arguments{"--pooling", "cls"}), normalized);
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
