#include "metrics/translation/bleu_tokenizers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "metrics/translation/words.h"
#include "text/unicode.h"

namespace roformer {
namespace {

bool is_ascii_digit(char32_t c) { return c >= '0' && c <= '9'; }
bool is_no_ascii_digit(char32_t c) { return !is_ascii_digit(c); }
bool is_period_or_comma(char32_t c) { return c == '.' || c == ','; }
bool is_hyphen(char32_t c) { return c == '-'; }
bool is_mark_of_any_script(char32_t c) { return major_category(c) == 'P'; }
bool is_no_number(char32_t c) { return major_category(c) != 'N'; }
bool is_symbol(char32_t c) { return major_category(c) == 'S'; }
bool is_any(char32_t) { return true; }

// ASCII's, without the apostrophe, comma, hyphen and period.
bool is_symbol_of_13a(char32_t c) {
  return c < 0x7F && (c >= ' ' && !is_ascii_digit(c)) && !(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') &&
         c != '\'' && c != ',' && c != '-' && c != '.';
}

// sacreBLEU's, which has Extension B and its compatibility ideographs as U+2001 to U+2A6D and U+2F81 to U+2FA1: there
// the last digit of "\u20000" and the like is a character of its own.
bool is_chinese_of_zh(char32_t c) {
  static constexpr std::array<std::array<char32_t, 2>, 17> kRanges = {{{0x2001, 0x2A6D},
                                                                       {0x2E80, 0x2EFF},
                                                                       {0x2F00, 0x2FDF},
                                                                       {0x2FF0, 0x2FFF},
                                                                       {0x3000, 0x303F},
                                                                       {0x3100, 0x312F},
                                                                       {0x31A0, 0x31BF},
                                                                       {0x31C0, 0x31EF},
                                                                       {0x3200, 0x33FF},
                                                                       {0x3400, 0x4DB5},
                                                                       {0x4E00, 0x9FBB},
                                                                       {0xF900, 0xFA2D},
                                                                       {0xFA30, 0xFA6A},
                                                                       {0xFA70, 0xFAD9},
                                                                       {0xFE10, 0xFE1F},
                                                                       {0xFE30, 0xFE4F},
                                                                       {0xFF00, 0xFFEF}}};
  return std::ranges::any_of(kRanges, [c](const auto& range) { return c >= range[0] && c <= range[1]; });
}

using Class = bool (*)(char32_t);

// Spaces around each character of a class.
std::u32string set_apart(std::u32string_view text, Class is_apart) {
  std::u32string result;
  for (const char32_t c : text) {
    if (is_apart(c)) {
      result += {U' ', c, U' '};
    } else {
      result += c;
    }
  }
  return result;
}

enum class Apart : uint8_t { first, second };

// Spaces around the first or the second of two neighbors of these classes. As with regular expressions, pairs are found
// from the left, and none has a character of the one before.
std::u32string set_apart_in_pairs(std::u32string_view text, Class is_first, Class is_second, Apart apart) {
  std::u32string result;
  for (size_t i = 0; i < text.size(); ++i) {
    if (i + 1 == text.size() || !is_first(text[i]) || !is_second(text[i + 1])) {
      result += text[i];
      continue;
    }
    if (apart == Apart::first) {
      result += {U' ', text[i], U' ', text[i + 1]};
    } else {
      result += {text[i], U' ', text[i + 1], U' '};
    }
    ++i;
  }
  return result;
}

// What 13a does with languages in Latin script.
std::u32string separate_western(std::u32string_view text) {
  std::u32string result = set_apart(text, is_symbol_of_13a);
  result = set_apart_in_pairs(result, is_no_ascii_digit, is_period_or_comma, Apart::second);
  result = set_apart_in_pairs(result, is_period_or_comma, is_no_ascii_digit, Apart::first);
  return set_apart_in_pairs(result, is_ascii_digit, is_hyphen, Apart::second);
}

void replace_all(std::u32string& text, std::u32string_view old, std::u32string_view by) {
  for (size_t at = 0; (at = text.find(old, at)) != text.npos; at += by.size()) text.replace(at, old.size(), by);
}

std::u32string separate_13a(std::u32string_view text) {
  std::u32string line = U" ";
  line += text;
  line += U' ';
  replace_all(line, U"<skipped>", U"");
  replace_all(line, U"&quot;", U"\"");
  replace_all(line, U"&amp;", U"&");
  replace_all(line, U"&lt;", U"<");
  replace_all(line, U"&gt;", U">");
  return separate_western(line);
}

std::u32string separate_international(std::u32string_view text) {
  std::u32string result = set_apart_in_pairs(text, is_no_number, is_mark_of_any_script, Apart::second);
  result = set_apart_in_pairs(result, is_mark_of_any_script, is_no_number, Apart::first);
  return set_apart(result, is_symbol);
}

std::u32string separate_chinese(std::u32string_view text) {
  text = without_trailing_spaces(text);
  while (!text.empty() && is_python_space(text.front())) text.remove_prefix(1);
  return separate_western(set_apart(text, is_chinese_of_zh));
}

}  // namespace

const std::vector<std::string>& bleu_tokenizer_names() {
  static const std::vector<std::string> names = {"13a", "intl", "char", "zh", "none"};
  return names;
}

BleuTokenizer find_bleu_tokenizer(std::string_view name) {
  const std::vector<std::string>& names = bleu_tokenizer_names();
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) {
    throw UsageError("unknown {} '{}', expected one of {}", FieldName("tokenize"), name,
                     fmt::format("{}", fmt::join(names, ", ")));
  }
  return static_cast<BleuTokenizer>(found - names.begin());
}

std::u32string separate_tokens(std::u32string_view text, BleuTokenizer tokenizer) {
  switch (tokenizer) {
    case BleuTokenizer::mteval13a: return separate_13a(text);
    case BleuTokenizer::international: return separate_international(text);
    case BleuTokenizer::character: return set_apart(text, is_any);
    case BleuTokenizer::chinese: return separate_chinese(text);
    case BleuTokenizer::none: break;
  }
  return std::u32string(text);
}

}  // namespace roformer
