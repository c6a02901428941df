#include <nlohmann/json.hpp>

#include "training/run_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "tests/base/temp_directory.h"
#include "training/unigram_baseline.h"

namespace roformer {
namespace {

using testing::HasSubstr;
using testing::Not;

class RunReport : public testing::Test {
 protected:
  // A log of ten steps that ends with this validation loss.
  std::string run(const std::string& name, double loss, const Json& settings = Json()) {
    const std::string directory = temporary_ / name;
    make_directories(directory + "/training");
    std::string log;
    for (int step = 1; step <= 10; ++step) {
      log += dump_json({{"event", "train"},
                        {"step", step},
                        {"loss", loss + 1},
                        {"tokens", 1000 * step},
                        {"tokens_per_second", step == 3 ? 9000 : 500},
                        {"temperature", 0.5}}) +
             "\n";
    }
    log += dump_json({{"event", "validation"}, {"step", 5}, {"loss", 99}, {"accuracy", 0.1}}) + "\n";
    log += dump_json({{"event", "validation"}, {"step", 10}, {"loss", loss}, {"accuracy", 0.25}}) + "\n";
    write_file_atomically(directory + "/log.jsonl", log);
    if (!settings.is_null()) write_file_atomically(directory + "/training/settings.json", settings.dump());
    return directory;
  }
  static std::string page_of(const std::vector<RunGroup>& groups) {
    HtmlPage page("t");
    add_runs(page, groups);
    return page.finish();
  }
  // The cells of the table row with this head, separated by "|".
  static std::string row(const std::string& html, const std::string& head) {
    const std::string start = "<th scope=\"row\">" + head + "</th>";
    const size_t begin = html.find(start);
    if (begin == std::string::npos) return "no row " + head;
    std::string text = html.substr(begin + start.size(), html.find("</tr>", begin) - begin - start.size()), cells;
    for (size_t at = 0; (at = text.find("<td>", at)) != std::string::npos; ++at) {
      cells += text.substr(at + 4, text.find("</td>", at) - at - 4) + "|";
    }
    return cells;
  }

