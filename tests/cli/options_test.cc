#include "cli/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/did_you_mean.h"
#include "cli/setting_options.h"
#include "tests/base/temp_directory.h"

namespace roformer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

// Fields for every kind of option.
struct Fields {
  std::string prompt = "hello", device = "cpu";
  int64_t top_k = 5;
  std::optional<int64_t> max_length;
  double dropout = 0.1;
  std::optional<double> epochs;
  std::optional<std::string> init;
  bool json = false;
  std::vector<std::string> data, positions = {"rotary"}, texts;
  std::vector<int64_t> lengths = {128};
};

class Options : public testing::Test {
 protected:
  Options() : set_("demo", "Shows options", "roformer demo --top-k 3") {
    set_.add("--prompt", fields_.prompt, "Start of the text");
    set_.add("--top-k", fields_.top_k, "Candidates", {1, 100});
    set_.add("--max-length", fields_.max_length, "Longest text", {.low = 1});
    set_.section("Training");
    set_.add("--dropout", fields_.dropout, "Dropout", {.low = 0, .high = 1, .high_excluded = true});
    set_.add("--epochs", fields_.epochs, "Epochs");
    set_.add("--init-from", fields_.init, "Start from", "DIR");
    set_.add("--data", fields_.data, "Files");
    set_.add_words("--positions", fields_.positions, "Encodings", {"rotary", "none"});
    set_.add("--lengths", fields_.lengths, "Lengths", {.low = 1});
    set_.add_positional("TEXT", fields_.texts, "Texts");
    add_device(set_, fields_.device);
    add_json(set_, fields_.json);
  }

  bool parse(const std::vector<std::string>& arguments) { return set_.parse(arguments, out_, commands_); }

  std::string failure(const std::vector<std::string>& arguments) {
    try {
      parse(arguments);
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
      return error.what();
    }
    return "no error";
  }

  std::string write(const std::string& content) {
    const std::string path = directory_ / "options_test.toml";
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }

  const TempDirectory directory_;
  const std::vector<std::string> commands_ = {"demo", "other", "pretrain"};
  Fields fields_;
  OptionSet set_;
  std::ostringstream out_;
};

// Sets a variable for the lifetime of the object.
struct Variable {
  Variable(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }
  ~Variable() { unsetenv(name_); }
  const char* name_;
};

const std::vector<std::string> kOddTexts = {"[MASK] is [MASK]",
                                            "[a, b]",
                                            "a, \"b\" [c]",
                                            "{x}",
                                            "\"quoted\"",
                                            "'q'",
                                            "😀 汉字",
                                            "",
                                            " ",
                                            "a=b",
                                            "%s",
                                            "\\n",
                                            "a\nb\tc",
                                            "\x01"
                                            "0",
                                            "++",
                                            "/windows:1",
                                            "1,2,3",
                                            "`$(x)`",
                                            "[",
                                            "]",
                                            "-5",
                                            "a;b#c",
                                            "#",
                                            "\x7f"};

TEST_F(Options, OddTextsArriveUntouchedEverywhere) {
  for (const std::string& text : kOddTexts) {
    for (const auto& arguments : std::vector<std::vector<std::string>>{
             {"--prompt", text, text, "x"}, {"--prompt=" + text, "--", text, "x"}, {text, "x", "--prompt", text}}) {
      ASSERT_TRUE(parse(arguments)) << text;
      EXPECT_EQ(fields_.prompt, text);
      EXPECT_THAT(fields_.texts, ElementsAre(text, "x"));
    }
    ASSERT_TRUE(parse({"--data", text, text, "--data=" + text}));
    EXPECT_THAT(fields_.data, ElementsAre(text, text, text));
  }
}

