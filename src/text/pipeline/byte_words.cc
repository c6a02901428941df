#include "text/pipeline/byte_words.h"

#include <oniguruma.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "base/utf8.h"
#include "text/pipeline/unicode.h"

namespace roformer {

namespace {

// openai/gpt-2's encoder.py, and ByteLevel of Hugging Face's tokenizers.
constexpr std::string_view kGpt2 = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
// meta-llama/Meta-Llama-3-8B, tokenizer.json.
constexpr std::string_view kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
// Qwen/Qwen2-0.5B, tokenizer.json.
constexpr std::string_view kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// `stop` is a digit that is a word of its own, at which the expressions see the end of the text.
enum class CharacterKind : uint8_t { other, letter, number, space, stop };

constexpr char32_t kCodePoints = 0x110000;
constexpr uint8_t kKindBits = 7, kDigitBit = 8;

void mark_property(const char* name, CharacterKind kind, std::vector<uint8_t>& kinds) {
  OnigEncoding utf8 = ONIG_ENCODING_UTF8;
  std::string text = name;
  auto* begin = reinterpret_cast<OnigUChar*>(text.data());
  const int property = utf8->property_name_to_ctype(utf8, begin, begin + text.size());
  OnigCodePoint single_bytes = 0;
  const OnigCodePoint* ranges = nullptr;
  if (property < 0 || utf8->get_ctype_code_range(static_cast<OnigCtype>(property), &single_bytes, &ranges) != 0) return;
  const OnigCodePoint count = ranges[0];
  for (OnigCodePoint i = 0; i < count; ++i) {
    const OnigCodePoint first = ranges[2 * i + 1], last = std::min(ranges[2 * i + 2], kCodePoints - 1);
    std::fill(kinds.begin() + first, kinds.begin() + last + 1, static_cast<uint8_t>(kind));
  }
}

// Kinds by code point, from Oniguruma's own tables, and the digits of tokenizers' "Digits".
const std::vector<uint8_t>& character_kinds() {
  static const std::vector<uint8_t> table = [] {
    std::vector<uint8_t> kinds(kCodePoints);
    mark_property("Space", CharacterKind::space, kinds);
    mark_property("L", CharacterKind::letter, kinds);
    mark_property("N", CharacterKind::number, kinds);
    for (char32_t c = 0; c < kCodePoints; ++c) {
      if (pipeline::is_numeric(c)) kinds[c] |= kDigitBit;
    }
    return kinds;
  }();
  return table;
}

// One word's way through the alternatives of an expression, in order.
template <bool kStopsAtDigits>
class WordScanner {
 public:
  WordScanner(std::string_view text, size_t begin) : kinds_(character_kinds().data()), text_(text), begin_(begin) {}

  size_t gpt2() const {
    const Character first = read(begin_);
    if (text_[begin_] == '\'') {
      if (const size_t size = contraction<false>()) return begin_ + size;
    }
    if (first.kind == CharacterKind::stop) return begin_ + first.size;
    if (const auto next = behind_space(); next.kind != CharacterKind::space && next.kind != CharacterKind::stop) {
      return end_of_run(begin_ + 1 + next.size, next.kind);  // " ?" before letters, numbers or others
    }
    if (first.kind != CharacterKind::space) return end_of_run(begin_ + first.size, first.kind);
    return end_of_spaces<false>(first.size);
  }

  size_t cl100k(int max_digits) const {
    const Character first = read(begin_);
    if (text_[begin_] == '\'') {
      if (const size_t size = contraction<true>()) return begin_ + size;
    }
    const size_t second = begin_ + first.size;
    if (first.kind == CharacterKind::letter) return end_of_run(second, CharacterKind::letter);
    if (first.kind == CharacterKind::number) return end_of_digits(second, max_digits - 1);
    if (!is_line_end(text_[begin_]) && kind_at(second) == CharacterKind::letter) {  // [^\r\n\p{L}\p{N}]?\p{L}+
      return end_of_run(second, CharacterKind::letter);
    }
    if (first.kind == CharacterKind::other) return end_of_symbols(second);
    if (const auto next = behind_space(); next.kind == CharacterKind::other) {
      return end_of_symbols(begin_ + 1 + next.size);
    }
    return end_of_spaces<true>(first.size);
  }

