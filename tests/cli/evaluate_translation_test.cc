// evaluate --task translation from outside.
#include "tests/cli/program.h"

namespace roformer::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class EvaluateTranslation : public ::testing::Test {
 protected:
  EvaluateTranslation() {
    put(directory_ / "reference", "The cat sat on the mat.\nIt rained all day.\n\nWe left early, at 5.\n");
    put(directory_ / "other", "A cat was on the mat.\nRain fell all day.\nNothing.\nWe went at 5, early.\n");
    put(directory_ / "good", "The cat sat on the mat.\r\nIt rained the whole day.\r\n\r\nWe left early, at 5.");
    put(directory_ / "bad", "On the mat sat a cat.\nRAIN ALL DAY.\n\nAt 5 we left.\n");
  }
  std::string path(const std::string& name) const { return directory_ / name; }
  Arguments evaluate(const Arguments& hypotheses, const Arguments& more = {}) const {
    Arguments arguments = {"evaluate", "--task", "translation", "--references", path("reference"), "--hypotheses"};
    for (const std::string& name : hypotheses) arguments.push_back(name == "-" ? name : path(name));
    return arguments + more;
  }

  TempDirectory directory_;
};

// Right values: sacrebleu reference -i bad -m bleu chrf ter -f text -w 2; sacrebleu reference other … -tok intl -lc
// --chrf-lowercase -cw 2 -w 13.
TEST_F(EvaluateTranslation, PrintsScoresLikeSacreBleu) {
  const std::string text = succeed(evaluate({"bad"}));
  EXPECT_THAT(text, HasSubstr("4 segments, 1 reference\n"));
  EXPECT_THAT(text, HasSubstr("\nBLEU = 7.77 56.2/7.7/5.0/3.6 (BP = 0.829 ratio = 0.842 hyp_len = 16 ref_len = 19)\n"));
  EXPECT_THAT(text, HasSubstr("\nchrF2 = 27.43\n"));
  EXPECT_THAT(text, HasSubstr("\nTER = 73.33\n"));
  EXPECT_THAT(text, HasSubstr("; nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0\n"));
  const Json json = json_lines(succeed(evaluate({"bad"}, {"--json", "--tokenize", "intl", "--lowercase",
                                                          "--chrf-word-order", "2", "--references", path("other")})))
                        .at(0);
  EXPECT_EQ(json.at("task"), "translation");
  EXPECT_EQ(json.at("n"), 4);
  EXPECT_NEAR(json.at("metrics").at("bleu").get<double>(), 26.1352916998332, 1e-9);
  EXPECT_NEAR(json.at("metrics").at("chrf").get<double>(), 51.4304523517405, 1e-9);
  EXPECT_NEAR(json.at("metrics").at("ter").get<double>(), 58.0645161290323, 1e-9);
  for (const char* metric : {"bleu", "chrf", "ter"}) {
    const Json& bounds = json.at("interval95").at(metric);
    EXPECT_LT(bounds.at(0), json.at("metrics").at(metric)) << metric;
    EXPECT_GT(bounds.at(1), json.at("metrics").at(metric)) << metric;
  }
  EXPECT_EQ(json.at("signatures").at("chrf"), "nrefs:2|case:lc|eff:yes|nc:6|nw:2|space:no|version:2.6.0");
}

TEST_F(EvaluateTranslation, ComparesTwoFiles) {
  const Arguments both = evaluate({"bad", "good"}, {"--json"});
  const Json json = json_lines(succeed(both)).at(0);
  EXPECT_EQ(json.at("hypotheses"), (Json{path("bad"), path("good")}));
  for (const char* metric : {"bleu", "chrf", "ter"}) {
    const Json& values = json.at("metrics").at(metric);
    EXPECT_EQ(values.at(0), json_lines(succeed(evaluate({"bad"}, {"--json"}))).at(0).at("metrics").at(metric));
    EXPECT_EQ(json.at("difference").at(metric), values.at(1).get<double>() - values.at(0).get<double>());
    EXPECT_GT(json.at("p").at(metric), 0) << metric;
    EXPECT_LE(json.at("interval95").at(metric).at(0), json.at("difference").at(metric)) << metric;
    EXPECT_LE(json.at("interval95_each").at(metric).at(1).at(0), values.at(1)) << metric;
  }
  EXPECT_EQ(json_lines(succeed(both + Arguments{"--threads", "3"})).at(0), json);
  EXPECT_THAT(succeed(evaluate({"bad", "good"})), HasSubstr("A = " + path("bad") + ", B = " + path("good") + "\n"));
  EXPECT_THAT(succeed(evaluate({"bad", "bad"})), HasSubstr("+0.00  +0.00 to +0.00  1.0000\n"));
}

TEST_F(EvaluateTranslation, ReadsStandardInputAndNeedsNoTask) {
  const std::string of_file = succeed(evaluate({"good"}));
  EXPECT_EQ(succeed(evaluate({"-"}), {.input = content(path("good")), .file_limit = {}, .environment = {}}), of_file);
  EXPECT_EQ(succeed({"evaluate", "--hypotheses", path("good"), "--references", path("reference")}), of_file);
}

TEST_F(EvaluateTranslation, WarnsOfTokenizedText) {
  std::string tokenized;
  for (int i = 0; i < 100; ++i) tokenized += "a cat .\n";
  put(path("tokenized"), tokenized);
  const Outcome outcome = run({"evaluate", "--hypotheses", path("tokenized"), "--references", path("tokenized")});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.error, HasSubstr("100 lines end in \" .\""));
  EXPECT_THAT(run(evaluate({"good"})).error, Not(HasSubstr("lines end")));
}

TEST_F(EvaluateTranslation, RefusesWhatDoesNotFit) {
  put(path("short"), "One line.\n");
  put(path("empty"), "");
  put(path("latin1"), "ok\n\xE9t\xE9\n\n\n");
  expect_refused(evaluate({"short"}), 1, {path("short") + " has 1 line and", path("reference") + " has 4 lines"});
  expect_refused(evaluate({"good", "short"}), 1, {path("short") + " has 1 line"});
  expect_refused(evaluate({"empty"}), 1, {path("empty") + " is empty"});
  expect_refused(evaluate({"-"}), 1, {"standard input is empty"});
  expect_refused(evaluate({"missing"}), 1, {path("missing")});
  expect_refused(evaluate({"latin1"}), 1, {path("latin1") + ":2: not valid UTF-8"});
  expect_refused(evaluate({"-", "-"}), 2, {"only one of the files can be standard input"});
  expect_refused(evaluate({"good", "bad", "good"}), 2, {"--hypotheses has 3 files, expected one or two"});
  expect_refused(evaluate({"good"}, {"--tokenize", "spm"}), 2, {"--tokenize", "13a"});
  expect_refused(evaluate({"good"}, {"--chrf-word-order", "-1"}), 2, {"--chrf-word-order"});
  expect_refused(evaluate({"good"}, {"--model", path("m")}), 2, {"use either --model or --hypotheses"});
  expect_refused({"evaluate", "--hypotheses", path("good")}, 2, {"--references is required"});
  expect_refused({"evaluate", "--task", "translation"}, 2, {"--hypotheses is required"});
  expect_refused({"evaluate", "--task", "translation", "--model", path("m")}, 2, {"--hypotheses is required"});
  expect_refused(evaluate({"good"}, {"--task", "mrpc"}), 2, {"--hypotheses and --references are for translation"});
  expect_refused({"evaluate", "--task", "translations", "--model", path("m"), "--data", path("good")}, 2,
                 {"did you mean", "translation"});
}

}  // namespace
}  // namespace roformer::test
