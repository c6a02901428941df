#include "text/pipeline/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <span>

#include "text/bert_unicode.h"
#include "text/unicode.h"

namespace roformer::pipeline {

namespace {

struct CodePoints {
  char32_t first, last;
};

// \w in tokenizers, of Unicode 16, but not in Unicode 15.
constexpr auto kLaterWords = std::to_array<CodePoints>(
    {{0x897, 0x897},     {0x1C89, 0x1C8A},   {0xA7CB, 0xA7CD},   {0xA7DA, 0xA7DC},   {0x105C0, 0x105F3},
     {0x10D40, 0x10D65}, {0x10D69, 0x10D6D}, {0x10D6F, 0x10D85}, {0x10EC2, 0x10EC4}, {0x10EFC, 0x10EFC},
     {0x11380, 0x11389}, {0x1138B, 0x1138B}, {0x1138E, 0x1138E}, {0x11390, 0x113B5}, {0x113B7, 0x113C0},
     {0x113C2, 0x113C2}, {0x113C5, 0x113C5}, {0x113C7, 0x113CA}, {0x113CC, 0x113D3}, {0x113E1, 0x113E2},
     {0x116D0, 0x116E3}, {0x11BC0, 0x11BE0}, {0x11BF0, 0x11BF9}, {0x11F5A, 0x11F5A}, {0x13460, 0x143FA},
     {0x16100, 0x16139}, {0x16D40, 0x16D6C}, {0x16D70, 0x16D79}, {0x18CFF, 0x18CFF}, {0x1CCF0, 0x1CCF9},
     {0x1E5D0, 0x1E5FA}, {0x2EBF0, 0x2EE5D}});
// Categories N* in tokenizers, of Unicode 17, but not in Unicode 15.
constexpr auto kLaterNumbers = std::to_array<CodePoints>({{0x10D40, 0x10D49},
                                                          {0x116D0, 0x116E3},
                                                          {0x11BF0, 0x11BF9},
                                                          {0x11DE0, 0x11DE9},
                                                          {0x16130, 0x16139},
                                                          {0x16D70, 0x16D79},
                                                          {0x16FF4, 0x16FF6},
                                                          {0x1CCF0, 0x1CCF9},
                                                          {0x1E5F1, 0x1E5FA}});
// Categories M* in Unicode 15, but not in tokenizers, which has those of 9.
constexpr auto kLaterMarks = std::to_array<CodePoints>(
    {{0x7FD, 0x7FD},     {0x898, 0x89F},     {0x8CA, 0x8D3},     {0x9FE, 0x9FE},     {0xAFA, 0xAFF},
     {0xB55, 0xB55},     {0xC04, 0xC04},     {0xC3C, 0xC3C},     {0xCF3, 0xCF3},     {0xD00, 0xD00},
     {0xD3B, 0xD3C},     {0xD81, 0xD81},     {0xEBA, 0xEBA},     {0xECE, 0xECE},     {0x1715, 0x1715},
     {0x180F, 0x180F},   {0x1ABF, 0x1ACE},   {0x1CF7, 0x1CF7},   {0x1DF6, 0x1DFA},   {0xA82C, 0xA82C},
     {0xA8FF, 0xA8FF},   {0x10D24, 0x10D27}, {0x10EAB, 0x10EAC}, {0x10EFD, 0x10EFF}, {0x10F46, 0x10F50},
     {0x10F82, 0x10F85}, {0x11070, 0x11070}, {0x11073, 0x11074}, {0x110C2, 0x110C2}, {0x11145, 0x11146},
     {0x111C9, 0x111C9}, {0x111CE, 0x111CF}, {0x11241, 0x11241}, {0x1133B, 0x1133B}, {0x1145E, 0x1145E},
     {0x1182C, 0x1183A}, {0x11930, 0x11935}, {0x11937, 0x11938}, {0x1193B, 0x1193E}, {0x11940, 0x11940},
     {0x11942, 0x11943}, {0x119D1, 0x119D7}, {0x119DA, 0x119E0}, {0x119E4, 0x119E4}, {0x11A01, 0x11A0A},
     {0x11A33, 0x11A39}, {0x11A3B, 0x11A3E}, {0x11A47, 0x11A47}, {0x11A51, 0x11A5B}, {0x11A8A, 0x11A99},
     {0x11D31, 0x11D36}, {0x11D3A, 0x11D3A}, {0x11D3C, 0x11D3D}, {0x11D3F, 0x11D45}, {0x11D47, 0x11D47},
     {0x11D8A, 0x11D8E}, {0x11D90, 0x11D91}, {0x11D93, 0x11D97}, {0x11EF3, 0x11EF6}, {0x11F00, 0x11F01},
     {0x11F03, 0x11F03}, {0x11F34, 0x11F3A}, {0x11F3E, 0x11F42}, {0x13440, 0x13440}, {0x13447, 0x13455},
     {0x16F4F, 0x16F4F}, {0x16F7F, 0x16F87}, {0x16FE4, 0x16FE4}, {0x16FF0, 0x16FF1}, {0x1CF00, 0x1CF2D},
     {0x1CF30, 0x1CF46}, {0x1E08F, 0x1E08F}, {0x1E130, 0x1E136}, {0x1E2AE, 0x1E2AE}, {0x1E2EC, 0x1E2EF},
     {0x1E4EC, 0x1E4EF}});
// With a decomposition in Unicode 15, but not in 9.
constexpr auto kWithoutCompatibility = std::to_array<CodePoints>({{0x32FF, 0x32FF},
                                                                  {0xA7F2, 0xA7F4},
                                                                  {0xAB69, 0xAB69},
                                                                  {0x10781, 0x107BA},
                                                                  {0x11938, 0x11938},
                                                                  {0x1E030, 0x1E06D},
                                                                  {0x1F16C, 0x1F16C},
                                                                  {0x1FBF0, 0x1FBF9}});

bool is_among(std::span<const CodePoints> ranges, char32_t c) {
  const auto after = std::ranges::upper_bound(ranges, c, {}, &CodePoints::first);
  return after != ranges.begin() && c <= std::prev(after)->last;
}

int category_of(char32_t c) { return utf8proc_category(static_cast<utf8proc_int32_t>(c)); }

constexpr size_t kLongestDecomposition = 18;  // U+FDFA

// Starters that no form but a compatible one changes, and that nothing before them composes with.
constexpr auto kComposed = std::to_array<CodePoints>({{0x0, 0x2FF},
                                                      {0x400, 0x482},
                                                      {0x48A, 0x52F},
                                                      {0x2010, 0x2027},
                                                      {0x2030, 0x205E},
                                                      {0x20A0, 0x20BF},
                                                      {0x2190, 0x2328},
                                                      {0x232B, 0x23FF},
                                                      {0x2460, 0x27BF},
                                                      {0x3000, 0x3029},
                                                      {0x3041, 0x3096},
                                                      {0x30A1, 0x30FF},
                                                      {0x3400, 0x4DBF},
                                                      {0x4E00, 0x9FFF},
                                                      {0xAC00, 0xD7A3},
                                                      {0xFF01, 0xFFEE},
                                                      {0x1F300, 0x1FAFF}});

// A code point of a text being normalized.
struct Part {
  char32_t c;
  int combining_class;
  int replaced;  // code points of the text that it stands for (TextRewriter::put)
};

void append_part(std::vector<Part>& parts, char32_t c, bool first) {
  parts.push_back({c, bert::combining_class(c), first ? 1 : 0});
}

void append_decomposition(char32_t c, bool compatible, std::vector<Part>& parts) {
  if (compatible && c >= 0xA0 && !is_among(kWithoutCompatibility, c)) {
    std::array<utf8proc_int32_t, kLongestDecomposition> buffer;
    int boundary = 0;
    const auto count =
        utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), buffer.data(), buffer.size(),
                                static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT), &boundary);
    if (count > 1 || (count == 1 && static_cast<char32_t>(buffer[0]) != c)) {
      for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
        append_part(parts, static_cast<char32_t>(buffer[i]), i == 0);
      }
      return;
    }
  }
  std::array<char32_t, kMaxDecomposition> buffer;
  const int count = c < 0xC0 ? 0 : bert::decompose(c, buffer.data());
  if (count == 0) append_part(parts, c, true);
  for (int i = 0; i < count; ++i) append_part(parts, buffer[static_cast<size_t>(i)], i == 0);
}