 private:
  struct Character {
    CharacterKind kind;
    size_t size;
  };

  static bool is_line_end(char c) { return c == '\n' || c == '\r'; }

  Character read(size_t at) const {
    const auto byte = static_cast<unsigned char>(text_[at]);
    if (byte < 0x80) return {kind_of(byte), 1};
    const CodePoint c = decode_utf8(text_.data() + at);
    return {kind_of(c.value), static_cast<size_t>(c.length)};
  }
  CharacterKind kind_of(char32_t c) const {
    const uint8_t bits = kinds_[c];
    if (kStopsAtDigits && (bits & kDigitBit) != 0) return CharacterKind::stop;
    return static_cast<CharacterKind>(bits & kKindBits);
  }
  // At the end of the text: stop.
  CharacterKind kind_at(size_t at) const { return at < text_.size() ? read(at).kind : CharacterKind::stop; }

  // What follows a space at the start of the word; space if none is there.
  Character behind_space() const {
    if (text_[begin_] != ' ') return {CharacterKind::space, 0};
    return begin_ + 1 < text_.size() ? read(begin_ + 1) : Character{CharacterKind::stop, 0};
  }

  size_t end_of_run(size_t at, CharacterKind kind) const {
    while (at < text_.size()) {
      const Character next = read(at);
      if (next.kind != kind) break;
      at += next.size;
    }
    return at;
  }

  size_t end_of_digits(size_t at, int more) const {
    for (; more > 0 && kind_at(at) == CharacterKind::number; --more) at += read(at).size;
    return at;
  }

  // [^\s\p{L}\p{N}]+[\r\n]*, of which the first is before `at`.
  size_t end_of_symbols(size_t at) const {
    at = end_of_run(at, CharacterKind::other);
    while (at < text_.size() && is_line_end(text_[at])) ++at;
    return at;
  }

  // \s*[\r\n]+ if `kLineEnds`, \s+(?!\S), \s+; `size` is that of the first character.
  template <bool kLineEnds>
  size_t end_of_spaces(size_t size) const {
    size_t at = begin_, last = begin_, behind_line_end = 0;
    do {
      last = at;
      at += size;
      if (kLineEnds && is_line_end(text_[last])) behind_line_end = at;
      if (at == text_.size()) break;
      const Character next = read(at);
      if (next.kind != CharacterKind::space) {
        if (behind_line_end > 0) return behind_line_end;
        return next.kind == CharacterKind::stop || last == begin_ ? at : last;
      }
      size = next.size;
    } while (true);
    return behind_line_end > 0 ? behind_line_end : at;
  }

  // The size of an apostrophe and an English ending; 0 if there is none. In any case if `kFolds`, where ſ is an s.
  template <bool kFolds>
  size_t contraction() const {
    const auto letter = [&](size_t ahead) -> char {
      const char c = begin_ + ahead < text_.size() ? text_[begin_ + ahead] : '\0';
      return kFolds && c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
    };
    const char a = letter(1);
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
    const char b = letter(2);
    if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return 3;
    if (kFolds && text_.substr(begin_ + 1).starts_with("\xC5\xBF")) return 3;
    return 0;
  }

  const uint8_t* kinds_;
  std::string_view text_;
  size_t begin_;
};

}  // namespace

std::string_view expression_of(BytePattern pattern) {
  switch (pattern) {
    case BytePattern::gpt2:
    case BytePattern::smollm: return kGpt2;
    case BytePattern::llama3: return kLlama3;
    case BytePattern::qwen2: return kQwen2;
  }
  return kGpt2;
}

std::optional<BytePattern> pattern_of_expression(std::string_view expression) {
  if (expression == kLlama3) return BytePattern::llama3;
  if (expression == kQwen2) return BytePattern::qwen2;
  return std::nullopt;
}

size_t ByteWords::end_of_word(std::string_view text, size_t begin) const {
  switch (pattern_) {
    case BytePattern::gpt2: break;
    case BytePattern::smollm: return WordScanner<true>(text, begin).gpt2();
    case BytePattern::llama3: return WordScanner<false>(text, begin).cl100k(3);
    case BytePattern::qwen2: return WordScanner<false>(text, begin).cl100k(1);
  }
  return WordScanner<false>(text, begin).gpt2();
}

}  // namespace roformer