TEST_F(Options, OddTextsSurviveDumpFileAndEnvironment) {
  for (const std::string& text : kOddTexts) {
    out_.str("");
    EXPECT_FALSE(parse({"--prompt=" + text, "--data", text, "x", "--dump-config"}));
    const std::string path = write(out_.str());
    Fields fields;
    OptionSet other("demo", "");
    other.add("--prompt", fields.prompt, "");
    other.add("--data", fields.data, "");
    std::string keys;
    std::istringstream dumped(out_.str());
    for (std::string line; std::getline(dumped, line);) {
      if (line.starts_with("prompt") || line.starts_with("data")) keys += line + "\n";
    }
    ASSERT_TRUE(other.parse(std::vector<std::string>{"--config-file", write(keys)}, out_)) << text;
    EXPECT_EQ(fields.prompt, text);
    EXPECT_THAT(fields.data, ElementsAre(text, "x"));
    {
      const Variable variable("ROFORMER_PROMPT", text.c_str());
      OptionSet third("demo", "");
      third.add("--prompt", fields.prompt, "");
      fields.prompt = "unset";
      ASSERT_TRUE(third.parse({}, out_));
      EXPECT_EQ(fields.prompt, text);
    }
    std::remove(path.c_str());
  }
}

TEST_F(Options, ListsTakeAllTextsUpToTheNextOption) {
  ASSERT_TRUE(parse({"t", "--data=a", "b", "-c", "--json", "u", "--data", "d", "--top-k", "7", "v", "--data=--json",
                     "e", "--", "w", "--data"}));
  EXPECT_THAT(fields_.data, ElementsAre("a", "b", "-c", "d", "--json", "e"));
  EXPECT_THAT(fields_.texts, ElementsAre("t", "u", "v", "w", "--data"));
  EXPECT_TRUE(fields_.json);
  ASSERT_TRUE(parse({"--json", "false", "--data", "-", "-5"}));  // a flag takes no text
  EXPECT_TRUE(fields_.json);
  EXPECT_THAT(fields_.texts, ElementsAre("false"));
  EXPECT_THAT(fields_.data, ElementsAre("-", "-5"));
}

TEST_F(Options, EveryKindIsRead) {
  ASSERT_TRUE(parse({"--top-k", "7", "--max-length=9", "--dropout", "1e-3", "--epochs", "+2.5", "--init-from", "d",
                     "--json", "--positions", "none,rotary", "--lengths", "5,17", "512", "--device", "reference"}));
  EXPECT_EQ(fields_.top_k, 7);
  EXPECT_EQ(fields_.max_length, 9);
  EXPECT_EQ(fields_.dropout, 1e-3);
  EXPECT_EQ(fields_.epochs, 2.5);
  EXPECT_EQ(fields_.init, "d");
  EXPECT_TRUE(fields_.json);
  EXPECT_THAT(fields_.positions, ElementsAre("none", "rotary"));
  EXPECT_THAT(fields_.lengths, ElementsAre(5, 17, 512));
  EXPECT_EQ(fields_.device, "reference");
  EXPECT_TRUE(set_.given("--top-k"));
  EXPECT_FALSE(set_.given("--prompt"));
}

TEST_F(Options, DefaultsStayAndTheLastOfTwoWins) {
  ASSERT_TRUE(parse({"--top-k", "7", "--top-k", "8", "--json", "--json=false"}));
  EXPECT_EQ(fields_.top_k, 8);
  EXPECT_FALSE(fields_.json);
  EXPECT_EQ(fields_.prompt, "hello");
  EXPECT_FALSE(fields_.max_length.has_value());
  EXPECT_THAT(fields_.lengths, ElementsAre(128));
}

