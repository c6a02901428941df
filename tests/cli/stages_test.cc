// pretrain --stages: one run of several lengths, batches and schedules.
#include <fmt/format.h>

#include <array>

#include "cli/stage_file.h"
#include "tests/cli/program.h"

namespace roformer::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const char* const kThree = R"(# Lengths up and down, as in Table 4 of the paper.
[[stage]]
max-length = 32
batch = 4
steps = 20

[[stage]]
max-length = 48
batch-tokens = 96
accumulate = 2
steps = 60
warmup = 0
learning-rate = 2e-4
schedule = "constant"

[[stage]]
max-length = 16
batch = 4
steps = 20
mask-probability = 0.3
)";

class Stages : public Workshop {
 protected:
  Stages() { put(path("three.toml"), kThree); }

  Arguments staged(const std::string& output, const std::string& file = "three.toml",
                   const Arguments& more = {}) const {
    return without(pretrain(output, Arguments{"--stages", path(file), "--validation-data", path("text.txt"),
                                              "--log-every", "1", "--save-every", "5", "--validate-every", "1000"} +
                                        more),
                   {"--steps", "--max-length", "--batch-tokens"});
  }
  void expect_refused_file(const std::string& content, int exit_code, const std::vector<std::string>& parts) const {
    put(path("bad.toml"), content);
    expect_refused(staged("x", "bad.toml"), exit_code, parts);
    EXPECT_FALSE(exists(path("x")));
  }
};

TEST_F(Stages, OneRunWithASchedulePerStage) {
  const Outcome outcome = run(staged("a"));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.error;
  for (const char* line : {"stage 1 of 3: 20 steps of 4 sequences of 32 tokens; learning rate up to 0.001, 2 steps of "
                           "warm-up, linear schedule\n",
                           "stage 2 of 3: 60 steps of 2 × 2 sequences of 48 tokens; learning rate up to 0.0002, 0 "
                           "steps of warm-up, constant schedule\n",
                           "stage 3 of 3: 20 steps of 4 sequences of 16 tokens; learning rate up to 0.001, "}) {
    EXPECT_THAT(outcome.error, HasSubstr(line));
  }
  EXPECT_THAT(outcome.output, HasSubstr("a: step 100, validation loss "));
  int64_t step = 0;
  std::vector<int64_t> validated;
  for (const Json& event : log_of("a")) {
    const int64_t at = event["step"];
    EXPECT_EQ(event["stage"], at <= 20 ? 1 : at <= 80 ? 2 : 3) << event;
    if (event["event"] == "validation") {
      validated.push_back(at);
      continue;
    }
    EXPECT_EQ(at, ++step);
    const double rate = event["learning_rate"];
    if (at == 20) {
      EXPECT_NEAR(rate, 0.001 / 18, 1e-12);
    } else if (at > 20 && at <= 80) {
      EXPECT_EQ(rate, 2e-4);
    } else if (at == 82) {
      EXPECT_EQ(rate, 0.001);  // the end of the warm-up
    }
  }
  EXPECT_EQ(step, 100);
  EXPECT_THAT(validated, ElementsAre(20, 80, 100));
  EXPECT_THAT(content(path("a/tokenizer_config.json")), HasSubstr("\"model_max_length\": 48"));
  EXPECT_THAT(outcome.error, Not(HasSubstr("resuming")));
  EXPECT_THAT(content(path("a/report.html")), Not(HasSubstr("train stage")));
  EXPECT_THAT(succeed({"fill-mask", "--model", path("a"), "the [MASK] king"}), HasSubstr("the [MASK] king\n  0."));
  EXPECT_THAT(succeed(staged("a")), HasSubstr("already finished after step 100"));
}

TEST_F(Stages, KilledInAnyStageTheResultIsTheSame) {
  if (kSanitized) GTEST_SKIP() << "the moments are chosen for a fast program";
  succeed(staged("left_alone"));
  for (const char* step : {"step-10", "step-20", "step-45", "step-80", "step-90"}) {
    Child child(staged("killed"));
    ASSERT_TRUE(child.wait_until([&] { return exists(path("killed/training/") + step); })) << step;
    child.send(SIGKILL);
    EXPECT_EQ(child.wait().exit_code, 128 + SIGKILL);
    EXPECT_THAT(succeed({"fill-mask", "--model", path("killed"), "the [MASK] king"}), HasSubstr("  0."));
  }
  const Outcome rest = run(staged("killed"));
  EXPECT_EQ(rest.exit_code, 0) << rest.error;
  EXPECT_THAT(rest.error, HasSubstr("stage 3 of 3"));
  EXPECT_THAT(rest.error, Not(HasSubstr("stage 1 of 3")));
  expect_same_run("left_alone", "killed", 100);
}

TEST_F(Stages, OneStageIsATrainingWithoutStages) {
  put(path("one.toml"), "[[stage]]\nsteps = 12\nmax-length = 32\nbatch = 8\n");
  succeed(staged("staged", "one.toml"));
  succeed(pretrain("plain", {"--validation-data", path("text.txt"), "--log-every", "1", "--save-every", "5",
                             "--validate-every", "1000"}));
  expect_same_run("staged", "plain", 12);
}

