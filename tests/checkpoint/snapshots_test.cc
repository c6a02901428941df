#include "checkpoint/snapshots.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/signal.h"
#include "formats/safetensors.h"
#include "tests/base/temp_directory.h"

namespace roformer {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

void put(const std::string& path, const std::string& content) { std::ofstream(path, std::ios::binary) << content; }

std::string get(const std::string& path) { return read_file(path, 1 << 20); }

std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory)) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

// A snapshot whose files all contain `step`.
std::string save(const std::string& directory, int64_t step) {
  SnapshotWriter writer(directory, step);
  Tensor weights = Tensor::allocate({1000}, DType::float32);
  for (int i = 0; i < 1000; ++i) weights.data<float>()[i] = static_cast<float>(step);
  write_safetensors(writer.path("model.safetensors"), {{"w", weights}});
  FileWriter state(writer.path("state.json"));
  state.write("{\"step\": " + std::to_string(step) + "}");
  state.close();
  FileWriter(writer.path("empty")).close();
  return writer.commit();
}

int64_t step_in(const std::string& snapshot) {
  const float value = SafetensorsFile(snapshot + "/model.safetensors").tensor("w").data<float>()[999];
  const std::string text = get(snapshot + "/state.json");
  EXPECT_EQ(text, "{\"step\": " + std::to_string(static_cast<int>(value)) + "}");
  return static_cast<int64_t>(value);
}

// 0 if there is none.
int64_t latest(const std::string& directory) {
  const SnapshotSearch search = find_latest_snapshot(directory);
  if (!search.snapshot) return 0;
  EXPECT_EQ(step_in(search.snapshot->path), search.snapshot->step);
  return search.snapshot->step;
}

TEST(Snapshots, TheNewestIsFound) {
  TempDirectory directory;
  EXPECT_EQ(latest(directory / "absent"), 0);
  EXPECT_EQ(latest(directory.path()), 0);
  for (int64_t step : {9, 100, 20})
    EXPECT_EQ(save(directory.path(), step), directory / "training/step-" + std::to_string(step));
  EXPECT_EQ(latest(directory.path()), 100);
  EXPECT_TRUE(find_latest_snapshot(directory.path()).skipped.empty());
  EXPECT_THAT(names_in(directory / "training"), ElementsAre("step-100", "step-20", "step-9"));
  EXPECT_THAT(names_in(directory / "training/step-9"),
              ElementsAre("empty", "manifest.json", "model.safetensors", "state.json"));
  EXPECT_EQ(get(directory / "training/step-9/manifest.json"),
            "{\"files\":{\"empty\":{\"size\":0,\"xxh3_128\":\"99aa06d3014798d86001c324468d497f\"},"
            "\"model.safetensors\":{\"size\":4072,\"xxh3_128\":\"" +
                std::string(Json::parse(
                    get(directory / "training/step-9/manifest.json"))["files"]["model.safetensors"]["xxh3_128"]) +
                "\"},\"state.json\":{\"size\":11,\"xxh3_128\":\"" +
                std::string(
                    Json::parse(get(directory / "training/step-9/manifest.json"))["files"]["state.json"]["xxh3_128"]) +
                "\"}},\"step\":9}\n");
}

TEST(Snapshots, WithoutCommitNothingRemains) {
  TempDirectory directory;
  {
    SnapshotWriter writer(directory.path(), 5);
    put(writer.path("f"), "x");
  }
  EXPECT_TRUE(fs::is_empty(directory / "training"));
  SnapshotWriter writer(directory.path(), 5);
  for (const char* name : {"", "..", "a/b", "manifest.json"}) EXPECT_THROW(writer.path(name), ShapeError) << name;
}

