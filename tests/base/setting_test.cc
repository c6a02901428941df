#include "base/setting.h"
#include "base/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/setting_text.h"

namespace roformer {
namespace {

using testing::ElementsAre;

struct InnerOptions {
  double share = 0.5;
};

struct DemoOptions {
  std::string kind = "plain";
  std::optional<int64_t> steps = {};
  InnerOptions inner = {};
  bool loud = false;
  std::vector<std::string> files = {};
  std::string name = {};
  std::vector<std::string> colors = {};
};

template <OptionsOf<InnerOptions> Options>
void visit_settings(Options& options, auto& visitor) {
  visitor.real(options.share, {"share", "of it", Effect::result}, {0, 1, true, false});
}

template <OptionsOf<DemoOptions> Options>
void visit_settings(Options& options, auto& visitor) {
  visitor.section("Demo");
  visitor.choice(options.kind, {"kind", "which", Effect::result}, {"plain", "loud"});
  visitor.integer(options.steps, {"max_steps", "how many", Effect::resolved}, {1, 9});
  visit_settings(options.inner, visitor);
  std::optional<Unused> unused;
  if (options.kind == "plain") unused = {"kind", "plain is not"};
  visitor.flag(options.loud, {.name = "loud", .help = "as it says", .unused = unused});
  visitor.texts(options.files, {"files", "some"}, "FILE");
  visitor.text(options.name, {"name", "one"}, "NAME");
  visitor.words(options.colors, {"colors", "some"}, {"red", "blue"});
}

std::string failure(const DemoOptions& options) {
  try {
    check_settings(options);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

TEST(Settings, ValuesComeInTheirOrderWithNestedOnes) {
  const DemoOptions options{.kind = "loud", .steps = 3, .inner = {.share = 0.25}, .files = {"a", "b"}};
  std::vector<std::string> names, values;
  const SettingValues visited = setting_values(options);
  for (const SettingValues::Entry& entry : visited.entries()) {
    names.push_back(entry.name);
    values.push_back(dump_json(to_json(entry.value)));
    EXPECT_FALSE(entry.unused) << entry.name;
  }
  EXPECT_THAT(names, ElementsAre("kind", "max_steps", "share", "loud", "files", "name", "colors"));
  EXPECT_THAT(values, ElementsAre("\"loud\"", "3", "0.25", "false", "[\"a\",\"b\"]", "\"\"", "[]"));
  EXPECT_EQ(visited.entries()[1].effect, Effect::resolved);
  EXPECT_EQ(setting_values(DemoOptions{}).entries()[1].value, SettingValue());
}

TEST(Settings, ValuesOutsideTheirRangesAreRefused) {
  EXPECT_EQ(failure({}), "");
  EXPECT_EQ(failure({.steps = 1}), "");
  EXPECT_EQ(failure({.steps = 9}), "");
  EXPECT_EQ(failure({.steps = 0}), "max_steps: expected an integer from 1 to 9, got 0");
  EXPECT_EQ(failure({.steps = 10}), "max_steps: expected an integer from 1 to 9, got 10");
  EXPECT_EQ(failure({.inner = {.share = 1}}), "");
  EXPECT_EQ(failure({.inner = {.share = 0}}), "share: expected a number above 0 and at most 1, got 0");
  EXPECT_EQ(failure({.inner = {.share = std::numeric_limits<double>::quiet_NaN()}}),
            "share: expected a number above 0 and at most 1, got nan");
  EXPECT_EQ(failure({.colors = {"red", "blue", "red"}}), "");
  EXPECT_EQ(failure({.colors = {"red", "pink"}}), "colors: expected red, blue, got \"pink\"");
  EXPECT_EQ(failure({.kind = "odd"}), "kind: expected plain, loud, got \"odd\"");
}

TEST(Settings, WhatNothingReadsIsRefusedUnlessItIsTheDefault) {
  EXPECT_EQ(failure({.kind = "loud", .loud = true}), "");
  EXPECT_EQ(failure({.loud = true}), "loud: kind plain is not");
  try {
    check_settings(DemoOptions{.loud = true});
  } catch (const UsageError& error) {
    EXPECT_EQ(error.detail().field, "loud");
    EXPECT_EQ(error.message([](const std::string& name) { return "--" + name; }), "--loud: --kind plain is not");
  }
}

TEST(Settings, AreSetFromTextByName) {
  DemoOptions options;
  for (const auto& [name, text] : std::vector<std::pair<std::string, std::string>>{{"kind", "loud"},
                                                                                   {"max-steps", "+3"},
                                                                                   {"share", "2.5e-1"},
                                                                                   {"loud", "true"},
                                                                                   {"files", "a,b"},
                                                                                   {"name", "a,b"},
                                                                                   {"colors", "red,blue"}}) {
    set_setting(options, name, text);
  }
  EXPECT_EQ(options.kind, "loud");
  EXPECT_EQ(options.steps, 3);
  EXPECT_EQ(options.inner.share, 0.25);
  EXPECT_TRUE(options.loud);
  EXPECT_THAT(options.files, ElementsAre("a", "b"));
  EXPECT_EQ(options.name, "a,b");
  EXPECT_THAT(options.colors, ElementsAre("red", "blue"));
  set_setting(options, "max_steps", "4");
  EXPECT_EQ(options.steps, 4);
}

TEST(Settings, RefuseTextThatIsNoValue) {
  const auto refused = [](const std::string& name, const std::string& text) -> std::string {
    DemoOptions options;
    try {
      set_setting(options, name, text);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(refused("max-steps", "10"), "max_steps: expected an integer from 1 to 9, got \"10\"");
  EXPECT_EQ(refused("max-steps", "1x"), "max_steps: expected an integer from 1 to 9, got \"1x\"");
  EXPECT_EQ(refused("share", "nan"), "share: expected a number above 0 and at most 1, got \"nan\"");
  EXPECT_EQ(refused("loud", "maybe"), "loud: expected true or false, got \"maybe\"");
  EXPECT_EQ(refused("kind", "odd"), "kind: expected plain, loud, got \"odd\"");
  EXPECT_EQ(refused("colors", "red,,blue"), "colors: expected red, blue, got \"\"");
  EXPECT_EQ(refused("steps", "1"),
            "there is no setting \"steps\", expected one of kind, max-steps, share, loud, files, name, colors");
}

TEST(Settings, RangesSayWhatTheyExpect) {
  EXPECT_EQ(IntegerRange{}.expected(), "an integer");
  EXPECT_EQ((IntegerRange{.low = 2}).expected(), "an integer of at least 2");
  EXPECT_EQ((IntegerRange{.high = 2}).expected(), "an integer of at most 2");
  EXPECT_EQ(RealRange{}.expected(), "a number");
  EXPECT_EQ((RealRange{.low = 0}).expected(), "a number of at least 0");
  EXPECT_EQ((RealRange{0, 1, true, true}).expected(), "a number above 0 and below 1");
  EXPECT_FALSE(RealRange{}.contains(std::numeric_limits<double>::infinity()));
}

TEST(Settings, NamesOnCommandLinesAndInFiles) {
  EXPECT_EQ(hyphenated("max_batch_tokens"), "max-batch-tokens");
  EXPECT_EQ(hyphenated("seed"), "seed");
}

}  // namespace
}  // namespace roformer
