// roformer compare from outside: a grid of trainings, interrupted and resumed, and its results.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tests/cli/program.h"

namespace roformer::test {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

class Compare : public Workshop {
 protected:
  Compare() { put(path("held.txt"), sentences(60, 5)); }

  // `more` overrides the settings here.
  Arguments grid(const std::string& output, const Arguments& more = {}) const {
    Arguments result = pretrain(output, more);
    result[0] = "compare";
    for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
             {"--positions", "rotary,learned"}, {"--seeds", "2"}, {"--validation-data", path("held.txt")}}) {
      if (std::find(more.begin(), more.end(), name) == more.end()) result = result + Arguments{name, value};
    }
    return result;
  }
  void expect_same_grid(const std::string& a, const std::string& b, int64_t steps) const {
    for (const char* run : {"rotary-1", "rotary-2", "learned-1", "learned-2"}) {
      expect_same_run(a + "/" + run, b + "/" + run, steps);
      EXPECT_EQ(content(path(a) + "/" + run + "/lengths.json"), content(path(b) + "/" + run + "/lengths.json")) << run;
    }
  }
};

TEST_F(Compare, HintsOnceAtDocumentsThatAreLines) {
  std::string lines;
  for (int i = 0; i < 120; ++i) lines += "the old king sees a garden\n";
  put(path("lines.txt"), lines);
  const std::string hint = "lines.txt: 120 lines without a blank line between them are read as one document";
  const Outcome outcome = run(grid("g", {"--data", path("lines.txt"), "--steps", "2", "--seeds", "1"}));
  EXPECT_THAT(outcome.error, HasSubstr(hint));
  EXPECT_EQ(outcome.error.find(hint), outcome.error.rfind(hint));
  EXPECT_THAT(outcome.error, HasSubstr("1 document, 0.0 MB"));
  EXPECT_THAT(run(pretrain("m", {"--data", path("lines.txt"), "--steps", "1"})).error, HasSubstr("--documents lines"));
  const Arguments divided = {"--data", path("lines.txt"), "--steps", "1", "--documents", "lines"};
  EXPECT_THAT(run(pretrain("d", divided)).error, Not(HasSubstr("use --documents")));
}

TEST_F(Compare, AGridOfTwoEncodingsAndTwoSeeds) {
  const std::string table = succeed(grid("g"));
  EXPECT_THAT(table, ContainsRegex("\nrotary  +2  +[0-9.]+ ± [0-9.]+  +[0-9.]+  +[0-9.]+ ± [0-9.]+ .* 0\n"));
  EXPECT_THAT(table, ContainsRegex("\nlearned  .* 16384\n"));  // 512 rows of 32
  EXPECT_THAT(table, HasSubstr("Mean ± 95 % interval over 2 seeds"));
  EXPECT_THAT(
      table,
      ContainsRegex("\ndifference to rotary  +seed 1  +seed 2  +validation loss  +verdict\nlearned .*[+-][0-9.]+ ± "));
  const Json results = Json::parse(content(path("g/results.json")));
  EXPECT_EQ(results["seeds"], Json({1, 2}));
  EXPECT_EQ(results["lengths"], Json({32, 64, 128, 256}));
  ASSERT_EQ(results["positions"].size(), 2u);
  double sum = 0;
  for (const char* run : {"g/rotary-1", "g/rotary-2"}) sum += log_of(run).back()["loss"].get<double>();
  EXPECT_NEAR(results["positions"][0]["loss"]["mean"].get<double>(), sum / 2, 1e-12);
  EXPECT_EQ(results["reference"], "rotary");
  const Json& difference = results["positions"][1]["difference"];
  ASSERT_EQ(difference["seeds"].size(), 2u);
  EXPECT_NEAR(difference["seeds"][0]["loss"].get<double>(),
              log_of("g/learned-1").back()["loss"].get<double>() - log_of("g/rotary-1").back()["loss"].get<double>(),
              1e-12);
  const double unigram = Json::parse(content(path("g/rotary-1/unigram.json")))["loss"];
  EXPECT_EQ(results["positions"][0]["unigram_loss"], unigram);
  EXPECT_THAT(content(path("g/rotary-1/report.html")), HasSubstr("rf-level"));
  EXPECT_THAT(content(path("g/rotary-1/report.html")), Not(HasSubstr("tokens/s")));
  EXPECT_GT(results["positions"][0]["peak_memory"].get<double>(), 1e6);
  EXPECT_GT(results["positions"][0]["tokens_per_cpu_second"]["mean"].get<double>(), 0);
  EXPECT_FALSE(results["positions"][0].contains("tokens_per_second"));
  EXPECT_FALSE(results["positions"][0].contains("settings"));

  // Lengths: rotary plainly at four and scaled at three; learned at one, with reasons for the others.
  EXPECT_EQ(results["positions"][0]["lengths"].size(), 4u + 4 * 3);
  for (const Json& length : results["positions"][0]["lengths"]) EXPECT_EQ(length["loss"]["runs"], 2) << length;
  const Json& learned = results["positions"][1]["lengths"];
  EXPECT_EQ(learned[0]["loss"]["runs"], 2);
  EXPECT_TRUE(learned[1]["loss"].is_null());
  EXPECT_THAT(learned[1]["reason"].get<std::string>(), HasSubstr("up to 32"));

  const std::string html = content(path("g/report.html"));
  EXPECT_THAT(html, HasSubstr("tokens per CPU second"));
  EXPECT_THAT(html, Not(HasSubstr("tokens/s")));
  for (const char* part :
       {"Sequences longer than in training", "Loss by position (256-token sequences)", "rotary, linear",
        "has the lowest validation loss", "Missing values", "Settings that differ"}) {
    EXPECT_THAT(html, HasSubstr(part));
  }
  for (const char* plot : {"validation-loss", "lengths", "places", "lengths-rotary", "places-learned"}) {
    EXPECT_TRUE(content(path("g/plots/") + plot + ".svg").starts_with("<svg")) << plot;
  }
  // A run of the grid is what pretrain makes.
  succeed(pretrain("alone", {"--position", "learned", "--seed", "2", "--validation-data", path("held.txt")}));
  expect_same_run("alone", "g/learned-2", 12);
}