TEST_F(Options, WrongValuesAreRefusedWithWhatWasExpected) {
  EXPECT_EQ(failure({"--top-k", "0"}), "--top-k: expected an integer from 1 to 100, got \"0\"");
  EXPECT_EQ(failure({"--max-length", "x"}), "--max-length: expected an integer of at least 1, got \"x\"");
  EXPECT_EQ(failure({"--dropout", "1"}), "--dropout: expected a number of at least 0 and below 1, got \"1\"");
  EXPECT_THAT(failure({"--positions", "rotary,rotar"}), HasSubstr("got \"rotar\"; did you mean rotary?"));
  EXPECT_THAT(failure({"--device", "gpu"}), HasSubstr("--device: expected cpu, reference, got \"gpu\""));
  EXPECT_THAT(failure({"--json=maybe"}), HasSubstr("--json: expected true or false"));
  for (const char* text : {"", "7x", "7.0", " 7", "99999999999999999999", "0x7", "--7"}) {
    EXPECT_THAT(failure({std::string("--top-k=") + text}), HasSubstr("--top-k: expected")) << text;
  }
  for (const char* text : {"nan", "inf", "1e999", "", "1,5"}) {
    EXPECT_THAT(failure({std::string("--epochs=") + text}), HasSubstr("--epochs: expected a number")) << text;
  }
  EXPECT_THAT(failure({"--lengths", "5,,7"}), HasSubstr("--lengths: expected"));
}

TEST_F(Options, UnknownAndIncompleteOptionsAreRefused) {
  EXPECT_EQ(failure({"--topk", "3"}), "unknown option \"--topk\"; did you mean --top-k?");
  EXPECT_EQ(failure({"--zzzzzzzz"}), "unknown option \"--zzzzzzzz\"");
  EXPECT_THAT(failure({"--[x]=1"}), HasSubstr("unknown option \"--[x]\""));
  EXPECT_THAT(failure({"---"}), HasSubstr("unknown option"));
  EXPECT_THAT(failure({"-k", "5"}), HasSubstr("unknown option \"-k\""));
  EXPECT_EQ(failure({"--top-k"}), "--top-k: expected a value; see roformer demo --help");
  EXPECT_EQ(failure({"--data"}), "--data: expected a value; see roformer demo --help");
  EXPECT_EQ(failure({"--data", "-h"}), "--data: expected a value, got the option -h");
  EXPECT_EQ(failure({"--top-k", "--jsno"}), "unknown option \"--jsno\"; did you mean --json?");
  EXPECT_EQ(failure({"-h5"}), "unknown option \"-h5\" (a text that starts with a dash goes after --)");
  EXPECT_EQ(failure({"--=x"}), "unknown option \"--\"");
  EXPECT_EQ(failure({"--top-k", "--json"}), "--top-k: expected a value, got the option --json");
  EXPECT_EQ(failure({"--top-k", "--prompt=a"}), "--top-k: expected a value, got the option --prompt");
  EXPECT_THAT(failure({"--prompt", "--"}), HasSubstr("--prompt: expected a value"));
  Fields fields;
  OptionSet bare("bare", "");
  add_json(bare, fields.json);
  for (const char* text : {"text", "", "-5", "-k"}) {
    EXPECT_THROW(bare.parse(std::vector<std::string>{text}, out_), UsageError) << text;
    EXPECT_THROW(bare.parse(std::vector<std::string>{"--", text}, out_), UsageError) << text;
  }
}

TEST_F(Options, DashesAfterTwoDashesAreTexts) {
  ASSERT_TRUE(parse({"--prompt", "-foo", "--", "-k", "--json", "--", "-"}));
  EXPECT_EQ(fields_.prompt, "-foo");
  EXPECT_THAT(fields_.texts, ElementsAre("-k", "--json", "--", "-"));
  EXPECT_FALSE(fields_.json);
  ASSERT_TRUE(parse({"-5", "-"}));
  EXPECT_THAT(fields_.texts, ElementsAre("-5", "-"));
}