// Canonical order: the marks after a starter by class.
void order_marks(std::vector<Part>& parts) {
  for (auto begin = parts.begin(); begin != parts.end();) {
    const auto end = std::find_if(begin, parts.end(), [](const Part& part) { return part.combining_class == 0; });
    if (end - begin > 1) std::ranges::stable_sort(begin, end, {}, &Part::combining_class);
    begin = std::find_if(end, parts.end(), [](const Part& part) { return part.combining_class != 0; });
  }
}

// The primary composite of two code points; 0 if there is none.
char32_t compose_pair(char32_t a, char32_t b, int combining_class) {
  constexpr char32_t kBalinese = 0x1B35;  // VOWEL SIGN TEDUNG
  if (b < 0x300 || (combining_class == 0 && b >= 0x1200 && b < 0x11000 && b != kBalinese)) return 0;
  std::array<utf8proc_int32_t, 2> buffer = {static_cast<utf8proc_int32_t>(a), static_cast<utf8proc_int32_t>(b)};
  const auto count = utf8proc_normalize_utf32(buffer.data(), buffer.size(),
                                              static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE));
  const auto composed = static_cast<char32_t>(buffer[0]);
  return count == 1 && composed != 0x11938 ? composed : 0;  // DIVES AKURU VOWEL SIGN O is of Unicode 13
}

