// roformer tokenize as a program: much text in parallel, errors in its midst, jieba's words.
#include "tests/cli/program.h"

namespace roformer::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class Tokenize : public Workshop {
 protected:
  Tokenize() {
    for (const char* name : {"bert", "jieba"}) make_directories(path(name));
    put(path("bert/vocab.txt"), "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\nking\n##s\n");
    put(path("jieba/vocab.txt"), "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n今天\n非常\n好\n天\n气\n");
    put(path("jieba/tokenizer_config.json"), R"({"tokenizer_class":"RoFormerTokenizer"})");
    put(path("jieba/jieba_dict.txt"), "今天 9 t\n天气 9 n\n今天天气 1 n\n非常 9 d\n好 9 a\n");
  }

  Outcome ask(const Arguments& arguments, const std::string& input = "") const {
    return run(Arguments{"tokenize"} + arguments,
               {.input = input, .file_limit = {}, .environment = {"XDG_CACHE_HOME=" + path("cache")}});
  }
};

// A flag without effect is a mistake; a variable is meant for other commands and models, too.
TEST_F(Tokenize, VariablesThatDoNotApplyAreIgnored) {
  put(path("bert/config.json"), R"({"model_type": "bert"})");
  const auto with = [&](const Arguments& variables, const Arguments& arguments) {
    return run(Arguments{"tokenize", "--model", path("bert")} + arguments,
               {.file_limit = {}, .environment = variables});
  };
  const Arguments jieba = {"ROFORMER_JIEBA_DICTIONARY=/nowhere", "ROFORMER_TOKENIZER_MODE=slow", "ROFORMER_WORDS=true"};
  EXPECT_EQ(with(jieba, {"--ids", "kings"}).output, "2 6 7 3\n");
  EXPECT_EQ(with({"ROFORMER_MAX_LENGTH=5", "ROFORMER_IDS=1"}, {"--decode", "6 7"}).output, "kings\n");
  for (const char* flag : {"--jieba-dictionary=/nowhere", "--tokenizer-mode=slow", "--words"}) {
    const Outcome outcome = with(jieba, {flag, "kings"});
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_THAT(outcome.error, HasSubstr(std::string(flag).substr(0, std::string(flag).find('='))));
  }
  const Outcome wrong = with({"ROFORMER_TOKENIZER_MODE=quick"}, {"kings"});
  EXPECT_THAT(wrong.error, HasSubstr("ROFORMER_TOKENIZER_MODE: expected fast, slow or bert4keras"));
  const Outcome both = with({"ROFORMER_DECODE=true", "ROFORMER_PAIR=true"}, {"6 7"});
  EXPECT_THAT(both.error, HasSubstr("ROFORMER_DECODE: items are ids"));
}

TEST_F(Tokenize, MuchTextComesBackInOrderAtAnyNumberOfThreads) {
  std::string text, expected;
  for (int i = 0; i < 40'000; ++i) {
    const bool long_line = i % 1000 == 7;
    for (int word = 0; word < (long_line ? 500 : i % 5); ++word) text += word % 3 == 0 ? "kings " : "The ";
    text += "\n";
    expected += "2";
    for (int word = 0; word < (long_line ? 500 : i % 5); ++word) expected += word % 3 == 0 ? " 6 7" : " 5";
    expected += " 3\n";
  }
  put(path("much.txt"), text);
  for (const char* threads : {"1", "3"}) {
    const Arguments arguments = {"--model", path("bert"), "--ids", "--threads", threads};
    EXPECT_TRUE(ask(arguments + Arguments{"--input", path("much.txt")}).output == expected);
    EXPECT_TRUE(ask(arguments, text).output == expected);
  }
}

TEST_F(Tokenize, WhatComesBeforeABadLineIsShown) {
  std::string text;
  for (int i = 0; i < 30'000; ++i) text += "the king\n";
  put(path("bad.txt"), text + "the \xff\nthe\n");
  const Outcome bad = ask({"--model", path("bert"), "--input", path("bad.txt")});
  EXPECT_EQ(bad.exit_code, 1);
  EXPECT_THAT(bad.error, HasSubstr("bad.txt:30001: not valid UTF-8 at byte 4"));
  EXPECT_EQ(std::count(bad.output.begin(), bad.output.end(), '\n'), 30'000);
  put(path("pairs.txt"), "the\tking\nthe king\n");
  const Outcome pairs = ask({"--model", path("bert"), "--pair", "--input", path("pairs.txt")});
  EXPECT_EQ(pairs.output, "[CLS] the [SEP] king [SEP]\n");
  EXPECT_THAT(pairs.error, HasSubstr("pairs.txt:2: no tab between the two texts of a pair"));
}

TEST_F(Tokenize, JiebaInItsModes) {
  const Arguments jieba = {"--model", path("jieba")};
  EXPECT_EQ(ask(jieba + Arguments{"今天天气非常好"}).output, "[CLS] 今天 天 气 非常 好 [SEP]\n");
  EXPECT_EQ(ask(jieba + Arguments{"--words", "今天天气 非常好"}).output, "今天 天气   非常 好\n");
  EXPECT_EQ(ask(jieba + Arguments{"--words", "--json", "今天 a"}).output, "{\"words\":[\"今天\",\" \",\"a\"]}\n");
  put(path("words.txt"), "今天天气 9 n\n");
  EXPECT_EQ(ask(jieba + Arguments{"--jieba-dictionary", path("words.txt"), "--words", "今天天气"}).output,
            "今天天气\n");
  EXPECT_EQ(ask(jieba + Arguments{"--tokenizer-mode", "slow", "--save", path("saved"), "好"}).exit_code, 0);
  EXPECT_THAT(content(path("saved/tokenizer_config.json")), HasSubstr(R"("tokenizer_mode": "slow")"));
  EXPECT_EQ(content(path("saved/jieba_dict.txt")), content(path("jieba/jieba_dict.txt")));
  EXPECT_EQ(ask({"--model", path("saved"), "今天天气非常好"}).output, "[CLS] 今天 天 气 非常 好 [SEP]\n");
}

TEST_F(Tokenize, WrongUse) {
  const auto error_of = [&](const Arguments& arguments) {
    const Outcome outcome = ask(arguments);
    EXPECT_EQ(outcome.exit_code, 2) << outcome.error;
    return outcome.error;
  };
  EXPECT_THAT(error_of({"--model", path("bert"), "--words", "a"}), HasSubstr("is not a jieba tokenizer"));
  EXPECT_THAT(error_of({"--model", path("jieba"), "--words", "--pair", "a"}), HasSubstr("--words: expected texts"));
  EXPECT_THAT(error_of({"--model", path("jieba"), "--tokenizer-mode", "quick", "a"}),
              HasSubstr("--tokenizer-mode: expected fast, slow or bert4keras, got \"quick\""));
  EXPECT_THAT(error_of({"--model", path("bert"), "--jieba-dictionary", path("none"), "a"}), HasSubstr("BertTokenizer"));
  const Outcome absent = ask({"--model", path("jieba"), "--jieba-dictionary", path("none"), "a"});
  EXPECT_EQ(absent.exit_code, 1);
  EXPECT_THAT(absent.error, StartsWith("roformer: cannot open"));
}

}  // namespace
}  // namespace roformer::test