TEST_F(Options, CommandLineBeatsEnvironmentBeatsFileBeatsDefault) {
  const std::string path = write("top-k = 3\ndropout = 0.3\nprompt = 'file'\njson = true\nlengths = [1, 2]\n");
  const Variable dropout("ROFORMER_DROPOUT", "0.2"), prompt("ROFORMER_PROMPT", "environment"),
      data("ROFORMER_DATA", "a,b"), file("ROFORMER_CONFIG_FILE", path.c_str());
  ASSERT_TRUE(parse({"--prompt", "line"}));
  EXPECT_EQ(fields_.prompt, "line");
  EXPECT_EQ(fields_.dropout, 0.2);
  EXPECT_EQ(fields_.top_k, 3);
  EXPECT_TRUE(fields_.json);
  EXPECT_THAT(fields_.lengths, ElementsAre(1, 2));
  EXPECT_THAT(fields_.data, ElementsAre("a", "b"));
  EXPECT_EQ(fields_.device, "cpu");
  EXPECT_TRUE(set_.given("--dropout"));
}

TEST_F(Options, MistakesInFileAndEnvironmentNameTheirPlace) {
  const auto from_file = [&](const std::string& content) { return failure({"--config-file", write(content)}); };
  EXPECT_THAT(from_file("\ntop-k = 0\n"),
              HasSubstr("options_test.toml:2: \"top-k\": expected an integer from 1 to 100"));
  EXPECT_THAT(from_file("topk = 1\n"),
              HasSubstr("options_test.toml:1: \"topk\" is not a setting of roformer demo; did"));
  EXPECT_THAT(from_file("dump-config = true\n"), HasSubstr("is not a setting"));
  EXPECT_THAT(from_file("TEXT = 'x'\n"), HasSubstr("is not a setting"));
  EXPECT_THAT(from_file("top-k = [1, 2]\n"), HasSubstr("expected one value, got an array of 2"));
  EXPECT_THAT(from_file("top-k = [{a = 1}]\n"), HasSubstr("expected a string, number"));
  EXPECT_THAT(from_file("top-k = \n"), HasSubstr("options_test.toml:1: "));
  EXPECT_THAT(from_file("top-k = 1\ntop-k = 2\n"), HasSubstr("options_test.toml:2: "));
  EXPECT_THAT(from_file("prompt = " + std::string(100000, '[')), HasSubstr("options_test.toml:1: "));
  EXPECT_THAT(from_file("\xff\xfe"), HasSubstr("options_test.toml:"));
  EXPECT_THROW(parse({"--config-file", testing::TempDir()}), FileError);
  EXPECT_THROW(parse({"--config-file", "/nowhere/at/all"}), FileError);
  const Variable top_k("ROFORMER_TOP_K", "many");
  EXPECT_THAT(failure({}), HasSubstr("ROFORMER_TOP_K: expected an integer from 1 to 100, got \"many\""));
}

TEST_F(Options, TablesOfAFileAreOfOneCommand) {
  const auto from_file = [&](const std::string& content) { return failure({"--config-file", write(content)}); };
  const std::string shared =
      "top-k = 3\nprompt = 'top'\ndata = ['a']\n[demo]\nprompt = 'own'\ndata = ['b', 'c']\n"
      "[other]\ntop-k = 'any'\nunheard-of = {x = 1}\n[pretrain.deep]\nx = 1979-05-27\n";
  ASSERT_EQ(from_file(shared), "no error");
  EXPECT_EQ(fields_.top_k, 3);
  EXPECT_EQ(fields_.prompt, "own");
  EXPECT_THAT(fields_.data, ElementsAre("b", "c"));
  const Variable prompt("ROFORMER_PROMPT", "environment");
  ASSERT_TRUE(parse({"--config-file", write(shared), "--data", "d"}));
  EXPECT_EQ(fields_.prompt, "environment");
  EXPECT_THAT(fields_.data, ElementsAre("d"));

  ASSERT_EQ(from_file("demo.top-k = 4\n"), "no error");
  EXPECT_EQ(fields_.top_k, 4);
  EXPECT_THAT(from_file("[demo]\ntop-k = 0\n"), HasSubstr("options_test.toml:2: \"top-k\": expected an integer"));
  EXPECT_THAT(from_file("[demo]\ntopk = 1\n"),
              HasSubstr("options_test.toml:2: \"topk\" is not a setting of roformer demo"));
  EXPECT_THAT(from_file("[demo.top-k]\na = 1\n"), HasSubstr("\"top-k\": expected a string, number"));
  EXPECT_THAT(from_file("[pretain]\n"),
              HasSubstr("toml:1: \"pretain\" is a table, but no command has this name; did you mean pretrain?"));
  EXPECT_THAT(from_file("[top-k]\na = 1\n"), HasSubstr("\"top-k\" is a table, but no command has this name"));
  EXPECT_THAT(from_file("unheard-of = 1\n[other]\nunheard-of = 1\n"), HasSubstr("\"unheard-of\" is not a setting"));
}

