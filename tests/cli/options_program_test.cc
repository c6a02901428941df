// The program as users see it: exit codes, one-line errors, what goes to which stream.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

namespace {

using testing::HasSubstr;
using testing::StartsWith;

struct Outcome {
  int exit_code;
  std::string output;
};

// Runs a shell command in which $R is the program.
Outcome shell(const std::string& command) {
  const std::string line = "R='" ROFORMER_PROGRAM "'; " + command;
  std::FILE* pipe = popen(line.c_str(), "r");
  Outcome outcome{-1, ""};
  if (pipe == nullptr) return outcome;
  std::array<char, 4096> buffer;
  for (size_t n; (n = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) outcome.output.append(buffer.data(), n);
  const int status = pclose(pipe);
  outcome.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

TEST(Program, AloneItSaysWhatItIsAndWhatToTypeNext) {
  for (const char* arguments : {"", " help", " --help", " -h"}) {
    const Outcome outcome = shell(std::string("$R") + arguments + " 2>/dev/null");
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_THAT(outcome.output, StartsWith("roformer "));
    EXPECT_THAT(outcome.output, HasSubstr("\n  info "));
    EXPECT_THAT(outcome.output, HasSubstr("\nRun roformer COMMAND --help"));
  }
}

TEST(Program, HelpForCommandsAndTopics) {
  const Outcome outcome = shell("$R help info");
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.output, HasSubstr("Usage: roformer info"));
  EXPECT_EQ(outcome.output, shell("$R info --help").output);
  EXPECT_THAT(shell("$R help settings").output, HasSubstr("ROFORMER_TOP_K"));
}

TEST(Program, Version) {
  const Outcome outcome = shell("$R --version");
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.output, "roformer " ROFORMER_VERSION "\n");
}

TEST(Program, WrongUsageIsOneLineAndExitCodeTwo) {
  const auto expect_usage_error = [](const std::string& arguments, const std::string& message) {
    const Outcome outcome = shell("$R " + arguments + " 2>&1 >/dev/null");
    EXPECT_EQ(outcome.exit_code, 2) << arguments;
    EXPECT_EQ(outcome.output, "roformer: " + message + "\n");
  };
  expect_usage_error("inof", "unknown command \"inof\"; did you mean info?");
  expect_usage_error("help inof", "unknown command or topic \"inof\"; did you mean info?");
  expect_usage_error("--versoin", "unknown option \"--versoin\"; did you mean --version?");
  expect_usage_error("info --jsno", "unknown option \"--jsno\"; did you mean --json?");
  expect_usage_error("info '[x]'", "unexpected argument \"[x]\"; see roformer info --help");
  expect_usage_error("''", "unknown command \"\"");
}

TEST(Program, InfoIsOneJsonObject) {
  const Outcome outcome = shell("$R info --json 2>/dev/null");
  EXPECT_EQ(outcome.exit_code, 0);
  const auto object = nlohmann::json::parse(outcome.output);
  EXPECT_EQ(object.at("version"), ROFORMER_VERSION);
  EXPECT_GE(object.at("cpu").at("cores").get<int>(), 1);
  EXPECT_TRUE(object.at("cpu").at("features").is_array());
  EXPECT_THAT(object.at("backends").get<std::vector<std::string>>(), testing::ElementsAre("cpu", "reference"));
  EXPECT_EQ(outcome.output.find('\n'), outcome.output.size() - 1);
  EXPECT_THAT(shell("$R info").output, HasSubstr("backends  cpu reference"));
  EXPECT_EQ(shell("ROFORMER_JSON=1 $R info").output, outcome.output);
}

TEST(Program, OutputThatCannotBeWrittenIsAFailure) {
  const Outcome full = shell("$R info 2>&1 >/dev/full");
  EXPECT_EQ(full.exit_code, 1);
  EXPECT_EQ(full.output, "roformer: standard output cannot be written: No space left on device\n");
  const Outcome closed = shell("$R info 2>&1 >&-");
  EXPECT_EQ(closed.exit_code, 1);
  EXPECT_THAT(closed.output, StartsWith("roformer: standard output cannot be written"));
}

TEST(Program, AClosedPipeEndsItQuietly) {
  for (const char* trap : {"", "trap '' PIPE; "}) {
    const Outcome outcome = shell(std::string(trap) + "{ { sleep 0.2; $R info; } 2>&1 >&3 | cat; } 3>&1 | true");
    EXPECT_EQ(outcome.output, "") << trap;
  }
}

TEST(Program, DataErrorsHaveExitCodeOne) {
  const Outcome outcome = shell("$R info --config-file /nowhere/x.toml 2>&1");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.output, testing::MatchesRegex("roformer: .*/nowhere/x.toml.*: No such file or directory\n"));
}

TEST(Program, MessagesSpellAnOptionAsItWasGiven) {
  const std::string rope = "$R rope clocks --output /nowhere/x.svg";
  const auto message = [](const std::string& command) { return shell(command + " 2>&1 >/dev/null").output; };
  const std::string reason = " is 7; expected an even rotary dimension of at least 2\n";
  EXPECT_EQ(message(rope + " --dim 7"), "roformer: --dim" + reason);
  EXPECT_EQ(message("ROFORMER_DIM=7 " + rope), "roformer: ROFORMER_DIM" + reason);
  EXPECT_EQ(message("printf '[info]\nx=1\n[rope]\ndim=7\n' | " + rope + " --config-file /dev/stdin"),
            "roformer: \"dim\" (/dev/stdin:4)" + reason);
}

}  // namespace
