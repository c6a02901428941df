// The program is killed, loses power, finds the disk full or gets an error at every single call by which it changes
// files; afterwards every file of its training directory is truncated. The same command again always ends with the
// bytes of a run left alone, or says what is wrong.
#include <fmt/format.h>

#include "checkpoint/snapshots.h"
#include "tests/cli/program.h"

namespace roformer::test {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kSteps = 4;

class Faults : public Workshop {
 protected:
  Faults() { succeed(tiny_run("left_alone")); }

  // Two saves, the second of which removes the first one's snapshot.
  Arguments tiny_run(const std::string& output, const std::string& keep = "1") const {
    return pretrain(
        output,
        {"--hidden-size", "4", "--layers",     "1", "--heads", "1",  "--max-length", "8", "--batch-tokens",   "32",
         "--steps",       "4", "--save-every", "2", "--keep",  keep, "--log-every",  "1", "--validate-every", "100"});
  }

  // A run in which call number `at` meets a fault of this kind. The call is in fault(), empty if the run ended before.
  Outcome run_with_fault(const std::string& kind, int at) const {
    std::filesystem::remove(path("report"));
    return run(
        tiny_run("struck"),
        {.input = {},
         .file_limit = {},
         .environment = {"LD_PRELOAD=" ROFORMER_FAULT_INJECTOR, "FAULT_DIRECTORY=" + path("struck"),
                         "FAULT_KIND=" + kind, "FAULT_AT=" + std::to_string(at), "FAULT_REPORT=" + path("report")}});
  }
  std::string fault() const { return exists(path("report")) ? content(path("report")) : ""; }

  // Calls check(outcome) after a fault at each call in turn, then expects that the run can be finished.
  void strike_everywhere(const std::string& kind, const std::function<void(const Outcome&)>& check) {
    for (int at = 1;; ++at) {
      std::filesystem::remove_all(path("struck"));
      const Outcome outcome = run_with_fault(kind, at);
      if (fault().empty()) {
        EXPECT_EQ(outcome.exit_code, 0);
        std::printf("%d calls\n", at - 1);
        EXPECT_GT(at, 60) << "a run has two saves of four files each";
        return;
      }
      SCOPED_TRACE(fmt::format("{} at call {}: {}", kind, at, fault()));
      check(outcome);
      expect_snapshots_whole();
      const Outcome again = run(tiny_run("struck"));
      EXPECT_EQ(again.exit_code, 0) << again.error;
      expect_same_run("left_alone", "struck", kSteps);
      expect_nothing_left_over();
      if (HasFailure()) return;
    }
  }