void compose(std::vector<Part>& parts) {
  size_t size = 0, starter = 0;
  bool has_starter = false;
  int last = 0;  // combining class of the mark before, if one is between it and the starter
  for (const Part& part : parts) {
    const bool blocked = last != 0 && last >= part.combining_class;
    if (has_starter && !blocked) {
      if (const char32_t whole = compose_pair(parts[starter].c, part.c, part.combining_class); whole != 0) {
        parts[starter].c = whole;
        parts[starter].replaced += part.replaced;
        continue;
      }
    }
    if (part.combining_class == 0) {
      starter = size;
      has_starter = true;
    }
    last = has_starter ? part.combining_class : 0;
    parts[size++] = part;
  }
  parts.resize(size);
}

}  // namespace

bool is_word(char32_t c) { return is_word_character(c) || (c > 0x80 && is_among(kLaterWords, c)); }

bool is_numeric(char32_t c) {
  if (c < 0x80) return c >= '0' && c <= '9';
  const int kind = category_of(c);
  return (kind >= UTF8PROC_CATEGORY_ND && kind <= UTF8PROC_CATEGORY_NO) || is_among(kLaterNumbers, c);
}

bool is_mark(char32_t c) {
  if (c < 0x300) return false;
  if (c == 0x1CF2 || c == 0x1CF3) return true;  // VEDIC SIGN ARDHAVISARGA, Mc until Unicode 11
  const int kind = category_of(c);
  return kind >= UTF8PROC_CATEGORY_MN && kind <= UTF8PROC_CATEGORY_ME && !is_among(kLaterMarks, c);
}

bool is_surely_composed(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    if (static_cast<unsigned char>(text[i]) < 0x80 || is_common_ideograph(text.data() + i)) {
      i += static_cast<unsigned char>(text[i]) < 0x80 ? 1 : 3;
      continue;
    }
    const CodePoint c = decode_utf8(text.data() + i);
    if (!is_among(kComposed, c.value)) return false;
    i += static_cast<size_t>(c.length);
  }
  return true;
}

void normalize(AlignedText& text, NormalizationForm form) {
  if (std::ranges::all_of(text.text, [](char byte) { return static_cast<unsigned char>(byte) < 0x80; })) return;
  const bool compatible = form == NormalizationForm::nfkc || form == NormalizationForm::nfkd;
  std::vector<Part> parts;
  parts.reserve(text.text.size());
  for_code_points(text.text, [&](char32_t c) { append_decomposition(c, compatible, parts); });
  order_marks(parts);
  if (form == NormalizationForm::nfc || form == NormalizationForm::nfkc) compose(parts);
  TextRewriter rewriter(text);
  for (const Part& part : parts) rewriter.put(part.c, part.replaced);
  rewriter.finish();
}

}  // namespace roformer::pipeline
