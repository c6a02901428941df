#include "text/jieba/jieba.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "base/file.h"
#include "base/hash.h"
#include "base/random.h"
#include "base/utf8.h"
#include "tests/text/jieba/jieba_files.h"

namespace roformer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::shared_ptr<const JiebaDictionary> dictionary_of(std::string_view text) {
  const auto image = std::make_shared<const std::string>(JiebaDictionary::compile(text, "test"));
  return std::make_shared<const JiebaDictionary>(*image, image, "test");
}

std::vector<std::string> cut(std::string_view text, std::string_view dictionary = kTinyDictionary,
                             JiebaRules rules = JiebaRules::jieba_rs) {
  std::u32string letters;
  for (size_t i = 0; i < text.size();) {
    const CodePoint c = decode_utf8(text.data() + i);
    letters += c.value;
    i += static_cast<size_t>(c.length);
  }
  JiebaSegmenter::Words words;
  JiebaSegmenter(dictionary_of(dictionary), rules).cut(letters, words);
  std::vector<std::string> result;
  size_t begin = 0;
  for (const size_t end : words.ends) {
    auto& word = result.emplace_back();
    for (; begin < end; ++begin) append_utf8(word, letters[begin]);
  }
  return result;
}

TEST(JiebaSegmenter, TakesTheLikeliestWords) {
  EXPECT_THAT(cut("今天天气非常好"), ElementsAre("今天天气", "非常", "好"));
  EXPECT_THAT(cut("今天天气", "今天 100\n天气 80\n今天天气 1\n"), ElementsAre("今天", "天气"));
  EXPECT_THAT(cut("天气非常"), ElementsAre("天气", "非常"));
  EXPECT_THAT(cut("大中国人"), ElementsAre("大", "中国", "人"));
  EXPECT_THAT(cut(""), ElementsAre());
}

// Two ways with exactly the same score: log 4 = log 2 + log 2 with a total of 1 word. The longer first word wins.
TEST(JiebaSegmenter, TiesGoToTheLongerWord) {
  EXPECT_THAT(cut("中国", "中国 1\n"), ElementsAre("中国"));
  EXPECT_THAT(cut("甲乙丙", "甲 1\n甲乙 1\n乙丙 1\n丙 1\n"), ElementsAre("甲乙", "丙"));
}

TEST(JiebaSegmenter, SingleLettersAndDigitsRunTogether) {
  EXPECT_THAT(cut("12312格ab局a b cda,.567 861351 684！"),
              ElementsAre("12312", "格", "ab", "局", "a", " ", "b", " ", "cda", ",", ".", "567", " ", "861351", " ",
                          "684", "！"));
  EXPECT_THAT(cut("c++c+a-b_1"), ElementsAre("c++", "c", "+", "a", "-", "b", "_", "1"));
  EXPECT_THAT(cut("a\r\nb\r\r\n\n\t"), ElementsAre("a", "\r\n", "b", "\r", "\r\n", "\n", "\t"));
}

// U+9FD6 is Han for jieba-rs only, so only its rules find a word with it.
TEST(JiebaSegmenter, TheTwoRulesDifferInWhatIsHan) {
  constexpr std::string_view kWord = "\u9FD6中 9\n";
  EXPECT_THAT(cut("\u9FD6中", kWord, JiebaRules::jieba_rs), ElementsAre("\u9FD6中"));
  EXPECT_THAT(cut("\u9FD6中", kWord, JiebaRules::jieba), ElementsAre("\u9FD6", "中"));
  EXPECT_THAT(cut("\U00020000\U0002EBEF", "\U00020000\U0002EBEF 9\n"), ElementsAre("\U00020000\U0002EBEF"));
  EXPECT_THAT(cut("\u3400\u4DBF", "\u3400\u4DBF 9\n"), ElementsAre("\u3400\u4DBF"));
}

