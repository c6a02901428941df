// What is made from the list of all commands: the reference page, completion, and settings that survive every way in.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>

#include "base/error.h"
#include "cli/overview.h"
#include "cli/registry.h"
#include "tests/cli/program.h"

namespace roformer::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;

TEST(Reference, ThePageIsWhatTheProgramSays) {
  const std::string page = read_file(ROFORMER_SOURCE_DIR "/docs/cli.md", 1 << 20);
  EXPECT_EQ(page, reference()) << "write it anew: build/release/roformer help reference > docs/cli.md";
  for (const Command& command : all_commands()) EXPECT_THAT(page, HasSubstr("\n## " + command.name + "\n"));
}

TEST(Reference, EveryCommandHasAnExampleThatParses) {
  for (const Command& command : all_commands()) {
    if (!command.example.starts_with("roformer ")) continue;
    EXPECT_TRUE(command.example.starts_with("roformer " + command.name)) << command.example;
    const std::string call = ROFORMER_PROGRAM + command.example.substr(8) + " --dump-config > /dev/null";
    EXPECT_EQ(std::system(call.c_str()), 0) << call;
  }
}

// Sets every option of a command to something, all at once.
Arguments unusual_settings(const Command& command) {
  Arguments all;
  for (const OptionInfo& option : options_of(command)) {
    if (option.environment.empty() || option.name == "--config-file") continue;
    Arguments candidates = {"7", "0.25", "5,17", "odd \"name\" = [x] 'y'", "true"};
    if (!option.choices.empty()) candidates = {option.choices.back()};
    if (option.value_name.empty()) candidates = {option.default_value.empty() ? "true" : "false"};
    bool taken = false;
    for (const std::string& value : candidates) {
      OptionSet set(command.name, "");
      const auto work = command.prepare(set);
      std::ostringstream out;
      try {
        set.parse(Arguments{option.name + "=" + value, "--dump-config"}, out);
      } catch (const UsageError&) {
        continue;
      }
      all.push_back(option.name + "=" + value);
      taken = true;
      break;
    }
    EXPECT_TRUE(taken) << option.name;
  }
  return all;
}

std::string dump(const Command& command, Arguments arguments) {
  OptionSet set(command.name, "");
  const auto work = command.prepare(set);
  arguments.push_back("--dump-config");
  std::ostringstream out;
  EXPECT_FALSE(set.parse(arguments, out));
  return out.str();
}

TEST(Settings, OfEveryCommandAreTheSameFromLineFileAndEnvironment) {
  const TempDirectory directory;
  const std::string file = directory / "settings.toml";
  for (const Command& command : all_commands()) {
    const Arguments settings = unusual_settings(command);
    const std::string expected = dump(command, settings);
    EXPECT_EQ(expected == dump(command, {}), settings.empty() || command.name == "completion") << command.name;
    write_file_atomically(file, expected);
    EXPECT_EQ(dump(command, {"--config-file", file}), expected);
    for (const std::string& setting : settings) {
      const size_t equals = setting.find('=');
      for (const OptionInfo& option : options_of(command)) {
        if (option.name == setting.substr(0, equals)) setenv(option.environment.c_str(), &setting[equals + 1], 1);
      }
    }
    EXPECT_EQ(dump(command, {}), expected);
    for (const OptionInfo& option : options_of(command)) unsetenv(option.environment.c_str());
  }
}

// What bash offers for the last of these words, which are as bash cuts a line.
Arguments complete(const std::string& words) {
  const std::string call = "bash -c 'source <(" ROFORMER_PROGRAM " completion); COMP_WORDS=(" + words +
                           "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _roformer; printf \"%s\\n\" \"${COMPREPLY[@]}\"'";
  FILE* pipe = popen(call.c_str(), "r");
  Arguments offered;
  char word[256];
  while (std::fgets(word, sizeof word, pipe) != nullptr) {
    if (word[0] != '\n') offered.emplace_back(word, std::strlen(word) - 1);
  }
  EXPECT_EQ(pclose(pipe), 0) << call;
  return offered;
}

TEST(Completion, OffersCommandsOptionsAndChoices) {
  EXPECT_THAT(complete("roformer pre"), ElementsAre("pretrain"));
  EXPECT_THAT(complete("roformer \"\""), IsSupersetOf({"pretrain", "fill-mask", "completion", "help"}));
  EXPECT_THAT(complete("roformer help set"), ElementsAre("settings"));
  EXPECT_THAT(complete("roformer pretrain --sch"), ElementsAre("--schedule"));
  EXPECT_THAT(complete("roformer pretrain --schedule \"\""), IsSupersetOf({"linear", "cosine"}));
  EXPECT_THAT(complete("roformer pretrain --schedule co"), ElementsAre("constant", "cosine"));
  EXPECT_THAT(complete("roformer pretrain --schedule = co"), ElementsAre("constant", "cosine"));
  EXPECT_THAT(complete("roformer pretrain --schedule ="), IsSupersetOf({"linear", "cosine"}));
  EXPECT_THAT(complete("roformer pretrain --output x --hea"), ElementsAre("--heads"));
  EXPECT_THAT(complete("roformer pretrain --output d"), ElementsAre());  // bash offers files
}

}  // namespace
}  // namespace roformer::test
