#include "text/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>

namespace roformer {

namespace {

int category(char32_t c) { return utf8proc_category(static_cast<utf8proc_int32_t>(c)); }

// Symbols that are letters in a circle or square.
bool is_letter_in_frame(char32_t c) {
  return (c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) || (c >= 0x1F150 && c <= 0x1F169) ||
         (c >= 0x1F170 && c <= 0x1F189);
}

}  // namespace

char major_category(char32_t c) { return *utf8proc_category_string(static_cast<utf8proc_int32_t>(c)); }

bool is_whitespace(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= 0x09 && c <= 0x0D);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
         c == 0x202F || c == 0x205F || c == 0x3000;
}

bool is_control(char32_t c) {
  if (c < 0x80) return c < 0x20 || c == 0x7F;
  const int kind = category(c);
  return kind == UTF8PROC_CATEGORY_CC || kind == UTF8PROC_CATEGORY_CF || kind == UTF8PROC_CATEGORY_CO;
}

bool is_private_use(char32_t c) { return c >= 0xE000 && category(c) == UTF8PROC_CATEGORY_CO; }

bool is_other(char32_t c) {
  const int kind = category(c);
  return kind == UTF8PROC_CATEGORY_CN || (kind >= UTF8PROC_CATEGORY_CC && kind <= UTF8PROC_CATEGORY_CO);
}

// Categories, and what DerivedCoreProperties.txt of Unicode 15 has beyond them.
bool is_cased(char32_t c) {
  const int kind = category(c);
  return kind == UTF8PROC_CATEGORY_LU || kind == UTF8PROC_CATEGORY_LL || kind == UTF8PROC_CATEGORY_LT || c == 0xAA ||
         c == 0xBA || (c >= 0x2160 && c <= 0x217F) || is_letter_in_frame(c);
}

bool is_word_character(char32_t c) {
  if (c < 0x80) return c == '_' || (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
  const int kind = category(c);
  return (kind >= UTF8PROC_CATEGORY_LU && kind <= UTF8PROC_CATEGORY_NL) || kind == UTF8PROC_CATEGORY_PC ||
         c == 0x200C || c == 0x200D || is_letter_in_frame(c);
}

bool is_case_ignorable(char32_t c) {
  constexpr std::u32string_view kInsideWords =
      U"'.:\u00B7\u0387\u055F\u05F4\u2018\u2019\u2024\u2027\uFE13\uFE52\uFE55\uFF07\uFF0E\uFF1A";
  const int kind = category(c);
  return kind == UTF8PROC_CATEGORY_MN || kind == UTF8PROC_CATEGORY_ME || kind == UTF8PROC_CATEGORY_CF ||
         kind == UTF8PROC_CATEGORY_LM || kind == UTF8PROC_CATEGORY_SK || kInsideWords.find(c) != kInsideWords.npos;
}

bool is_punctuation(char32_t c) {
  if (c < 0x80) {
    const char32_t lower = c | 0x20;
    return c > 0x20 && c < 0x7F && !(c >= '0' && c <= '9') && !(lower >= 'a' && lower <= 'z');
  }
  const int kind = category(c);
  return kind >= UTF8PROC_CATEGORY_PC && kind <= UTF8PROC_CATEGORY_PO;
}

bool is_nonspacing_mark(char32_t c) { return c >= 0x300 && category(c) == UTF8PROC_CATEGORY_MN; }

bool is_cjk_ideograph(char32_t c) {
  static constexpr std::array<std::array<char32_t, 2>, 7> kRanges = {{{0x3400, 0x4DBF},
                                                                      {0x20000, 0x2A6DF},
                                                                      {0x2A700, 0x2B73F},
                                                                      {0x2B740, 0x2B81F},
                                                                      {0x2B820, 0x2CEAF},
                                                                      {0xF900, 0xFAFF},
                                                                      {0x2F800, 0x2FA1F}}};
  if (c >= 0x4E00 && c <= 0x9FFF) return true;
  if (c < 0x3400) return false;
  for (const auto& range : kRanges) {
    if (c >= range[0] && c <= range[1]) return true;
  }
  return false;
}

int combining_class(char32_t c) {
  return c < 0x300 ? 0 : utf8proc_get_property(static_cast<utf8proc_int32_t>(c))->combining_class;
}

bool is_blank(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const CodePoint c = decode_utf8(text.data() + i);
    if (!is_whitespace(c.value)) return false;
    i += static_cast<size_t>(c.length);
  }
  return true;
}