TEST_F(Compare, FinishedRunsAreSkippedAndTheReportIsMadeAgain) {
  succeed(grid("g"));
  const auto when = [&] { return std::filesystem::last_write_time(path("g/rotary-1/log.jsonl")); };
  const auto before = when();
  const std::string results = content(path("g/results.json"));
  const Outcome again = run(grid("g"));
  EXPECT_EQ(again.exit_code, 0);
  EXPECT_THAT(again.error, HasSubstr("already finished"));
  EXPECT_EQ(when(), before);
  EXPECT_EQ(content(path("g/results.json")), results);
  succeed(grid("g", {"--jobs", "2"}));  // nothing is trained concurrently, so speeds stay comparable
  EXPECT_EQ(content(path("g/results.json")), results);

  const std::string html = content(path("g/report.html"));
  std::filesystem::remove(path("g/report.html"));
  std::filesystem::remove(path("g/results.json"));
  succeed({"report", path("g")});
  EXPECT_EQ(content(path("g/report.html")), html);
  EXPECT_EQ(content(path("g/results.json")), results);
  succeed({"report", path("g"), "--output", path("page.html"), "--title", "Mine"});
  EXPECT_THAT(content(path("page.html")), HasSubstr("<h1>Mine</h1>"));
  const std::string plan = content(path("g/grid.json"));
  expect_refused(grid("g", {"--steps", "13", "--seeds", "1"}), 2, {"rotary-1", "steps was 12, now 13"});
  EXPECT_EQ(content(path("g/grid.json")), plan);
}

TEST_F(Compare, AnotherReferenceTakesNoTraining) {
  succeed(grid("g", {"--lengths", "32"}));
  const std::string table = succeed(grid("g", {"--lengths", "32", "--reference", "learned"}));
  EXPECT_THAT(table, HasSubstr("\ndifference to learned "));
  EXPECT_EQ(Json::parse(content(path("g/results.json")))["reference"], "learned");
  succeed({"report", path("g")});
  EXPECT_EQ(Json::parse(content(path("g/results.json")))["reference"], "learned");
  expect_refused(grid("h", {"--reference", "alibi"}), 2, {"--reference is", "alibi", "rotary, learned"});
  EXPECT_FALSE(exists(path("h")));
}