// The best segmentation by exhaustive search.
double best_score(std::u32string_view text, const std::vector<std::pair<std::u32string, double>>& words, double total) {
  if (text.empty()) return 0;
  double best = -1e300;
  bool any = false;
  for (const auto& [word, frequency] : words) {
    if (!text.starts_with(word)) continue;
    any = true;
    best = std::max(best, std::log(frequency / total) + best_score(text.substr(word.size()), words, total));
  }
  return any ? best : std::log(1 / total) + best_score(text.substr(1), words, total);
}

TEST(JiebaSegmenter, FindsTheBestOfAllCuts) {
  Generator generator({.seed = 3, .stream = 1});
  constexpr std::u32string_view kLetters = U"甲乙丙";
  for (int round = 0; round < 60; ++round) {
    std::vector<std::pair<std::u32string, double>> words;
    std::string source;
    double total = 0;
    for (int i = 0; i < 12; ++i) {
      std::u32string word;
      for (uint64_t n = 1 + generator.below(4); n > 0; --n) word += kLetters[generator.below(3)];
      if (std::ranges::any_of(words, [&](const auto& other) { return other.first == word; })) continue;
      const auto frequency = static_cast<double>(1 + generator.below(1000));
      for (const char32_t c : word) append_utf8(source, c);
      source += " " + std::to_string(static_cast<int>(frequency)) + "\n";
      words.emplace_back(word, frequency);
      total += frequency;
    }
    std::u32string text;
    for (int i = 0; i < 10; ++i) text += kLetters[generator.below(3)];
    JiebaSegmenter::Words cuts;
    JiebaSegmenter(dictionary_of(source), JiebaRules::jieba).cut(text, cuts);
    double score = 0;
    size_t begin = 0;
    for (const size_t end : cuts.ends) {
      const auto word = text.substr(begin, end - begin);
      const auto known = std::ranges::find(words, word, &std::pair<std::u32string, double>::first);
      score += std::log((known == words.end() ? 1 : known->second) / total);
      begin = end;
    }
    EXPECT_EQ(begin, text.size());
    EXPECT_NEAR(score, best_score(text, words, total), 1e-9) << source;
  }
}

TEST(JiebaSegmenter, ALongRunTakesLinearTime) {
  const std::u32string text(3'000'000, U'中');
  JiebaSegmenter::Words words;
  JiebaSegmenter(dictionary_of(kTinyDictionary), JiebaRules::jieba).cut(text, words);
  EXPECT_EQ(words.ends.size(), text.size());
}

std::string compile_error(std::string_view text) {
  return message_of<DataError>([&] { JiebaDictionary::compile(text, "dict.txt"); });
}

TEST(JiebaDictionary, LinesThatAreNoEntriesAreNamed) {
  EXPECT_EQ(compile_error("中国 5 ns\n中\n"),
            "dict.txt:2: missing frequency, expected \"word frequency tag\", got \"中\"");
  EXPECT_THAT(compile_error("中国 x\n"), HasSubstr("dict.txt:1: the frequency is not an integer"));
  EXPECT_THAT(compile_error("中国 -1\n"), HasSubstr("dict.txt:1: the frequency is not an integer"));
  EXPECT_THAT(compile_error("中国 1.5\n"), HasSubstr("dict.txt:1: the frequency"));
  EXPECT_THAT(compile_error("中国 99999999999999999999\n"), HasSubstr("dict.txt:1: the frequency"));
  EXPECT_THAT(compile_error("a 1\n\xFF 1\n"), HasSubstr("dict.txt:2: not valid UTF-8 at byte 0"));
  EXPECT_THAT(compile_error(std::string_view("a\0b 1\n", 6)), HasSubstr("dict.txt:1: holds a NUL byte"));
  EXPECT_THAT(compile_error(std::string(256, 'a') + " 1\n"), HasSubstr("dict.txt:1: a word of 256 characters"));
  EXPECT_THAT(compile_error(""), HasSubstr("no words"));
  EXPECT_THAT(compile_error("中国 0\n"), HasSubstr("no words"));
}

TEST(JiebaDictionary, WhatDoesNotMatter) {
  EXPECT_THAT(cut("中国人", "\xEF\xBB\xBF  中国 5 ns \r\n\n \t\n人 3\r\n"), ElementsAre("中国", "人"));
  EXPECT_THAT(cut("中国", "中国 0\n中 5\n国 5\n"), ElementsAre("中", "国"));  // of frequency 0: no word
}