TEST_F(Options, AreSpelledAsTheyWereGiven) {
  const std::string path = write("top-k = 3\nmax-length = 7\n[demo]\nepochs = 2\n");
  const Variable dropout("ROFORMER_DROPOUT", "0.2"), top_k("ROFORMER_TOP_K", "4");
  ASSERT_TRUE(parse({"--config-file", path, "--prompt=x"}));
  EXPECT_EQ(set_.spelled("--prompt"), "--prompt");
  EXPECT_EQ(set_.spelled("--dropout"), "ROFORMER_DROPOUT");
  EXPECT_EQ(set_.spelled("--top-k"), "ROFORMER_TOP_K");
  EXPECT_EQ(set_.spelled("--max-length"), "\"max-length\" (" + path + ":2)");
  EXPECT_EQ(set_.spelled("--epochs"), "\"epochs\" (" + path + ":4)");
  EXPECT_EQ(set_.spelled("--device"), "--device");
  EXPECT_EQ(set_.spelled("--unknown"), "--unknown");
  ASSERT_TRUE(parse({"--dropout", "0.3"}));
  EXPECT_EQ(set_.spelled("--dropout"), "--dropout");
  EXPECT_EQ(set_.spelled("--epochs"), "--epochs");
}

TEST_F(Options, WrongValuesNameTheirPlaceForEveryKind) {
  const auto expect = [&](const std::string& name, const std::string& value, const std::string& message) {
    EXPECT_THAT(failure({"--" + name + "=" + value}), StartsWith("--" + name + ": " + message));
    const std::string path = write(name + " = '" + value + "'\n");
    EXPECT_THAT(failure({"--config-file", path}), StartsWith(path + ":1: \"" + name + "\": " + message));
    std::string variable = "ROFORMER_" + name;
    for (char& c : variable) c = c == '-' ? '_' : static_cast<char>(std::toupper(c));
    const Variable set(variable.c_str(), value.c_str());
    EXPECT_THAT(failure({}), StartsWith(variable + ": " + message));
  };
  expect("top-k", "101", "expected an integer from 1 to 100, got \"101\"");
  expect("max-length", "x", "expected an integer of at least 1, got \"x\"");
  expect("dropout", "1", "expected a number of at least 0 and below 1, got \"1\"");
  expect("epochs", "inf", "expected a number, got \"inf\"");
  expect("device", "gpu", "expected cpu, reference, got \"gpu\"");
  expect("positions", "rotar", "expected rotary, none, got \"rotar\"; did you mean rotary?");
  expect("lengths", "5,0", "expected an integer of at least 1, got \"0\"");
  expect("json", "maybe", "expected true or false, got \"maybe\"");
}

TEST_F(Options, DumpIsTheEffectiveSettings) {
  EXPECT_FALSE(parse({"--top-k", "9", "--dump-config", "--data", "a b"}));
  EXPECT_EQ(out_.str(),
            "# roformer demo\nprompt = \"hello\"\ntop-k = 9\n# max-length = \ndropout = 0.1\n# epochs = \n"
            "# init-from = \ndata = [\"a b\"]\npositions = [\"rotary\"]\nlengths = [128]\ndevice = \"cpu\"\n"
            "json = false\n");
  EXPECT_THAT(failure({"--prompt=\xff", "--dump-config"}), HasSubstr("not UTF-8"));
}

