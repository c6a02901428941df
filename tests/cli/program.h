// The real program as a child process, a small text to train on, and what a run leaves behind.
#pragma once

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "base/random.h"
#include "tests/base/temp_directory.h"

namespace roformer::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
inline constexpr bool kSanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);  // clang
#else
inline constexpr bool kSanitized = false;
#endif

struct Outcome {
  int exit_code = -1;  // 128 + number if a signal ended it
  std::string output, error;
};

using Arguments = std::vector<std::string>;

inline Arguments operator+(Arguments first, const Arguments& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

// One run of the program. Standard streams are memory, so that nothing waits for a reader.
class Child {
 public:
  struct Options {
    std::string input;                     // standard input
    std::optional<rlim_t> file_limit;      // bytes a file may have, as `ulimit -f`
    std::vector<std::string> environment;  // beside the test's own, without its ROFORMER_… settings
    rlim_t memory_limit = RLIM_INFINITY;   // bytes of address space, as `ulimit -v`; not for sanitized programs
    std::string directory{};               // to run in; empty: the test's own
  };

  explicit Child(const Arguments& arguments) : Child(arguments, Options{}) {}
  Child(const Arguments& arguments, const Options& options) {
    write_all(streams_[0], options.input);
    std::vector<std::string> words = {ROFORMER_PROGRAM}, variables = options.environment;
    words.insert(words.end(), arguments.begin(), arguments.end());
    for (char** variable = environ; *variable != nullptr; ++variable) {
      if (std::strncmp(*variable, "ROFORMER_", 9) != 0) variables.emplace_back(*variable);
    }
    const auto argv = pointers(words), envp = pointers(variables);
    pid_ = fork();
    if (pid_ != 0) return;
    for (int i = 0; i < 3; ++i) dup2(streams_[i].descriptor, i);
    if (options.file_limit) {
      const rlimit limit{*options.file_limit, *options.file_limit};
      setrlimit(RLIMIT_FSIZE, &limit);
    }
    if (options.memory_limit != RLIM_INFINITY) {
      const rlimit limit{options.memory_limit, options.memory_limit};
      setrlimit(RLIMIT_AS, &limit);
    }
    if (!options.directory.empty() && chdir(options.directory.c_str()) != 0) _exit(127);
    execve(argv[0], argv.data(), envp.data());
    _exit(127);
  }
  ~Child() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // Nothing if wait_until() has seen it end: kill(-1) would reach every process.
  void send(int signal) const {
    if (pid_ > 0) kill(pid_, signal);
  }
  pid_t pid() const { return pid_; }
  // What it has printed so far.
  size_t output_bytes() const {
    struct stat status {};
    return fstat(streams_[1].descriptor, &status) == 0 ? static_cast<size_t>(status.st_size) : 0;
  }

  // False if it ends, or two minutes pass, before the condition holds.
  bool wait_until(const std::function<bool()>& condition) {
    for (int i = 0; i < 120'000 && !ended(); ++i) {
      if (condition()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
  }

  Outcome wait() {
    wait_until([] { return false; });
    if (!ended()) {
      ADD_FAILURE() << "the program hangs";
      send(SIGKILL);
      waitpid(std::exchange(pid_, -1), &status_, 0);
    }
    const Outcome outcome{WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_), read_all(streams_[1]),
                          read_all(streams_[2])};
    EXPECT_EQ(outcome.error.find("Sanitizer"), std::string::npos) << outcome.error;
    EXPECT_EQ(outcome.error.find("runtime error:"), std::string::npos) << outcome.error;
    return outcome;
  }

 private:
  struct Stream {
    int descriptor = memfd_create("stream", MFD_CLOEXEC);
    ~Stream() { ::close(descriptor); }
  };

  static std::vector<char*> pointers(std::vector<std::string>& words) {
    std::vector<char*> result;
    for (std::string& word : words) result.push_back(word.data());
    result.push_back(nullptr);
    return result;
  }
  static void write_all(const Stream& stream, const std::string& text) {
    ASSERT_EQ(pwrite(stream.descriptor, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  }
  static std::string read_all(const Stream& stream) {
    std::string text(static_cast<size_t>(lseek(stream.descriptor, 0, SEEK_END)), '\0');
    EXPECT_EQ(pread(stream.descriptor, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    return text;
  }

  bool ended() {
    if (pid_ > 0 && waitpid(pid_, &status_, WNOHANG) == pid_) pid_ = -1;
    return pid_ < 0;
  }

  Stream streams_[3];
  pid_t pid_ = -1;
  int status_ = 0;
};

inline Outcome run(const Arguments& arguments, const Child::Options& options = {}) {
  return Child(arguments, options).wait();
}

// Expects exit code 0 and returns what it printed.
inline std::string succeed(const Arguments& arguments, const Child::Options& options = {}) {
  const Outcome outcome = run(arguments, options);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.error;
  return outcome.output;
}

// Expects this exit code and one line of error with all of `parts`.
inline void expect_refused(const Arguments& arguments, int exit_code, const std::vector<std::string>& parts,
                           const Child::Options& options = {}) {
  const Outcome outcome = run(arguments, options);
  std::string line;
  for (const std::string& argument : arguments) line += argument.substr(0, 200) + " ";
  EXPECT_EQ(outcome.exit_code, exit_code) << line << "\n" << outcome.error;
  EXPECT_THAT(outcome.error, ::testing::StartsWith("roformer: ")) << line;
  EXPECT_EQ(outcome.error.find('\n'), outcome.error.size() - 1) << line << "\n" << outcome.error;
  EXPECT_LT(outcome.error.size(), 1000u) << line;
  for (const std::string& part : parts) EXPECT_THAT(outcome.error, ::testing::HasSubstr(part)) << line;
}

inline std::vector<Json> json_lines(const std::string& text) {
  std::vector<Json> lines;
  for (size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    lines.push_back(Json::parse(text.substr(begin, end - begin)));
  }
  return lines;
}

inline std::vector<std::string> keys(const Json& object) {
  std::vector<std::string> names;
  for (const auto& [key, value] : object.items()) names.push_back(key);
  return names;
}

inline std::string content(const std::string& path) { return read_file(path, int64_t{1} << 32); }
inline void put(const std::string& path, const std::string& text) { write_file_atomically(path, text); }
inline bool exists(const std::string& path) { return std::filesystem::exists(path); }

// Sentences of a small grammar, a blank line after every seven.
inline std::string sentences(int count, uint64_t seed = 1) {
  const std::vector<std::vector<std::string>> grammar = {
      {"the", "a", "every", "this"},
      {"old", "small", "green", "quick", "quiet", "bright"},
      {"king", "river", "garden", "ship", "child", "house", "tree", "stone"},
      {"sees", "finds", "loves", "builds", "follows", "carries"}};
  Generator generator({seed, 0});
  std::string text;
  for (int i = 0; i < count; ++i) {
    for (const size_t part : {0, 1, 2, 3, 0, 1, 2}) {
      text += grammar[part][generator.below(grammar[part].size())] + " ";
    }
    text.back() = '.';
    text += i % 7 == 6 ? "\n\n" : "\n";
  }
  return text;
}

// A directory with text.txt and a word-piece tokenizer "tokenizer" of it, which is trained once a process:
// tests/CMakeLists.txt runs these suites whole.
class Workshop : public ::testing::Test {
 protected:
  Workshop() { std::filesystem::copy(trained().path(), directory_.path(), std::filesystem::copy_options::recursive); }

  std::string path(const std::string& name) const { return directory_ / name; }

  // pretrain of a tiny model into path(output); `more` overrides the settings here.
  Arguments pretrain(const std::string& output, const Arguments& more = {}) const {
    std::vector<std::pair<std::string, std::string>> settings = {{"--data", path("text.txt")},
                                                                 {"--tokenizer", path("tokenizer")},
                                                                 {"--hidden-size", "32"},
                                                                 {"--layers", "2"},
                                                                 {"--heads", "2"},
                                                                 {"--max-length", "32"},
                                                                 {"--batch-tokens", "256"},
                                                                 {"--steps", "12"},
                                                                 {"--threads", "1"}};
    Arguments result = {"pretrain", "--output", path(output)};
    for (const auto& [name, value] : settings) {
      if (std::find(more.begin(), more.end(), name) == more.end()) result = result + Arguments{name, value};
    }
    return result + more;
  }
  // Without the options named, e.g. the shape where it comes from elsewhere.
  static Arguments without(Arguments arguments, const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      const auto found = std::find(arguments.begin(), arguments.end(), name);
      if (found != arguments.end()) arguments.erase(found, found + 2);
    }
    return arguments;
  }

  std::vector<Json> log_of(const std::string& output) const {
    std::vector<Json> events = json_lines(content(path(output) + "/log.jsonl"));
    for (Json& event : events) {
      for (const char* key : {"tokens_per_second", "tokens_per_cpu_second", "data_wait"})
        event.erase(key);  // never twice the same
    }
    return events;
  }

  // The results of two finished runs of `steps`, to the bit.
  void expect_same_run(const std::string& a, const std::string& b, int64_t steps) const {
    EXPECT_TRUE(content(path(a) + "/model.safetensors") == content(path(b) + "/model.safetensors")) << a << " " << b;
    for (const char* name : {"model.safetensors", "optimizer.safetensors", "state.json", "manifest.json"}) {
      const std::string file = "/training/step-" + std::to_string(steps) + "/" + name;
      EXPECT_TRUE(content(path(a) + file) == content(path(b) + file)) << file;
    }
    EXPECT_EQ(log_of(a), log_of(b));
  }

  TempDirectory directory_;

 private:
  static const TempDirectory& trained() {
    static const TempDirectory directory;
    [[maybe_unused]] static const std::string once = [] {
      put(directory / "text.txt", sentences(300));
      return succeed({"train-tokenizer", "--vocab-size", "120", "--lowercase", "--input", directory / "text.txt",
                      "--output", directory / "tokenizer", "--threads", "1"});
    }();
    return directory;
  }
};

}  // namespace roformer::test