TEST(JiebaDictionary, OfAWordTwiceTheLastFrequencyHolds) {
  const auto twice = dictionary_of("中 1\n国 5\n中 9\n");
  EXPECT_DOUBLE_EQ(twice->log_frequency(twice->child(0, U'中')), std::log(9));
  EXPECT_DOUBLE_EQ(twice->log_total_of_lines(), std::log(15));
  EXPECT_DOUBLE_EQ(twice->log_total_of_words(), std::log(14));
}

// A corrupt compiled dictionary is accepted only if all lookups stay in bounds.
TEST(JiebaDictionary, DamagedImagesAreRefused) {
  const std::string good = JiebaDictionary::compile(kTinyDictionary, "test");
  const auto open = [](std::string image) {
    const auto owner = std::make_shared<const std::string>(std::move(image));
    return message_of<DataError>([&] { JiebaDictionary(*owner, owner, "cache"); });
  };
  EXPECT_EQ(open(good), "");
  EXPECT_EQ(open(""), "cache: not a compiled dictionary: too short");
  EXPECT_THAT(open(good.substr(0, good.size() - 1)), HasSubstr("its size does not match its number of nodes"));
  EXPECT_THAT(open(good + "x"), HasSubstr("its size"));
  for (size_t i = 0; i < good.size(); ++i) {
    const bool unchecked = i >= 16 && i < 64;  // the two sums, and the source's hash, which the caller compares
    if (unchecked) continue;
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    EXPECT_NE(open(bad), "") << "byte " << i;
  }
  // Even with a valid checksum, nodes are checked.
  constexpr size_t kHeader = 96;
  uint32_t nodes = 0;
  std::memcpy(&nodes, good.data() + 12, sizeof(nodes));
  const auto with = [&](size_t word, uint32_t value) {
    std::string bad = good;
    std::memcpy(bad.data() + kHeader + nodes * sizeof(double) + word * sizeof(uint32_t), &value, sizeof(value));
    const std::string hash = hash_hex(std::string_view(bad).substr(kHeader));
    std::memcpy(bad.data() + kHeader - hash.size(), hash.data(), hash.size());
    return open(bad);
  };
  EXPECT_EQ(with(1, U'b'), "");  // the first character, c, made another
  EXPECT_THAT(with(2, 0), HasSubstr("its characters are not in order"));
  for (const uint32_t value : {0u, nodes + 1, 0xFFFFFFFFu}) {
    EXPECT_THAT(with(nodes + 1, value), HasSubstr("its nodes are not in order"));
    EXPECT_THAT(with(nodes + nodes, value), HasSubstr("its nodes are not in order"));
  }
}

TEST_F(WithJieba, CompiledDictionariesAreCachedAndRebuiltIfCorrupt) {
  const std::string source = directory_ / "dict.txt";
  const auto first = JiebaDictionary::open(source);
  const std::string kept = cache_directory_ / ("roformer/jieba-" + hash_hex(kTinyDictionary) + ".dictionary");
  ASSERT_TRUE(std::filesystem::exists(kept));
  const std::string image = read_file(kept, 1 << 20);
  for (const std::string& damaged : {std::string(), image.substr(0, 50), std::string(200, 'x')}) {
    write_text(kept, damaged);
    EXPECT_EQ(JiebaDictionary::open(source)->log_total_of_lines(), first->log_total_of_lines());
    EXPECT_EQ(read_file(kept, 1 << 20), image);
  }
  write_text(source, "中国 5\n");
  EXPECT_NE(JiebaDictionary::open(source)->source_hash(), first->source_hash());
}

TEST_F(WithJieba, WithoutACacheItIsCompiledEachTime) {
  const Environment nowhere("XDG_CACHE_HOME", "/dev/null/nowhere");
  EXPECT_NE(JiebaDictionary::open(directory_ / "dict.txt"), nullptr);
  EXPECT_THROW(JiebaDictionary::open(directory_ / "none"), FileError);
}

}  // namespace
}  // namespace roformer
