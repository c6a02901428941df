// roformer compare from outside: a grid of trainings, stopped and gone on with, and what is made of it.
#include <fmt/format.h>

#include "tests/cli/program.h"

namespace roformer::testing {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

class Compare : public Workshop {
 protected:
  Compare() { put(path("held.txt"), sentences(60, 5)); }

  // `more` wins over the settings here.
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

TEST_F(Compare, AGridOfTwoEncodingsAndTwoSeeds) {
  const std::string table = succeed(grid("g"));
  EXPECT_THAT(table, ContainsRegex("\nrotary  +2  +[0-9.]+ ± [0-9.]+  +[0-9.]+ ± [0-9.]+ .* 0\n"));
  EXPECT_THAT(table, ContainsRegex("\nlearned  .* 16384\n"));  // 512 rows of 32
  EXPECT_THAT(table, HasSubstr("Mean ± 95 % interval over 2 seeds"));
  const Json results = Json::parse(content(path("g/results.json")));
  EXPECT_EQ(results["seeds"], Json({1, 2}));
  EXPECT_EQ(results["lengths"], Json({32, 64, 128, 256}));
  ASSERT_EQ(results["positions"].size(), 2u);
  double sum = 0;
  for (const char* run : {"g/rotary-1", "g/rotary-2"}) sum += log_of(run).back()["loss"].get<double>();
  EXPECT_NEAR(results["positions"][0]["loss"]["mean"].get<double>(), sum / 2, 1e-12);
  EXPECT_GT(results["positions"][0]["peak_memory"].get<double>(), 1e6);

  // Lengths: rotary plainly at four and scaled at three; learned at one, with reasons for the others.
  EXPECT_EQ(results["positions"][0]["lengths"].size(), 4u + 4 * 3);
  for (const Json& length : results["positions"][0]["lengths"]) EXPECT_EQ(length["loss"]["runs"], 2) << length;
  const Json& learned = results["positions"][1]["lengths"];
  EXPECT_EQ(learned[0]["loss"]["runs"], 2);
  EXPECT_TRUE(learned[1]["loss"].is_null());
  EXPECT_THAT(learned[1]["reason"].get<std::string>(), HasSubstr("up to 32"));

  const std::string html = content(path("g/report.html"));
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
  succeed(grid("g", {"--jobs", "2"}));  // nothing is trained side by side, so speeds stay comparable
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
  EXPECT_TRUE(lines[0]["tokens_per_second"].is_null());
  EXPECT_TRUE(lines[0]["peak_memory"].is_null());
  EXPECT_THAT(content(path("two/report.html")), HasSubstr("side by side"));
  EXPECT_THAT(outcome.error, HasSubstr("\nlearned-2: step     12  validation loss "));
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

TEST_F(Compare, WrongUseIsSaidBeforeAnythingIsTrained) {
  expect_refused(grid("g", {"--positions", "alibi", "--attention", "linear-elu"}), 2, {"alibi", "linear-elu"});
  expect_refused(grid("g", {"--attention", "linear-elu,linear-elu"}), 2, {"linear-elu twice"});
  expect_refused(grid("g", {"--positions", "rotary,fourier"}), 2, {"fourier", "transformer-xl", "--positions"});
  expect_refused(grid("g", {"--positions", "rotary,none,rotary"}), 2, {"rotary twice"});
  expect_refused(without(grid("g", {"--lengths", "64"}), {"--validation-data"}), 2, {"--lengths", "--validation-data"});
  expect_refused(grid("g", {"--init-from", path("tokenizer")}), 2, {"--init-from"});
  expect_refused(without(grid("g"), {"--tokenizer"}), 2, {"--tokenizer"});
  expect_refused(grid("g", {"--validation-data", path("nowhere.txt")}), 1, {"nowhere.txt"});
  expect_refused(grid("g", {"--lengths", "2"}), 2, {"--lengths"});
  expect_refused(grid("g", {"--epochs", "1"}), 2, {"--steps", "--epochs"});
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
}  // namespace roformer::testing