TEST_F(Compare, InterruptedItSavesAllAndGoesOnToTheSameBits) {
  const Arguments steps = {"--steps", "150", "--save-every", "50"};
  succeed(grid("left_alone", steps));
  for (const std::string jobs : {"1", "2"}) {
    const std::string output = "stopped_" + jobs;
    const Arguments command = grid(output, steps + Arguments{"--jobs", jobs, "--threads", "2"});
    Child child(command);
    const std::string log = path(output) + (jobs == "1" ? "/rotary-1" : "/learned-1") + "/log.jsonl";
    ASSERT_TRUE(child.wait_until([&] { return exists(log) && std::filesystem::file_size(log) > 0; }));
    child.send(SIGINT);
    const Outcome stopped = child.wait();
    EXPECT_EQ(stopped.exit_code, 130) << stopped.error;
    EXPECT_THAT(stopped.error, HasSubstr("interrupted; "));
    EXPECT_TRUE(exists(path(output) + "/rotary-1/model.safetensors"));
    EXPECT_FALSE(exists(path(output) + "/report.html"));
    const Outcome rest = run(command);
    EXPECT_EQ(rest.exit_code, 0) << rest.error;
    EXPECT_THAT(rest.error, HasSubstr("resuming "));
    expect_same_grid("left_alone", output, 150);
  }
}

TEST_F(Compare, SideBySideTheBitsAreTheSameAndTheSpeedIsNotShown) {
  succeed(grid("one"));
  const Outcome outcome = run(grid("two", {"--jobs", "2", "--threads", "2", "--json"}));
  EXPECT_EQ(outcome.exit_code, 0);
  expect_same_grid("one", "two", 12);
  const auto lines = json_lines(outcome.output);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0]["position"], "rotary");
  EXPECT_TRUE(lines[0]["tokens_per_cpu_second"].is_null());
  for (const Json& event : json_lines(content(path("two/rotary-1/log.jsonl")))) {
    EXPECT_FALSE(event.contains("tokens_per_cpu_second"));
  }
  EXPECT_TRUE(lines[0]["peak_memory"].is_null());
  EXPECT_THAT(content(path("two/report.html")), HasSubstr("trained concurrently"));
  EXPECT_THAT(outcome.error, HasSubstr("\nlearned-2: step     12  validation loss "));
  EXPECT_THAT(outcome.error,
              ContainsRegex("\nrotary-1: 64 tokens: validation loss [0-9.]+; scaled by linear [0-9.]+, ntk "));
  EXPECT_THAT(outcome.error, HasSubstr("64 tokens: validation loss –; with a hierarchical table "));
  EXPECT_THAT(outcome.error, HasSubstr("all trainings: elapsed 0:"));
}

TEST_F(Compare, OneSeedHasNoInterval) {
  const std::string table = succeed(without(grid("g", {"--seeds", "1", "--seed", "7"}), {"--validation-data"}));
  EXPECT_THAT(table, HasSubstr("One seed: no interval"));
  EXPECT_THAT(table, Not(HasSubstr("±")));
  EXPECT_THAT(table, HasSubstr("Other lengths were not evaluated"));
  EXPECT_TRUE(exists(path("g/rotary-7/model.safetensors")));
  EXPECT_FALSE(exists(path("g/rotary-7/lengths.json")));
  EXPECT_TRUE(Json::parse(content(path("g/results.json")))["positions"][0]["loss"]["interval95"].is_null());
}

TEST_F(Compare, CausalModels) {
  const std::string table =
      succeed(grid("g", {"--objective", "clm", "--positions", "rotary,none", "--seeds", "1", "--lengths", "16,32,64"}));
  EXPECT_THAT(table, HasSubstr("perplexity"));
  const Json results = Json::parse(content(path("g/results.json")));
  EXPECT_EQ(results["objective"], "clm");
  EXPECT_GT(results["positions"][0]["perplexity"]["mean"].get<double>(), 1);
  EXPECT_EQ(results["positions"][1]["lengths"].size(), 3u);
}

TEST_F(Compare, KindsOfAttentionAreASecondAxis) {
  const std::string table =
      succeed(grid("g", {"--positions", "rotary,none", "--attention", "softmax,linear-elu,linear-favor-before",
                         "--seeds", "1", "--lengths", "32,64"}));
  for (const char* name : {"rotary+softmax", "rotary+linear-elu", "rotary+linear-favor-before", "none+softmax",
                           "none+linear-elu", "none+linear-favor-before"}) {
    EXPECT_THAT(table, HasSubstr(std::string("\n") + name + " "));
    EXPECT_TRUE(exists(path("g/" + std::string(name) + "-1/model.safetensors"))) << name;
  }
  EXPECT_EQ(Json::parse(content(path("g/rotary+linear-elu-1/config.json")))["attention_type"], "linear-elu");
  EXPECT_EQ(Json::parse(content(path("g/rotary+linear-favor-before-1/config.json")))["attention_rotation"], "before");
  EXPECT_EQ(Json::parse(content(path("g/rotary+softmax-1/config.json")))["model_type"], "roformer");
}