TEST_F(Stages, MoreStagesContinueAFinishedRun) {
  const std::string all(kThree);
  put(path("two.toml"), all.substr(0, all.rfind("[[stage]]")));
  succeed(staged("at_once"));
  succeed(staged("later", "two.toml"));
  EXPECT_THAT(log_of("later").back()["step"], 80);
  succeed(staged("later"));
  expect_same_run("at_once", "later", 100);
  expect_refused(staged("later", "two.toml"), 2, {"stages was 3, now 2"});
}

TEST_F(Stages, OtherSettingsAreNamed) {
  succeed(staged("a"));
  std::string other(kThree);
  other.replace(other.find("accumulate = 2"), 14, "accumulate = 3");
  put(path("other.toml"), other);
  expect_refused(staged("a", "other.toml"), 2, {"stage-2.accumulate was 2, now 3"});
  expect_refused(staged("a", "three.toml", {"--seed", "5"}), 2, {"seed was 1, now 5"});
  expect_refused(pretrain("a"), 2, {"this run was started in stages"});
  succeed(pretrain("plain"));
  expect_refused(staged("plain"), 2, {"this run was started without stages"});
}

TEST_F(Stages, TextsOfTheirOwn) {
  put(path("second.txt"), sentences(100, 5));
  put(path("texts.toml"),
      fmt::format("[[stage]]\nsteps = 3\n[[stage]]\nsteps = 3\ndata = [\"{}\"]\n", path("second.txt")));
  const Outcome outcome = run(staged("a", "texts.toml", {"--max-length", "32", "--batch-tokens", "256"}));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.error;
  const Json settings = Json::parse(content(path("a/training/settings.json")));
  EXPECT_NE(settings["stage-1.data"], settings["stage-2.data"]);
  EXPECT_THAT(outcome.error, ::testing::ContainsRegex("documents?, .*\nstage 1 of 2[^\n]*\n.*documents?, "));
}

TEST_F(Stages, FilesThatAreRefused) {
  expect_refused_file("", 1, {"bad.toml", "[[stage]]"});
  expect_refused_file("steps = 3\n", 1, {"bad.toml:1: \"steps\"", "[[stage]]"});
  expect_refused_file("[stage]\nsteps = 3\n", 1, {"bad.toml:1", "[[stage]]"});
  expect_refused_file("[[stage]]\nsteps = 3\n[[stage]\n", 1, {"bad.toml:3"});
  expect_refused_file("[[stage]]\nsteps = 3\nmax-lenght = 9\n", 2,
                      {"bad.toml:3: \"max-lenght\" is not a setting of a stage", "did you mean max-length?"});
  expect_refused_file("[[stage]]\nsteps = 3\nseed = 9\n", 2, {"bad.toml:3: \"seed\" is not a setting of a stage"});
  expect_refused_file("[[stage]]\nsteps = 3\n[[stage]]\nmax-length = 9\n", 2, {"bad.toml: stage 2 has no \"steps\""});
  expect_refused_file("[[stage]]\nsteps = 3\n[[stage]]\nsteps = 0\n", 2, {"stage 2: ", "--steps"});
  expect_refused_file("[[stage]]\nsteps = \"many\"\n", 2, {"bad.toml:2: \"steps\"", "many"});
  expect_refused_file("[[stage]]\nsteps = [3, 4]\n", 2, {"bad.toml:2: \"steps\"", "an array of 2"});
  expect_refused_file("[[stage]]\nsteps = 3\nbatch = 2\nbatch-tokens = 64\n", 2, {"\"batch\" (", "batch-tokens"});
  expect_refused_file("[[stage]]\nsteps = 3\n[[stage]]\nsteps = 3\nwarmup = 4\n", 2, {"stage 2: --warmup 4"});
  expect_refused(staged("x", "nowhere.toml"), 1, {"nowhere.toml"});
  expect_refused(staged("x") + Arguments{"--steps", "7"}, 2, {"--steps", "--stages"});
  expect_refused(staged("x") + Arguments{"--extend"}, 2, {"--extend", "--stages"});
  expect_refused(without(staged("x"), {"--validation-data"}), 2, {"--validation-data", "--validation-fraction 0"});
  EXPECT_FALSE(exists(path("x")));
}

TEST_F(Stages, AreShownWithTheSettings) {
  const std::string dump = succeed({"pretrain", "--stages", "three.toml", "--dump-config"});
  EXPECT_THAT(dump, HasSubstr("\nstages = \"three.toml\"\n"));
  EXPECT_THAT(dump, HasSubstr("\n# steps = \n"));
  EXPECT_THAT(dump, HasSubstr("\nwarmup = 0.1\n"));
}

// Table 4: length and batch in sequences.
TEST_F(Stages, ThoseOfThePaper) {
  const std::vector<PretrainOptions> stages = read_stages(ROFORMER_SOURCE_DIR "/examples/paper_stages.toml", {});
  const std::vector<std::array<int64_t, 3>> table = {{512, 256, 200'000}, {1536, 256, 12'500}, {256, 256, 120'000},
                                                     {128, 512, 80'000},  {1536, 256, 10'000}, {512, 512, 30'000}};
  ASSERT_EQ(stages.size(), table.size());
  for (size_t i = 0; i < table.size(); ++i) {
    const auto [length, batch, steps] = table[i];
    EXPECT_EQ(stages[i].max_length, length) << i;
    EXPECT_EQ(*stages[i].batch_tokens * stages[i].accumulate, batch * length) << i;
    EXPECT_EQ(stages[i].schedule.steps, steps) << i;
  }
}

}  // namespace
}  // namespace roformer::test