TEST_F(Options, HelpShowsEverythingInEightyColumns) {
  set_.require("--data");
  EXPECT_FALSE(parse({"--help", "--top-k", "9"}));
  const std::string help = out_.str();
  for (const char* part : {"Shows options", "Usage: roformer demo [OPTIONS] [TEXT...]", "--top-k N", "(default 5)",
                           "Training:", "--init-from DIR", "Files (required)", "-h,--help", "Encodings: rotary, none",
                           "Example:\n  roformer demo --top-k 3", "--lengths LIST"}) {
    EXPECT_THAT(help, HasSubstr(part));
  }
  EXPECT_GT(help.find("General:"), help.find("Training:"));
  std::istringstream lines(help);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80u) << line;
}

TEST(Help, IsThisPage) {
  std::string index, name = "a";
  std::vector<std::string> files, queries;
  bool on = true;
  OptionSet set("search", "Finds", "roformer search i q");
  set.add_positional("INDEX", index, "where");
  set.add_positional("QUERY", queries, "what");
  set.require("INDEX");
  set.add("--a-name-that-fills-the-column", name, "text");
  set.section("Other");
  set.add("--files", files, std::string(49, 'x') + " y");
  set.add("--switch", on, "flag");
  EXPECT_EQ(set.help(),
            "Finds\n\nUsage: roformer search [OPTIONS] INDEX [QUERY...]\n\n"
            "Positionals:\n"
            "  INDEX                       Where (required)\n"
            "  QUERY                       What\n\n"
            "Options:\n"
            "  --a-name-that-fills-the-column TEXT\n"
            "                              Text (default \"a\")\n\n"
            "Other:\n"
            "  --files FILE...             X" +
                std::string(48, 'x') +
                "\n"
                "                              y\n"
                "  --switch                    Flag (default; switch off with --switch=false)\n\n"
                "General:\n"
                "  -h,--help                   Show this help\n"
                "  --config-file FILE          Read settings from this TOML file; its keys are\n"
                "                              the option names\n"
                "  --dump-config               Print all settings as TOML and exit\n\n"
                "Example:\n  roformer search i q\n");
}

TEST_F(Options, RequiredOptionsMayComeFromAnywhere) {
  set_.require("--data");
  set_.require("--prompt");
  EXPECT_EQ(failure({}), "--prompt, --data are required; see roformer demo --help");
  const Variable data("ROFORMER_DATA", "a");
  EXPECT_TRUE(parse({"--prompt", "x"}));
}

TEST(Positionals, AreFilledInOrder) {
  std::string index, query;
  std::vector<std::string> rest;
  OptionSet set("search", "");
  set.add_positional("INDEX", index, "");
  set.add_positional("QUERY", rest, "");
  set.require("INDEX");
  std::ostringstream out;
  ASSERT_TRUE(set.parse(std::vector<std::string>{"i", "[q]", "r"}, out));
  EXPECT_EQ(index, "i");
  EXPECT_THAT(rest, ElementsAre("[q]", "r"));
}

TEST(DidYouMean, NamesOnlyWhatIsNear) {
  const std::vector<std::string> names = {"--top-k", "--top-p", "--threads"};
  EXPECT_EQ(did_you_mean("--top-l", names), "; did you mean --top-k?");
  EXPECT_EQ(did_you_mean("--thread", names), "; did you mean --threads?");
  EXPECT_EQ(did_you_mean("--thr", names), "; did you mean --threads?");  // its beginning
  EXPECT_EQ(did_you_mean("--batch-size", names), "");
  EXPECT_EQ(did_you_mean(std::string(100000, 'x'), names), "");
  EXPECT_EQ(did_you_mean("x", {}), "");
}

TEST(SettingOptions, HelpNamesOptions) {
  EXPECT_EQ(option_help("that of `init_from`, or `seed`"), "that of --init-from, or --seed");
  EXPECT_EQ(option_help("an open `quote"), "an open `quote");
  EXPECT_EQ(option_help(""), "");
}

}  // namespace
}  // namespace roformer
