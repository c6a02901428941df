// Training that is killed, interrupted, starved of disk, or started twice ends in the same bytes as one left alone.
#include <fmt/format.h>

#include <cmath>

#include "formats/safetensors.h"
#include "tests/cli/program.h"

namespace roformer::test {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kLongSteps = 150;

class Resume : public Workshop {
 protected:
  Arguments long_run(const std::string& output) const {
    return pretrain(output, {"--steps", std::to_string(kLongSteps), "--save-every", "10", "--validate-every", "25",
                             "--log-every", "1"});
  }
  // Until the first step is in the log.
  bool wait_for_training(Child& child, const std::string& output) const {
    const std::string log = path(output) + "/log.jsonl";
    return child.wait_until([&] { return exists(log) && std::filesystem::file_size(log) > 0; });
  }
  void expect_usable(const std::string& model) const {
    EXPECT_THAT(succeed({"fill-mask", "--model", path(model), "the [MASK] king"}), HasSubstr("the [MASK] king\n  0."));
  }
  void expect_nothing_temporary(const std::string& output) const {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path(output))) {
      EXPECT_FALSE(is_temporary_name(entry.path().filename().string())) << entry.path();
    }
  }
};

TEST_F(Resume, KilledAtAnyMomentTheResultIsTheSame) {
  if (kSanitized) GTEST_SKIP() << "the moments are chosen for a fast program";
  const auto begin = std::chrono::steady_clock::now();
  succeed(long_run("left_alone"));
  const std::chrono::duration<double> whole = std::chrono::steady_clock::now() - begin;

  Generator generator({7, 0});
  int resumed = 0;
  for (int kills = 0;; ++kills) {
    Child child(long_run("killed"));
    if (kills == 0) {  // once surely with something to resume from
      ASSERT_TRUE(child.wait_until([&] { return exists(path("killed/model.safetensors")); }));
      child.send(SIGKILL);
    } else if (kills < 12) {
      std::this_thread::sleep_for(whole * (0.05 + 0.5 * generator.uniform()));
      child.send(SIGKILL);
    }
    const Outcome outcome = child.wait();
    resumed += outcome.error.find("resuming") != std::string::npos ? 1 : 0;
    if (outcome.exit_code == 0) break;
    ASSERT_EQ(outcome.exit_code, 128 + SIGKILL) << outcome.error;
    if (exists(path("killed/model.safetensors"))) expect_usable("killed");
  }
  EXPECT_GE(resumed, 1);
  expect_same_run("left_alone", "killed", kLongSteps);
  expect_nothing_temporary("killed");
}

TEST_F(Resume, KilledBetweenSavingAndPublishingTheWeightsAreStillPublished) {
  succeed(pretrain("a"));
  const std::string weights = content(path("a/model.safetensors"));
  std::filesystem::remove(path("a/model.safetensors"));
  EXPECT_THAT(succeed(pretrain("a")), HasSubstr("already finished"));
  EXPECT_TRUE(content(path("a/model.safetensors")) == weights);
}

TEST_F(Resume, InterruptedItSavesAndGoesOn) {
  succeed(long_run("left_alone"));
  for (const int signal : {SIGTERM, SIGINT}) {
    const std::string output = "signal_" + std::to_string(signal);
    Child child(long_run(output));
    ASSERT_TRUE(wait_for_training(child, output));
    child.send(signal);
    const Outcome stopped = child.wait();
    EXPECT_EQ(stopped.exit_code, 130) << stopped.error;
    EXPECT_THAT(stopped.error, HasSubstr("interrupted; saved after step "));
    expect_usable(output);
    const Outcome rest = run(long_run(output));
    EXPECT_EQ(rest.exit_code, 0) << rest.error;
    EXPECT_THAT(rest.error, HasSubstr("resuming " + path(output) + " after step "));
    expect_same_run("left_alone", output, kLongSteps);
  }
}

TEST_F(Resume, SoDoesACausalModel) {
  const Arguments causal = {"--objective", "clm", "--dropout", "0.1"};
  succeed(long_run("left_alone") + causal);
  Child child(long_run("stopped") + causal);
  ASSERT_TRUE(wait_for_training(child, "stopped"));
  child.send(SIGTERM);
  EXPECT_EQ(child.wait().exit_code, 130);
  EXPECT_THAT(run(long_run("stopped") + causal).error, HasSubstr("resuming "));
  expect_same_run("left_alone", "stopped", kLongSteps);
}