std::string_view strip_whitespace(std::string_view text) {
  size_t begin = text.size(), end = 0;
  for (size_t i = 0; i < text.size();) {
    const CodePoint c = decode_utf8(text.data() + i);
    const size_t next = i + static_cast<size_t>(c.length);
    if (!is_whitespace(c.value) && !(c.value >= 0x1C && c.value <= 0x1F)) {
      begin = std::min(begin, i);
      end = next;
    }
    i = next;
  }
  return end == 0 ? text.substr(0, 0) : text.substr(begin, end - begin);
}

int to_lower(char32_t c, char32_t* out) {
  if (c == 0x130) {
    out[0] = 'i';
    out[1] = 0x307;
    return 2;
  }
  out[0] = static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)));
  return 1;
}

std::vector<size_t> final_sigmas(std::u32string_view text) {
  constexpr char32_t kCapitalSigma = 0x3A3;
  if (text.find(kCapitalSigma) == text.npos) return {};
  std::vector<bool> after_cased(text.size());
  bool cased = false;
  for (size_t i = 0; i < text.size(); ++i) {
    after_cased[i] = cased;
    if (!is_case_ignorable(text[i])) cased = is_cased(text[i]);
  }
  std::vector<size_t> found;
  cased = false;
  for (size_t i = text.size(); i-- > 0;) {
    if (text[i] == kCapitalSigma && after_cased[i] && !cased) found.push_back(i);
    if (!is_case_ignorable(text[i])) cased = is_cased(text[i]);
  }
  std::ranges::reverse(found);
  return found;
}

std::u32string to_lower(std::u32string_view text) {
  const std::vector<size_t> ends = final_sigmas(text);
  std::u32string lower;
  lower.reserve(text.size());
  for (size_t i = 0, end = 0; i < text.size(); ++i) {
    std::array<char32_t, 2> letters = {kFinalSigma};
    const bool is_end = end < ends.size() && ends[end] == i;
    end += is_end;
    lower.append(letters.data(), static_cast<size_t>(is_end ? 1 : to_lower(text[i], letters.data())));
  }
  return lower;
}

int decompose(char32_t c, char32_t* out) {
  std::array<utf8proc_int32_t, kMaxDecomposition> buffer;
  int last_boundary_class = 0;
  const auto count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), buffer.data(), kMaxDecomposition,
                                             UTF8PROC_DECOMPOSE, &last_boundary_class);
  if (count < 1 || count > kMaxDecomposition) {  // impossible for a Unicode scalar value
    out[0] = c;
    return 1;
  }
  for (int i = 0; i < count; ++i) out[i] = static_cast<char32_t>(buffer[static_cast<size_t>(i)]);
  return static_cast<int>(count);
}

int compose_alone(char32_t c, char32_t* out) {
  std::array<utf8proc_int32_t, kMaxDecomposition> buffer;
  const int count = decompose(c, out);
  for (int i = 0; i < count; ++i) buffer[static_cast<size_t>(i)] = static_cast<utf8proc_int32_t>(out[i]);
  const auto composed = utf8proc_normalize_utf32(buffer.data(), count,
                                                 static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE));
  for (utf8proc_ssize_t i = 0; i < composed; ++i) out[i] = static_cast<char32_t>(buffer[static_cast<size_t>(i)]);
  return static_cast<int>(composed);
}

}  // namespace roformer
