#include "text/unicode.h"

#include <gtest/gtest.h>

#include <array>

#include "base/error.h"

namespace roformer {
namespace {

TEST(Utf8, EveryCodePointSurvivesEncodingAndDecoding) {
  for (char32_t c = 1; c < 0x110000; c += c < 0x1000 ? 1 : 61) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string text;
    append_utf8(text, c);
    ASSERT_EQ(find_invalid_utf8(text), kValidUtf8) << static_cast<uint32_t>(c);
    const CodePoint decoded = decode_utf8(text.data());
    ASSERT_EQ(decoded.value, c);
    ASSERT_EQ(static_cast<size_t>(decoded.length), text.size());
    ASSERT_EQ(count_code_points(text + text), 2);
  }
}

TEST(Utf8, CodePointsAndBack) {
  EXPECT_EQ(to_code_points("aé中😀"), U"aé中😀");
  EXPECT_EQ(to_utf8(U"aé中😀"), "aé中😀");
  EXPECT_EQ(to_code_points(""), U"");
}

TEST(Utf8, InvalidSequencesAreFoundWhereTheyStart) {
  const std::string_view bad[] = {"\x80",         "\xC0\x80",         "\xC1\xBF",         "\xE0\x80\x80",
                                  "\xED\xA0\x80", "\xF0\x80\x80\x80", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80",
                                  "\xC3",         "\xE4\xB8",         "\xF0\x9F\x98",     "\xFF",
                                  "\xE4\xB8 ",    "\xC3\xC3"};
  for (const auto sequence : bad) {
    const std::string text = std::string("0123456789é") + std::string(sequence);
    EXPECT_EQ(find_invalid_utf8(text), 12u);
    EXPECT_EQ(find_invalid_utf8(text + " and more text after it"), 12u);
  }
  EXPECT_THROW(require_utf8("\xFF", "text"), DataError);
}

TEST(Unicode, Classes) {
  for (const char32_t c : {U' ', U'\t', U'\n', U'\x0B', U'\x85', U'\xA0', U'\u2003', U'\u2028', U'\u3000'}) {
    EXPECT_TRUE(is_whitespace(c)) << static_cast<uint32_t>(c);
  }
  EXPECT_FALSE(is_whitespace(U'\u200B'));
  for (const char32_t c : {U'\x01', U'\x7F', U'\x85', U'\u200B', U'\uFEFF', U'\uE000'})
    EXPECT_TRUE(is_control(c)) << static_cast<uint32_t>(c);
  for (const char32_t c : {U'a', U' ', U'\u0378', U'\U0001F970', U'中'})
    EXPECT_FALSE(is_control(c)) << static_cast<uint32_t>(c);
  for (const char32_t c : {U'!', U'/', U'$', U'`', U'~', U'^', U'。', U'“', U'\u2014', U'¿'}) {
    EXPECT_TRUE(is_punctuation(c)) << static_cast<uint32_t>(c);
  }
  for (const char32_t c : {U'a', U'Z', U'0', U' ', U'\x7F', U'€', U'中', U'é'})
    EXPECT_FALSE(is_punctuation(c)) << static_cast<uint32_t>(c);
  for (const char32_t c : {U'\u3400', U'\u9FFF', U'\uF900', U'\U00020000', U'\U0002B820', U'\U0002FA1F'}) {
    EXPECT_TRUE(is_cjk_ideograph(c)) << static_cast<uint32_t>(c);
  }
  for (const char32_t c : {U'ア', U'한', U'。', U'\u4DC0', U'\U0002FA20'})
    EXPECT_FALSE(is_cjk_ideograph(c)) << static_cast<uint32_t>(c);
}

TEST(Unicode, MajorCategories) {
  const std::u32string letters = U"aÉ中\u0301\u09035½Ⅷ.„—€+\u02C2 \u2028\t\u200B\u0378\uE000";
  std::string categories;
  for (const char32_t c : letters) categories += major_category(c);
  EXPECT_EQ(categories, "LLLMMNNNPPPSSSZZCCCC");
}

TEST(Unicode, LowerCaseAndDecomposition) {
  std::array<char32_t, 2> lower;
  EXPECT_EQ(to_lower(U'É', lower.data()), 1);
  EXPECT_EQ(lower[0], U'é');
  EXPECT_EQ(to_lower(U'\u0130', lower.data()), 2);  // the one character whose lower case is two
  EXPECT_EQ(lower[0], U'i');
  EXPECT_EQ(lower[1], U'\u0307');
  EXPECT_EQ(to_lower(U"ΟΔΟΣ ΣΑΣ. Σ ΑΣ' Σ\u0301Α É\u0130X"), U"οδος σας. σ ας' σ\u0301α éi\u0307x");  // Python's
  std::array<char32_t, kMaxDecomposition> parts;
  EXPECT_EQ(decompose(U'ệ', parts.data()), 3);
  EXPECT_EQ(parts[0], U'e');
  EXPECT_EQ(parts[1], U'\u0323');
  EXPECT_EQ(parts[2], U'\u0302');
  EXPECT_EQ(decompose(U'한', parts.data()), 3);
  EXPECT_EQ(parts[0], U'\u1112');
  EXPECT_EQ(decompose(U'ﬁ', parts.data()), 1);  // compatibility characters stay
}

}  // namespace
}  // namespace roformer