TEST(Snapshots, ADamagedOneIsPassedOverWithTheReason) {
  const auto damages = std::vector<std::pair<std::string, std::function<void(const std::string&)>>>{
      {"has 4071 bytes, expected 4072", [](auto& s) { fs::resize_file(s + "/model.safetensors", 4071); }},
      {"has 0 bytes, expected 11", [](auto& s) { fs::resize_file(s + "/state.json", 0); }},
      {"No such file", [](auto& s) { fs::remove(s + "/model.safetensors"); }},
      {"No such file", [](auto& s) { fs::remove(s + "/empty"); }},
      {"has 1 bytes, expected 0", [](auto& s) { put(s + "/empty", "x"); }},
      {"is damaged", [](auto& s) { put(s + "/state.json", "{\"step\": 3}"); }},
      {"No such file", [](auto& s) { fs::remove(s + "/manifest.json"); }},
      {"line 1, column 1", [](auto& s) { fs::resize_file(s + "/manifest.json", 0); }},
      {"line 1, column 41", [](auto& s) { fs::resize_file(s + "/manifest.json", 40); }},
      {"'step' is 1, expected 2", [](auto& s) { put(s + "/manifest.json", "{\"step\":1,\"files\":{}}"); }},
      {"'files' is missing", [](auto& s) { put(s + "/manifest.json", "{\"step\":2}"); }},
      {"is not a file name",
       [](auto& s) {
         put(s + "/manifest.json", "{\"step\":2,\"files\":{\"../step-1/empty\":{\"size\":0,\"xxh3_128\":\"\"}}}");
       }},
      {"Not a directory", [](auto& s) { fs::remove_all(s), put(s, "x"); }},
      {"Is a directory", [](auto& s) { fs::remove(s + "/empty"), fs::create_directory(s + "/empty"); }},
  };
  for (const auto& [reason, damage] : damages) {
    TempDirectory directory;
    save(directory.path(), 1);
    const std::string snapshot = save(directory.path(), 2);
    damage(snapshot);
    EXPECT_EQ(latest(directory.path()), 1) << reason;
    EXPECT_THAT(find_latest_snapshot(directory.path()).skipped, ElementsAre(HasSubstr(reason)));
    save(directory.path(), 2);  // replaces it
    EXPECT_EQ(latest(directory.path()), 2) << reason;
    EXPECT_THAT(names_in(directory / "training"), ElementsAre("step-1", "step-2"));
  }
}

TEST(Snapshots, OneThatDoesNotListWhatIsNeededIsPassedOver) {
  const TempDirectory place;
  save(place.path(), 1);
  EXPECT_TRUE(find_latest_snapshot(place.path(), {"model.safetensors", "empty"}).snapshot.has_value());
  const SnapshotSearch search = find_latest_snapshot(place.path(), {"model.safetensors", "optimizer.safetensors"});
  EXPECT_FALSE(search.snapshot.has_value());
  ASSERT_EQ(search.skipped.size(), 1u);
  EXPECT_THAT(search.skipped[0], HasSubstr("'optimizer.safetensors' is missing"));
}

TEST(Snapshots, OtherNamesAreIgnored) {
  TempDirectory directory;
  save(directory.path(), 3);
  for (const char* name :
       {"step-", "step-x", "step-+4", "step-04", "step--4", "step-5 ", "step-99999999999999999999", "other"}) {
    fs::create_directory(directory / "training/" + std::string(name));
  }
  EXPECT_EQ(latest(directory.path()), 3);
  EXPECT_TRUE(find_latest_snapshot(directory.path()).skipped.empty());
}

TEST(Snapshots, PruneKeepsTheNewestValidOnes) {
  TempDirectory directory;
  for (int64_t step : {1, 2, 3, 4}) save(directory.path(), step);
  fs::remove(directory / "training/step-3/manifest.json");
  prune_snapshots(directory.path(), 2);
  EXPECT_THAT(names_in(directory / "training"), ElementsAre("step-2", "step-4"));
  EXPECT_THROW(prune_snapshots(directory.path(), 0), UsageError);
  prune_snapshots(directory / "absent", 1);
}

TEST(Snapshots, CleanRemovesWhatKilledRunsLeft) {
  TempDirectory directory;
  save(directory.path(), 1);
  fs::create_directory(directory / "training/.tmp-step-2");
  put(directory / "training/.tmp-step-2/f", "x");
  put(temporary_name(directory / "config.json"), "{");
  put(directory / "config.json", "{}");
  clean_snapshots(directory.path());
  EXPECT_THAT(names_in(directory.path()), ElementsAre("config.json", "training"));
  EXPECT_THAT(names_in(directory / "training"), ElementsAre("step-1"));
}

TEST(Publish, ReplacesTheTargetAndMayBeRepeated) {
  TempDirectory directory;
  const std::string target = directory / "model.safetensors";
  put(target, "old");
  const std::string snapshot = save(directory.path(), 7);
  for (int i = 0; i < 2; ++i) {
    publish(snapshot + "/model.safetensors", target);
    EXPECT_EQ(get(target), get(snapshot + "/model.safetensors"));
    EXPECT_THAT(names_in(directory.path()), ElementsAre("model.safetensors", "training"));
  }
  save(directory.path(), 8);
  prune_snapshots(directory.path(), 1);
  EXPECT_EQ(SafetensorsFile(target).tensor("w").data<float>()[0], 7);
  EXPECT_THROW(publish(directory / "absent", target), FileError);
  EXPECT_THROW(publish(snapshot, directory / "training"), FileError);
  EXPECT_THAT(names_in(directory.path()), ElementsAre("model.safetensors", "training"));
}