// A promise of the library: handlers of the program around it never run in the middle of a kernel.
TEST_F(Resume, SignalsNeverReachAThreadThatComputes) {
  Child child(pretrain("a", {"--steps", "1000000", "--threads", "2"}));
  ASSERT_TRUE(wait_for_training(child, "a"));
  int threads = 0, reachable = 0;
  for (const auto& task : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", child.pid()))) {
    const std::string status = content(task.path() / "status");
    const size_t at = status.find("SigBlk:");
    ASSERT_NE(at, std::string::npos);
    const uint64_t blocked = std::stoull(status.substr(at + 7), nullptr, 16);
    const uint64_t both = uint64_t{1} << (SIGINT - 1) | uint64_t{1} << (SIGTERM - 1);
    ++threads;
    reachable += (blocked & both) != both ? 1 : 0;
  }
  EXPECT_GE(threads, 3);
  EXPECT_EQ(reachable, 1);
  child.send(SIGTERM);
  EXPECT_EQ(child.wait().exit_code, 130);
}

TEST_F(Resume, AFullDiskLeavesTheLastSaveAsItWas) {
  if (kSanitized) GTEST_SKIP() << "sanitizers write files of their own";
  succeed(long_run("left_alone"));
  Child child(long_run("starved"));
  ASSERT_TRUE(wait_for_training(child, "starved"));
  child.send(SIGTERM);
  const Outcome stopped = child.wait();
  ASSERT_EQ(stopped.exit_code, 130) << stopped.error;
  const std::string before = content(path("starved/model.safetensors"));
  ASSERT_GT(before.size(), 60'000u);

  const Outcome failed = run(long_run("starved"), {.input = {}, .file_limit = 50'000, .environment = {}});
  EXPECT_EQ(failed.exit_code, 1) << failed.error;
  EXPECT_THAT(failed.error, HasSubstr("\nroformer: "));
  EXPECT_THAT(failed.error, HasSubstr("File too large"));
  EXPECT_TRUE(content(path("starved/model.safetensors")) == before);
  expect_usable("starved");
  expect_nothing_temporary("starved");

  succeed(long_run("starved"));
  expect_same_run("left_alone", "starved", kLongSteps);
}

TEST_F(Resume, ADamagedSnapshotIsSkippedAndSaidSo) {
  succeed(long_run("a"));
  succeed(long_run("b"));
  std::string damaged = content(path("b/training/step-150/optimizer.safetensors"));
  damaged[damaged.size() / 2] ^= 1;
  put(path("b/training/step-150/optimizer.safetensors"), damaged);
  const Outcome outcome = run(long_run("b"));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.error;
  EXPECT_THAT(outcome.error, HasSubstr("step-150' is not used: "));
  EXPECT_THAT(outcome.error, HasSubstr("after step 140"));
  expect_same_run("a", "b", kLongSteps);
}

TEST_F(Resume, ThreadsDoNotShow) {
  succeed(pretrain("one"));
  for (const char* threads : {"2", "3"}) {
    succeed(pretrain(threads, {"--threads", threads}));
    expect_same_run("one", threads, 12);
  }
}

TEST_F(Resume, TwoHalfMicroBatchesAreOneBatch) {
  const Arguments exact = {"--dropout", "0", "--steps", "8", "--log-every", "1"};
  succeed(pretrain("whole", exact));
  succeed(pretrain("halves", exact + Arguments{"--batch-tokens", "128", "--accumulate", "2"}));
  succeed(pretrain("other", exact + Arguments{"--seed", "2"}));
  const auto whole = log_of("whole"), halves = log_of("halves"), other = log_of("other");
  ASSERT_EQ(whole.size(), 9u);
  ASSERT_EQ(halves.size(), whole.size());
  for (size_t i = 0; i < whole.size(); ++i) {
    EXPECT_NEAR(halves[i]["loss"], whole[i]["loss"], 1e-4) << i;
    EXPECT_GT(std::abs(other[i]["loss"].get<double>() - whole[i]["loss"].get<double>()), 1e-3) << i;
  }
  EXPECT_EQ(halves[7]["tokens"], whole[7]["tokens"]);
}

TEST_F(Resume, AFinishedRunIsLeftAsItIs) {
  succeed(pretrain("a"));
  const std::string weights = content(path("a/model.safetensors")), log = content(path("a/log.jsonl"));
  for (const Arguments& same :
       {Arguments{}, Arguments{"--threads", "2"}, Arguments{"--log-every", "3"}, Arguments{"--keep", "5"},
        Arguments{"--device", "reference"}, Arguments{"--save-every", "4"}, Arguments{"--validate-every", "4"}}) {
    EXPECT_EQ(succeed(pretrain("a", same)), path("a") + ": already finished after step 12\n");
  }
  EXPECT_TRUE(content(path("a/model.safetensors")) == weights);
  EXPECT_EQ(content(path("a/log.jsonl")), log);
}

TEST_F(Resume, OtherSettingsAreRefusedByName) {
  succeed(pretrain("a"));
  put(path("other.txt"), sentences(300, 2));
  put(path("validation.txt"), sentences(30, 3));
  const std::string weights = content(path("a/model.safetensors")), log = content(path("a/log.jsonl"));
  const auto expect_difference = [&](const Arguments& other, const std::string& named) {
    expect_refused(pretrain("a", other), 2, {path("a"), named});
  };
  expect_difference({"--learning-rate", "0.002"}, "learning-rate was 0.001, now 0.002");
  expect_difference({"--seed", "2"}, "seed was 1, now 2");
  expect_difference({"--data", path("other.txt")}, "data was ");
  expect_difference({"--validation-data", path("validation.txt")}, "validation-data was ");
  expect_difference({"--validation-fraction", "0.02"}, "validation-fraction was \"default\", now 0.02");
  expect_difference({"--steps", "13"}, "steps was 12, now 13");
  expect_difference({"--hidden-size", "64"}, "hidden_size was 32, now 64");
  expect_difference({"--position", "none"}, "position_embedding_type was null, now \"none\"");
  expect_difference({"--dropout", "0"}, "hidden_dropout_prob was 0.1, now 0");
  expect_difference({"--accumulate", "2"}, "accumulate was 1, now 2");
  expect_difference({"--warmup", "0"}, "warmup was 1, now 0");
  expect_difference({"--schedule", "cosine"}, "schedule was \"linear\", now \"cosine\"");
  expect_difference({"--whole-word"}, "whole-word was false, now true");
  expect_difference({"--beta2", "0.98"}, "beta2 was 0.999, now 0.98");
  EXPECT_TRUE(content(path("a/model.safetensors")) == weights);
  EXPECT_EQ(content(path("a/log.jsonl")), log);
}

TEST_F(Resume, TheSecondOfTwoRunsInOneDirectoryIsRefused) {
  const Arguments endless = pretrain("a", {"--steps", "1000000", "--schedule", "constant"});
  Child first(endless);
  ASSERT_TRUE(wait_for_training(first, "a"));
  expect_refused(endless, 1, {path("a"), "another run"});
  first.send(SIGTERM);
  const Outcome stopped = first.wait();
  EXPECT_EQ(stopped.exit_code, 130) << stopped.error;
  expect_usable("a");
}

TEST_F(Resume, AModelOfOthersIsNotOverwritten) {
  succeed(pretrain("a"));
  std::filesystem::remove_all(path("a/training"));
  const std::string weights = content(path("a/model.safetensors"));
  expect_refused(pretrain("a", {"--seed", "2"}), 1, {path("a"), "model.safetensors"});
  std::filesystem::remove(path("a/model.safetensors"));
  expect_refused(pretrain("a", {"--seed", "2"}), 1, {path("a"), "config.json"});
  EXPECT_FALSE(exists(path("a/training")));
}

TEST_F(Resume, NumbersThatOverflowStopItBeforeTheyAreSaved) {
  // The weights grow a million-fold a step: float ends at the seventh.
  const Arguments explosive = {"--steps",     "30",      "--learning-rate", "1000", "--weight-decay", "1000",
                               "--clip-norm", "0",       "--warmup",        "0",    "--save-every",   "1",
                               "--schedule",  "constant"};
  const Outcome outcome = run(pretrain("a", explosive));
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.error, ::testing::ContainsRegex("\nroformer: step [0-9]+: the .*(not a number|infinite)"));
  EXPECT_THAT(outcome.error, HasSubstr("the last good state is step "));
  const SafetensorsFile weights(path("a/model.safetensors"));
  for (const TensorInfo& info : weights.tensors()) {
    const Tensor tensor = weights.tensor(info.name);
    for (int64_t i = 0; i < tensor.elements(); ++i) ASSERT_TRUE(std::isfinite(tensor.data<float>()[i])) << info.name;
  }
  const Outcome again = run(pretrain("a", explosive));
  EXPECT_EQ(again.exit_code, 1);
  EXPECT_EQ(again.error.substr(again.error.find("\nroformer: ")),
            outcome.error.substr(outcome.error.find("\nroformer: ")));
}

}  // namespace
}  // namespace roformer::test
