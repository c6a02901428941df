// The Unicode properties that tokenizers need, for single code points.
// Categories and decompositions come from utf8proc (Unicode 15 in version 2.8). ICU was rejected: 30 MB of data for a
// few properties. utf8proc's whole-string functions were rejected: they do not track the origins of output code points.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/utf8.h"

namespace roformer {

// BERT's classes of bytes. `other`: control characters and non-ASCII bytes.
enum class AsciiKind : uint8_t { letter /* or digit */, space, punctuation, other };
namespace detail {
inline constexpr auto kAsciiKinds = [] {
  std::array<AsciiKind, 256> kinds{};
  for (size_t c = 0; c < kinds.size(); ++c) {
    const bool digit = c >= '0' && c <= '9', letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    kinds[c] = digit || letter                                   ? AsciiKind::letter
               : c == ' ' || c == '\t' || c == '\n' || c == '\r' ? AsciiKind::space
               : c > ' ' && c < 0x7F                             ? AsciiKind::punctuation
                                                                 : AsciiKind::other;
  }
  return kinds;
}();
}  // namespace detail
inline AsciiKind ascii_kind(char byte) { return detail::kAsciiKinds[static_cast<unsigned char>(byte)]; }

// Whether a code point from U+4E00 to U+9FFF, nearly all of Chinese text, starts at `text`, which must be valid UTF-8.
inline bool is_common_ideograph(const char* text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0xE4 || lead > 0xE9) return false;
  return lead > 0xE4 || static_cast<unsigned char>(text[1]) >= 0xB8;
}

// The first letter of the general category: L letter, M mark, N number, P punctuation, S symbol, Z separator, C other.
char major_category(char32_t c);
bool is_whitespace(char32_t c);   // property White_Space
bool is_control(char32_t c);      // categories Cc, Cf, Co; unassigned code points are not control (new emoji survive)
bool is_private_use(char32_t c);  // category Co
bool is_other(char32_t c);        // categories C*: control, format, surrogate, private use, unassigned
bool is_cased(char32_t c);        // derived property Cased, without Case_Ignorable
bool is_case_ignorable(char32_t c);   // derived property Case_Ignorable
bool is_punctuation(char32_t c);      // categories P*, and all other ASCII symbols
bool is_nonspacing_mark(char32_t c);  // category Mn
bool is_word_character(char32_t c);   // \w of regular expressions: alphabetic, mark, decimal digit, connector, joiner
bool is_cjk_ideograph(char32_t c);  // BERT's "Chinese characters": the CJK Unified and Compatibility Ideographs blocks
int combining_class(char32_t c);    // canonical combining class; 0 for a starter
bool is_blank(std::string_view text);  // nothing but whitespace; `text` must be valid UTF-8

// A text without the white space at both ends, as Python's str.strip() gives it: White_Space and U+001C to U+001F.
// `text` must be valid UTF-8; where nothing is left, the result is empty at its start.
std::string_view strip_whitespace(std::string_view text);

// Full lower-case mapping without context; writes 1 or 2 code points (only U+0130 has 2) and returns how many.
int to_lower(char32_t c, char32_t* out);

// Positions of the capital sigmas at the end of a word, which become ς in lower case: the condition Final_Sigma of the
// Unicode Standard (3.13), in order.
inline constexpr char32_t kFinalSigma = 0x3C2;
std::vector<size_t> final_sigmas(std::u32string_view text);
// Full lower case of a text with that condition, as Python's str.lower.
std::u32string to_lower(std::u32string_view text);

// Full canonical decomposition of one code point (Hangul included); writes at most kMaxDecomposition, returns how many.
inline constexpr int kMaxDecomposition = 8;
int decompose(char32_t c, char32_t* out);

// Canonical decomposition, then composition (NFC) of one code point, which may yield another code point; output as
// above.
int compose_alone(char32_t c, char32_t* out);

}  // namespace roformer