TEST(Publish, CopiesAcrossFileSystems) {
  TempDirectory here, there(testing::TempDir());
  put(there / "f", "content");
  publish(there / "f", here / "f");
  EXPECT_EQ(get(here / "f"), "content");
  EXPECT_THAT(names_in(here.path()), ElementsAre("f"));
}

// The trainer's save sequence.
void save_and_publish(const std::string& directory, int64_t step) {
  const std::string snapshot = save(directory, step);
  publish(snapshot + "/model.safetensors", directory + "/model.safetensors");
  prune_snapshots(directory, 1);
}

TEST(Snapshots, AFullDiskLeavesTheOldState) {
  // A file size limit simulates a full disk: writes fail at that byte.
  for (const rlim_t bytes : {0, 10, 100, 2000, 4071}) {
    TempDirectory directory;
    save_and_publish(directory.path(), 1);
    const pid_t child = ::fork();
    if (child == 0) {
      ignore_file_size_signal();
      const rlimit limit{bytes, bytes};
      ::setrlimit(RLIMIT_FSIZE, &limit);
      int code = 0;
      try {
        save_and_publish(directory.path(), 2);
      } catch (const FileError& error) {
        code = std::string(error.what()).find("File too large") == std::string::npos ? 2 : 3;
      }
      ::_exit(code);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 3) << bytes;
    EXPECT_EQ(latest(directory.path()), 1);
    EXPECT_EQ(SafetensorsFile(directory / "model.safetensors").tensor("w").data<float>()[0], 1);
    EXPECT_THAT(names_in(directory / "training"), ElementsAre("step-1"));
  }
}

enum class Ending { killed, finished, untraceable };

// Runs `work` in a child that is killed before its system call number `count`.
Ending killed_before_call(int count, const std::function<void()>& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(1);
    ::raise(SIGSTOP);
    work();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (!WIFSTOPPED(status)) return Ending::untraceable;
  // Each call stops twice, before and after.
  for (int stops = 0; stops < 2 * count + 1; ++stops) {
    ::ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
    ::waitpid(child, &status, 0);
    if (!WIFSTOPPED(status)) return Ending::finished;
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, &status, 0);
  return Ending::killed;
}

TEST(Snapshots, AKillAtAnySystemCallLeavesTheOldOrTheNewState) {
  int old_states = 0, new_states = 0;
  for (int count = 0;; ++count) {
    ASSERT_LT(count, 2000);
    TempDirectory directory;
    save_and_publish(directory.path(), 1);
    const Ending ending = killed_before_call(count, [&] { save_and_publish(directory.path(), 2); });
    if (ending == Ending::untraceable) GTEST_SKIP() << "ptrace is not permitted";
    const int64_t step = latest(directory.path());
    ASSERT_TRUE(step == 1 || step == 2) << count;
    ++(step == 1 ? old_states : new_states);
    const float published = SafetensorsFile(directory / "model.safetensors").tensor("w").data<float>()[999];
    ASSERT_TRUE(published == 1 || (published == 2 && step == 2)) << count;
    // The next run cleans up and continues.
    clean_snapshots(directory.path());
    save_and_publish(directory.path(), 3);
    ASSERT_EQ(latest(directory.path()), 3);
    ASSERT_THAT(names_in(directory / "training"), ElementsAre("step-3"));
    ASSERT_THAT(names_in(directory.path()), ElementsAre("model.safetensors", "training"));
    if (ending == Ending::finished) break;
  }
  EXPECT_GT(old_states, 20);
  EXPECT_GT(new_states, 5);
}

bool can_exchange(const std::string& directory) {
  fs::create_directory(directory + "/a");
  fs::create_directory(directory + "/b");
  return ::renameat2(AT_FDCWD, (directory + "/a").c_str(), AT_FDCWD, (directory + "/b").c_str(), RENAME_EXCHANGE) == 0;
}

TEST(Snapshots, AKillWhileReplacingTheOnlyOneLeavesAValidOne) {
  TempDirectory place;
  if (!can_exchange(place.path())) GTEST_SKIP() << "the file system cannot exchange two directories";
  for (int count = 0;; ++count) {
    ASSERT_LT(count, 2000);
    TempDirectory directory;
    save(directory.path(), 1);
    const Ending ending = killed_before_call(count, [&] { save(directory.path(), 1); });
    if (ending == Ending::untraceable) GTEST_SKIP() << "ptrace is not permitted";
    ASSERT_EQ(latest(directory.path()), 1) << count;
    if (ending == Ending::finished) break;
  }
}

}  // namespace
}  // namespace roformer