TEST_F(Compare, SweepsMakeAllCombinations) {
  const Arguments command =
      grid("g", {"--positions", "rotary,none", "--seeds", "1", "--vary", "learning-rate=1e-3,2e-3", "--vary",
                 "layers=1,2", "--lengths", "32,64", "--json"});
  const auto lines = json_lines(succeed(command));
  ASSERT_EQ(lines.size(), 8u);
  EXPECT_EQ(lines[1]["position"], "rotary learning-rate=1e-3 layers=2");
  EXPECT_EQ(lines[1]["settings"], Json({{"learning-rate", 1e-3}, {"layers", 2}}));
  const std::string last = "g/none+learning-rate-2e-3+layers-2-1";
  EXPECT_EQ(Json::parse(content(path(last) + "/training/settings.json"))["learning-rate"], 2e-3);
  EXPECT_EQ(Json::parse(content(path(last) + "/config.json"))["num_hidden_layers"], 2);
  EXPECT_TRUE(exists(path("g/plots/lengths-rotary+learning-rate-1e-3+layers-1.svg")));
  EXPECT_THAT(content(path("g/report.html")), HasSubstr("none learning-rate=2e-3 layers=1"));
  const Outcome again = run(command);
  EXPECT_EQ(again.exit_code, 0) << again.error;
  EXPECT_THAT(again.error, Not(HasSubstr("validation loss")));  // nothing is trained or evaluated again
  // A run of it is what pretrain makes.
  succeed(pretrain("alone", {"--position", "none", "--learning-rate", "2e-3", "--validation-data", path("held.txt")}));
  expect_same_run("alone", last, 12);
}

TEST_F(Compare, VariantsAreNamedOneByOne) {
  const Arguments command =
      without(grid("g", {"--seeds", "1", "--lengths", "16,32", "--variant", "name=wide hidden-size=64 dropout=0",
                         "--variant", "position=alibi", "--variant", "name=short max-length=16"}),
              {"--positions"});
  const std::string table = succeed(command);
  EXPECT_THAT(table, ContainsRegex("^variant +runs"));
  for (const char* name : {"wide", "position=alibi", "short"}) {
    EXPECT_THAT(table, HasSubstr(std::string("\n") + name + " "));
  }
  EXPECT_THAT(table, HasSubstr("Variants differ in max-length"));
  EXPECT_EQ(Json::parse(content(path("g/wide-1/config.json")))["hidden_size"], 64);
  EXPECT_EQ(Json::parse(content(path("g/short-1/lengths.json")))["settings"]["max-length"], 16);
  expect_refused(without(grid("g", {"--seeds", "1", "--variant", "name=wide hidden-size=32"}), {"--positions"}), 2,
                 {"wide-1", "hidden_size was 64, now 32"});
}

TEST_F(Compare, WrongSweepsAreSaidBeforeAnythingIsTrained) {
  const auto refused = [&](const Arguments& more, const std::vector<std::string>& parts) {
    expect_refused(grid("g", more), 2, parts);
  };
  refused({"--vary", "learning-rate"}, {"--vary", "NAME=VALUE"});
  refused({"--vary", "learning-rate=1e-3,fast"}, {"--learning-rate: expected a number", "fast"});
  refused({"--vary", "schedule=linear,stairs"}, {"--schedule", "cosine", "stairs"});
  refused({"--vary", "seed=1,2"}, {"--vary", "--seeds"});
  refused({"--vary", "position=none,rotary"}, {"--vary", "--positions"});
  refused({"--vary", "heads=2,3"}, {"3"});
  refused({"--variant", "name=a layers=1", "--variant", "name=a layers=2"}, {"two variants", "--variant"});
  refused({"--variant", "name=../a layers=1"}, {"../a"});
  EXPECT_FALSE(exists(path("g")));
}

