// The scanners of byte-level BPE against Oniguruma's answer to the same expressions.
#include "text/pipeline/byte_words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "base/utf8.h"
#include "text/pipeline/regex.h"
#include "text/pipeline/unicode.h"

namespace roformer {
namespace {

constexpr BytePattern kPatterns[] = {BytePattern::gpt2, BytePattern::smollm, BytePattern::llama3, BytePattern::qwen2};

std::vector<std::string> scan(std::string_view text, BytePattern pattern) {
  std::vector<std::string> words;
  const ByteWords scanner(pattern);
  for (size_t begin = 0, end = 0; begin < text.size(); begin = end) {
    end = scanner.end_of_word(text, begin);
    words.emplace_back(text.substr(begin, end - begin));
  }
  return words;
}

void search(std::string_view text, const Regex& regex, std::vector<std::string>& words) {
  Regex::Matches matches(regex, text);
  size_t done = 0;
  for (size_t begin = 0, end = 0; matches.next(begin, end); done = end) {
    EXPECT_EQ(begin, done) << "something is left between two words of " << text;
    words.emplace_back(text.substr(begin, end - begin));
  }
  EXPECT_EQ(done, text.size());
}

// With the digits of SmolLM split off first, one by one.
std::vector<std::string> reference(std::string_view text, BytePattern pattern, const Regex& regex) {
  std::vector<std::string> words;
  size_t done = 0;
  for (size_t i = 0; pattern == BytePattern::smollm && i < text.size();) {
    const CodePoint c = decode_utf8(text.data() + i);
    const auto size = static_cast<size_t>(c.length);
    if (pipeline::is_numeric(c.value)) {
      if (i > done) search(text.substr(done, i - done), regex, words);
      words.emplace_back(text.substr(i, size));
      done = i + size;
    }
    i += size;
  }
  if (done < text.size()) search(text.substr(done), regex, words);
  return words;
}

TEST(ByteWords, AreOnigurumasForAllKindsOfCodePoints) {
  for (const BytePattern pattern : kPatterns) {
    const Regex regex{std::string(expression_of(pattern)), "test"};
    std::string text;
    // Of the planes with ideographs, or with nothing, some.
    for (char32_t c = 1; c < 0x110000; c += c < 0x20000 || (c >= 0xE0000 && c < 0xE0200) ? 1 : 127) {
      if (c >= 0xD800 && c < 0xE000) continue;
      std::string character;
      append_utf8(character, c);
      text += character + "a" + character + " " + character + character + "1" + character + "  ";
      if (c < 0x3000) text += "'" + character + "'r" + character + "'L" + character + "\n" + character + "e";
      if (text.size() < 4000 && c + 127 < 0x110000) continue;
      ASSERT_EQ(scan(text, pattern), reference(text, pattern, regex)) << "near " << static_cast<uint32_t>(c);
      text.clear();
    }
  }
}

TEST(ByteWords, AreOnigurumasForRandomTexts) {
  const std::vector<std::string> parts = {
      "a", "B",  "s",  "t",  "re",      "LL",     "'",      "'s",     "'Ve",    "'\xC5\xBF", " ",
      " ", "  ", "\n", "\r", "\t",      "\v",     "1",      "234",    "²",      "٣",         "中",
      ".", "-",  "_",  "é",  "e\u0301", "\u00a0", "\u3000", "\u2028", "\u0085", "\u200b",    "😀"};
  std::mt19937 random(1);
  for (const BytePattern pattern : kPatterns) {
    const Regex regex{std::string(expression_of(pattern)), "test"};
    for (int i = 0; i < 20'000; ++i) {
      std::string text;
      for (size_t count = 1 + random() % 12; count > 0; --count) text += parts[random() % parts.size()];
      ASSERT_EQ(scan(text, pattern), reference(text, pattern, regex)) << text;
    }
  }
}

TEST(ByteWords, FollowThePublishedExamples) {
  using testing::ElementsAre;
  EXPECT_THAT(scan("We'll go  at 1234!\n", BytePattern::gpt2),
              ElementsAre("We", "'ll", " go", " ", " at", " 1234", "!", "\n"));
  EXPECT_THAT(scan("go 12", BytePattern::smollm), ElementsAre("go", " ", "1", "2"));
  EXPECT_THAT(scan("IT'S 1234.\n\n x", BytePattern::llama3), ElementsAre("IT", "'S", " ", "123", "4", ".\n\n", " x"));
  EXPECT_THAT(scan("12 _a", BytePattern::qwen2), ElementsAre("1", "2", " _", "a"));
}

TEST(ByteWords, AreNamedByTheirExpression) {
  EXPECT_EQ(pattern_of_expression(expression_of(BytePattern::llama3)), BytePattern::llama3);
  EXPECT_EQ(pattern_of_expression(expression_of(BytePattern::qwen2)), BytePattern::qwen2);
  EXPECT_EQ(pattern_of_expression("\\p{N}"), std::nullopt);
}

}  // namespace
}  // namespace roformer