  // What is named as a snapshot is one.
  void expect_snapshots_whole() const {
    for (const std::string& reason : find_latest_snapshot(path("struck")).skipped) ADD_FAILURE() << reason;
  }
  void expect_nothing_left_over() const {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path("struck"))) {
      EXPECT_FALSE(is_temporary_name(entry.path().filename().string())) << entry.path();
    }
  }
  void expect_removal_or_close() const {
    EXPECT_THAT(fault(), ::testing::AnyOf(::testing::StartsWith("unlink"), ::testing::StartsWith("close"),
                                          ::testing::StartsWith("remove")));
  }
  void expect_usable(const std::string& model) const {
    const Outcome outcome = run({"fill-mask", "--model", path(model), "the [MASK]", "--threads", "1"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.error;
  }
};

TEST_F(Faults, KilledAtEveryCall) {
  strike_everywhere("kill",
                    [&](const Outcome& outcome) { EXPECT_EQ(outcome.exit_code, 128 + SIGKILL) << outcome.error; });
}

TEST_F(Faults, PowerLostAtEveryCall) {
  strike_everywhere("power", [&](const Outcome& outcome) {
    EXPECT_EQ(outcome.exit_code, 128 + SIGKILL) << outcome.error;
    if (exists(path("struck/model.safetensors"))) expect_usable("struck");
  });
}

TEST_F(Faults, DiskFullFromEveryCallOn) {
  strike_everywhere("full", [&](const Outcome& outcome) {
    // Training is complete, and only the page about it is missing.
    if (outcome.error.find("error: the report was not written: cannot ") != std::string::npos) return;
    if (outcome.exit_code == 0) return expect_removal_or_close();  // needs no space, and nothing came after it
    EXPECT_EQ(outcome.exit_code, 1) << outcome.error;
    EXPECT_THAT(outcome.error, HasSubstr("roformer: cannot "));
    EXPECT_THAT(outcome.error, HasSubstr(path("struck")));
    EXPECT_THAT(outcome.error, HasSubstr("No space left on device"));
  });
}

TEST_F(Faults, OneErrorAtEveryCall) {
  strike_everywhere("error", [&](const Outcome& outcome) {
    if (outcome.exit_code == 0) return;  // of a call whose failure loses nothing
    EXPECT_EQ(outcome.exit_code, 1) << outcome.error;
    EXPECT_THAT(outcome.error, HasSubstr(path("struck")));
    EXPECT_THAT(outcome.error, HasSubstr("Input/output error"));
  });
}

// Nothing of what a disk may do to a file afterwards goes unnoticed: it is repaired from what is left, or refused by
// name.
TEST_F(Faults, EveryFileCutShortAfterwards) {
  succeed(tiny_run("whole", "2"));
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path("whole"))) {
    if (entry.is_regular_file() && entry.file_size() > 0) {
      files.push_back(entry.path().lexically_relative(path("whole")).string());
    }
  }
  ASSERT_GE(files.size(), 14u);
  for (const std::string& file : files) {
    const std::string text = content(path("whole") + "/" + file);
    for (const size_t length : {size_t{0}, size_t{1}, text.size() / 2, text.size() - 2}) {
      SCOPED_TRACE(fmt::format("{} cut to {} of {} bytes", file, length, text.size()));
      std::filesystem::remove_all(path("cut"));
      std::filesystem::copy(path("whole"), path("cut"), std::filesystem::copy_options::recursive);
      // Where model.safetensors is a hard link both names are cut, as on a disk.
      std::filesystem::remove(path("cut/model.safetensors"));
      std::filesystem::create_hard_link(path("cut/training/step-4/model.safetensors"), path("cut/model.safetensors"));
      std::filesystem::resize_file(path("cut") + "/" + file, length);
      const Outcome outcome = run(tiny_run("cut", "2"));
      if (file == "training/settings.json" && outcome.exit_code != 0) {  // without it nobody knows what run this is
        EXPECT_EQ(outcome.exit_code, 1);
        EXPECT_THAT(outcome.error, HasSubstr("roformer: " + path("cut/training/settings.json: line ")));
        continue;
      }
      EXPECT_EQ(outcome.exit_code, 0) << outcome.error;
      if (file == "log.jsonl") continue;  // of a finished run nothing writes it again
      expect_same_run("whole", "cut", kSteps);
      for (const char* name : {"config.json", "vocab.txt", "tokenizer_config.json"}) {
        EXPECT_EQ(content(path("whole/") + name), content(path("cut/") + name)) << name;
      }
      expect_usable("cut");
    }
  }
}

// A log that lost its end, or its middle, neither stops a training that goes on nor a plot.
TEST_F(Faults, ALogCutShortDoesNotStopATraining) {
  succeed(tiny_run("whole", "2"));
  const std::string log = content(path("whole/log.jsonl"));
  std::filesystem::remove_all(path("whole/training/step-4"));  // two steps to go
  for (const std::string& spoilt : {log.substr(0, log.size() / 2), log.substr(0, 1), std::string(),
                                    std::string(100, '\0') + log, log.substr(0, 30) + log}) {
    std::filesystem::remove_all(path("cut"));
    std::filesystem::copy(path("whole"), path("cut"), std::filesystem::copy_options::recursive);
    put(path("cut/log.jsonl"), spoilt);
    const Outcome outcome = run(tiny_run("cut", "2"));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.error;
    EXPECT_TRUE(content(path("cut/model.safetensors")) == content(path("left_alone/model.safetensors")));
    EXPECT_EQ(log_of("cut").back(), log_of("left_alone").back());
    succeed({"plot", path("cut"), "--event", "train"});
  }
}

}  // namespace
}  // namespace roformer::test