TEST_F(Compare, PlotAndReportTakeItsDirectory) {
  succeed(grid("g"));
  EXPECT_THAT(succeed({"plot", path("g"), "--output", path("g.svg")}), HasSubstr("learned"));
  EXPECT_THAT(content(path("g.svg")), HasSubstr("rotary"));
  succeed(pretrain("runs/other"));
  succeed({"report", path("g"), path("runs"), "--output", path("page.html")});
  const std::string html = content(path("page.html"));
  for (const char* name : {"g/rotary", "g/learned", "runs/other"}) {
    EXPECT_THAT(html, HasSubstr("<th scope=\"row\">" + std::string(name) + "</th>"));
  }
  succeed({"report", "all=" + path("g"), "--output", path("page.html")});
  EXPECT_THAT(content(path("page.html")), HasSubstr("<th scope=\"row\">all</th><td>4</td>"));
  expect_refused({"plot", path("g/plots")}, 1, {"g/plots", "log.jsonl"});
}

TEST_F(Compare, WorkOfDaysIsAskedFor) {
  const Arguments days = {"--steps", "1000000000"};
  expect_refused(grid("g", days), 2, {"days", "--yes", "GFLOP/s per thread"});
  expect_refused(pretrain("p", days), 2, {"days", "--yes"});
  EXPECT_FALSE(exists(path("g")) || exists(path("p")));
  Child child(pretrain("p", days + Arguments{"--yes"}));
  ASSERT_TRUE(child.wait_until([&] { return exists(path("p/log.jsonl")); }));
  child.send(SIGINT);
  EXPECT_EQ(child.wait().exit_code, 130);
  const auto written = [&] { return std::filesystem::last_write_time(path("p/log.jsonl")); };
  const auto before = written();
  Child resumed(pretrain("p", days));  // already confirmed
  ASSERT_TRUE(resumed.wait_until([&] { return written() != before; }));
  resumed.send(SIGINT);
  EXPECT_EQ(resumed.wait().exit_code, 130);
}

TEST_F(Compare, WrongUseIsSaidBeforeAnythingIsTrained) {
  expect_refused(grid("g", {"--best", "loss"}), 2, {"--best is loss, expected none"});
  expect_refused(grid("g", {"--positions", "alibi", "--attention", "linear-elu"}), 2, {"alibi", "linear-elu"});
  expect_refused(grid("g", {"--attention", "linear-elu,linear-elu"}), 2, {"linear-elu twice"});
  expect_refused(grid("g", {"--positions", "alibi,none", "--relative-clip", "8"}), 2,
                 {"--relative-clip: --positions has no encoding with this parameter", "shaw, nezha, deberta"});
  expect_refused(grid("g", {"--positions", "rotary,none", "--vary", "rotary-base=100,500"}), 2,
                 {"--rotary-base: --position none has no such parameter"});
  expect_refused(grid("g", {"--positions", "rotary,fourier"}), 2, {"fourier", "transformer-xl", "--positions"});
  expect_refused(grid("g", {"--positions", "rotary,none,rotary"}), 2, {"rotary twice"});
  expect_refused(without(grid("g", {"--lengths", "64"}), {"--validation-data"}), 2, {"--lengths", "--validation-data"});
  expect_refused(grid("g", {"--init-from", path("tokenizer")}), 2, {"--init-from"});
  expect_refused(without(grid("g"), {"--tokenizer"}), 2, {"--tokenizer"});
  expect_refused(grid("g", {"--validation-data", path("nowhere.txt")}), 1, {"nowhere.txt"});
  expect_refused(grid("g", {"--lengths", "2"}), 2, {"--lengths"});
  expect_refused(grid("g", {"--epochs", "1"}), 2, {"--steps", "--epochs"});
  expect_refused(without(grid("g", {"--attention", "softmax", "--vary", "layers=1,2"}), {"--positions"}), 2,
                 {"--attention", "--positions"});
  EXPECT_FALSE(exists(path("g")));
}

TEST_F(Compare, DamagedFilesOfAGridAreRefused) {
  succeed(grid("g", {"--positions", "none", "--seeds", "1"}));
  for (const auto& [file, text] : std::vector<std::pair<std::string, std::string>>{
           {"none-1/lengths.json", "{}"},
           {"none-1/measured.json", R"({"jobs":0})"},
           {"none-1/training/settings.json", "{}"},
           {"grid.json", R"({"objective":"mlm","positions":["../x"],"seeds":[1],"max-length":32,"lengths":[]})"},
           {"grid.json", R"({"objective":"mlm","positions":["none"],"seeds":["1"],"max-length":32,"lengths":[]})"}}) {
    const std::string before = content(path("g/") + file);
    put(path("g/") + file, text);
    expect_refused({"report", path("g")}, 1, {file});
    put(path("g/") + file, before);
  }
  succeed({"report", path("g")});
}

}  // namespace
}  // namespace roformer::test