  TempDirectory temporary_;
};

TEST_F(RunReport, WallClockSpeedIsLeftOutWhereOtherWorkRanBeside) {
  const std::string directory = run("a", 2);
  EXPECT_THAT(page_of({{"a", {directory}}}), HasSubstr("tokens/s (median)"));
  HtmlPage page("t");
  add_runs(page, {{"a", {directory}}}, {.wall_clock_speed = false});
  const std::string html = page.finish();
  EXPECT_THAT(html, HasSubstr("tokens per CPU second (median)"));
  EXPECT_THAT(html, Not(HasSubstr("tokens/s")));
}

TEST_F(RunReport, FinalValuesOfOneRun) {
  const std::string html = page_of({{"a", {run("a", 2)}}});
  EXPECT_EQ(row(html, "a"), "1|–|10|10,000|2.0000|25.00|3.0000|500|");
  EXPECT_THAT(html, HasSubstr(">Loss</text>"));
  EXPECT_THAT(html, HasSubstr(">Training speed</text>"));
  EXPECT_THAT(html, HasSubstr(">Train temperature</text>"));  // an unknown metric
  EXPECT_THAT(html, Not(HasSubstr(">Gradient norm</text>")));
  EXPECT_THAT(html, Not(HasSubstr("rf-f0\" points")));  // no band
}

TEST_F(RunReport, SeedsBecomeMeanIntervalAndBand) {
  const std::string html = page_of({{"two", {run("a", 2), run("b", 4)}}, {"one", {run("c", 3)}}});
  EXPECT_THAT(row(html, "two"), HasSubstr("2|–|10|10,000|3.0000 ± 12.7062|25.00 ± 0.00|"));
  EXPECT_THAT(row(html, "one"), HasSubstr("1|–|10|10,000|3.0000|25.00|"));
  EXPECT_THAT(html, HasSubstr(">Validation loss</text>"));
  EXPECT_THAT(html, HasSubstr("<polygon class=\"rf-band rf-f0\""));
}

TEST_F(RunReport, SharesArePercentagesAndWaitingHasTheWholeAxis) {
  const std::string directory = run("a", 2);
  write_file_atomically(directory + "/log.jsonl",
                        "{\"event\":\"train\",\"step\":1,\"data_wait\":0.01}\n"
                        "{\"event\":\"train\",\"step\":2,\"data_wait\":0.02}\n");
  const std::string html = page_of({{"a", {directory}}});
  EXPECT_THAT(html, HasSubstr(">Waiting for data</text>"));
  for (const char* tick : {">0</text>", ">20</text>", ">100</text>"}) EXPECT_THAT(html, HasSubstr(tick));
}

TEST_F(RunReport, APageMayHaveItsOwnPlotOfTheValidationLoss) {
  HtmlPage page("t");
  add_runs(page, {{"a", {run("a", 2)}}, {"b", {run("b", 3)}}}, {.validation_loss = false});
  const std::string html = page.finish();
  EXPECT_THAT(html, Not(HasSubstr(">Validation loss</text>")));
  EXPECT_THAT(html, HasSubstr(">Training loss</text>"));
}

TEST_F(RunReport, SettingsAreSplitIntoThoseThatDifferAndTheOthers) {
  const Json first = {{"seed", 1}, {"steps", 20}, {"model", {{"hidden_size", 8}}}};
  Json second = first, third = first;
  second["seed"] = 2;
  third["model"]["hidden_size"] = 16;
  third["new"] = "<x>";
  third["not-given"] = nullptr;
  const std::string html = page_of({{"a", {run("1", 2, first), run("2", 2, second)}}, {"b", {run("3", 2, third)}}});
  const size_t common = html.find("Settings shared by all runs");
  ASSERT_NE(common, std::string::npos);
  const std::string differing = html.substr(0, common), rest = html.substr(common);
  EXPECT_EQ(row(differing, "seed"), "1, 2|1|");
  EXPECT_EQ(row(differing, "model.hidden_size"), "8|16|");
  EXPECT_EQ(row(differing, "new"), "–|&lt;x&gt;|");
  EXPECT_EQ(row(rest, "steps"), "20|");
  EXPECT_THAT(html, Not(HasSubstr("not-given")));
  EXPECT_THAT(row(html, "a"), HasSubstr("|10 of 20|"));
}

TEST_F(RunReport, LogsThatAreMissingEmptyOrDamagedAreRefused) {
  EXPECT_THROW(page_of({{"a", {temporary_ / "nowhere"}}}), FileError);
  make_directories(temporary_ / "a");
  write_file_atomically(temporary_ / "a/log.jsonl", "");
  EXPECT_THROW(page_of({{"a", {temporary_ / "a"}}}), DataError);
  write_file_atomically(temporary_ / "a/log.jsonl", "[]\n{}\n");
  EXPECT_THROW(page_of({{"a", {temporary_ / "a"}}}), DataError);
  write_file_atomically(run("b", 1) + "/training/settings.json", "[1]");
  EXPECT_THROW(page_of({{"b", {temporary_ / "b"}}}), DataError);
}

TEST_F(RunReport, NonFiniteValuesAreNotPlotted) {
  const std::string directory = run("a", 1e308);
  write_file_atomically(directory + "/log.jsonl",
                        "{\"event\":\"train\",\"step\":9007199254740992,\"loss\":1e308,\"tokens\":1e300}\n");
  const std::string html = page_of({{"a", {directory}}, {"b", {directory, directory}}});
  for (const char* word : {"nan,", "inf,", ",nan", ",inf"}) EXPECT_THAT(html, Not(HasSubstr(word)));
}

TEST_F(RunReport, OtherMetricsFollowAndWhatMarksValidationsIsNone) {
  const std::string directory = run("a", 1);
  write_file_atomically(directory + "/log.jsonl",
                        "{\"event\":\"validation\",\"step\":1,\"loss\":1,\"mcc\":0.5}\n"
                        "{\"event\":\"best\",\"step\":1,\"mcc\":0.5}\n"
                        "{\"event\":\"early_stop\",\"step\":1,\"validations\":3}\n");
  const std::string html = page_of({{"a", {directory}}});
  EXPECT_THAT(html, HasSubstr("Validation mcc"));
  EXPECT_THAT(html, Not(HasSubstr("best mcc")));
  EXPECT_THAT(html, Not(HasSubstr("early_stop")));
}

TEST_F(RunReport, TheUnigramBaselineIsAColumnAndALevel) {
  const std::string a = run("a", 2), b = run("b", 3);
  EXPECT_THAT(page_of({{"a", {a}}, {"b", {b}}}), Not(HasSubstr("unigram")));
  for (const std::string& directory : {a, b}) write_unigram_loss(5.5, directory);
  const std::string html = page_of({{"a", {a}}, {"b", {b}}});
  EXPECT_THAT(html, HasSubstr("validation loss</th><th scope=\"col\">unigram</th>"));
  EXPECT_THAT(row(html, "a"), HasSubstr("|2.0000|5.5000|25.00|"));
  const auto levels = [](const std::string& page) {
    int found = 0;
    for (size_t at = 0; (at = page.find("class=\"rf-level\"", at)) != std::string::npos; ++at) ++found;
    return found;
  };
  EXPECT_EQ(levels(html), 1);  // of validation, not of training
  EXPECT_EQ(levels(page_of({{"a", {a}}})), 1);
}

TEST_F(RunReport, ThePageOfOneRunIsNamedAfterIt) {
  const std::string directory = run("mine", 2);
  write_run_report(directory + "/", directory + "/report.html");
  EXPECT_THAT(read_file(directory + "/report.html", 1 << 20), HasSubstr("<h1>Training of mine</h1>"));
  EXPECT_EQ(short_name("runs/model//"), "model");
  EXPECT_EQ(short_name("model"), "model");
  EXPECT_EQ(short_name("/"), "/");
  EXPECT_EQ(short_name(""), "");
}

}  // namespace
}  // namespace roformer
