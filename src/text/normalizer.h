// BERT's normalization, one code point at a time, tracking the input code point that each output code point came from.
// Cleaning drops U+0000, U+FFFD and control characters and makes whitespace a space.
// Order of the steps, as in Hugging Face's BertNormalizer: clean, spaces around CJK, canonical decomposition without
// category Mn, lower case. Then BertPreTokenizer: split at whitespace, every punctuation character a word of its own.
// It writes into a sink rather than into strings, so that offsets cost nothing if they are not requested.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/utf8.h"
#include "text/bert_unicode.h"
#include "text/unicode.h"

namespace roformer {

struct Normalization {
  bool lowercase = true;
  bool strip_accents = true;  // decompose (NFD) and drop non-spacing marks
  bool separate_cjk = true;   // a space before and after each CJK ideograph
  // No cleaning, and Unicode properties of Python (and utf8proc) instead of Hugging Face's tokenizers.
  bool as_python = false;
};

// sink(char32_t code_point, int64_t origin): `origin` counts code points of the input from `first`.
template <class Sink>
class Normalizer {
 public:
  Normalizer(const Normalization& options, Sink& sink) : options_(options), sink_(sink) {}

  // `text` must be valid UTF-8. A text must be normalized in one call, as marks are reordered.
  void run(std::string_view text, int64_t first) {
    int64_t origin = first;
    for (size_t i = 0; i < text.size(); ++origin) {
      const CodePoint c = decode_utf8(text.data() + i);
      i += static_cast<size_t>(c.length);
      if (c.value < 0x80) {
        ascii(c.value, origin);
      } else {
        other(c.value, origin);
      }
    }
    flush_marks();
  }

 private:
  struct Mark {
    char32_t value;
    int combining_class;
    int64_t origin;
  };

  void ascii(char32_t c, int64_t origin) {
    if (!options_.as_python && (c < 0x20 || c == 0x7F)) {
      if (c != '\t' && c != '\n' && c != '\r') return;
      c = ' ';
    }
    flush_marks();
    sink_(options_.lowercase && c >= 'A' && c <= 'Z' ? c + 32 : c, origin);
  }

  void other(char32_t c, int64_t origin) {
    if (c >= 0x4E00 && c <= 0x9FFF)
      return starter(c, origin, options_.separate_cjk);  // fast path for most Chinese text
    if (!options_.as_python) {
      if (c == 0xFFFD || bert::is_control(c)) return;
      if (is_whitespace(c)) return starter(' ', origin, false);
    }
    const bool separate = options_.separate_cjk && bert::is_cjk_ideograph(c);
    if (!options_.strip_accents) return starter(c, origin, separate);
    std::array<char32_t, kMaxDecomposition> parts;
    const int count = options_.as_python ? decompose(c, parts.data()) : bert::decompose(c, parts.data());
    for (int i = 0; i < count; ++i) {
      const char32_t part = parts[static_cast<size_t>(i)];
      const int order = options_.as_python ? combining_class(part) : bert::combining_class(part);
      if (order != 0) {
        marks_.push_back({part, order, origin});
      } else {
        flush_marks();
        if (!is_dropped(part)) starter(part, origin, separate);
      }
    }
  }

  bool is_dropped(char32_t c) const { return options_.as_python ? is_nonspacing_mark(c) : bert::is_nonspacing_mark(c); }

  void starter(char32_t c, int64_t origin, bool separate) {
    flush_marks();
    if (separate) sink_(U' ', origin);
    emit(c, origin);
    if (separate) sink_(U' ', origin);
  }

  void emit(char32_t c, int64_t origin) {
    if (!options_.lowercase) return sink_(c, origin);
    std::array<char32_t, 2> lower;
    const int count = options_.as_python ? to_lower(c, lower.data()) : bert::to_lower(c, lower.data());
    for (int i = 0; i < count; ++i) sink_(lower[static_cast<size_t>(i)], origin);
  }

  // Emits the marks after a starter in canonical order, without those of category Mn (nearly all).
  void flush_marks() {
    if (marks_.empty()) return;
    std::stable_sort(marks_.begin(), marks_.end(),
                     [](const Mark& a, const Mark& b) { return a.combining_class < b.combining_class; });
    for (const Mark& mark : marks_) {
      if (!is_dropped(mark.value)) emit(mark.value, mark.origin);
    }
    marks_.clear();
  }

  Normalization options_;
  Sink& sink_;
  std::vector<Mark> marks_;
};

// Maximum length of a word; longer ones are truncated, as they are unknown anyway.
inline constexpr int64_t kMaxWordCodePoints = 100;

struct Word {
  std::string text;              // UTF-8
  std::vector<int64_t> origins;  // one per byte of `text`; empty if offsets were not requested
  int64_t code_points = 0;       // if above the limit, `text` is truncated
  int64_t first = 0, last = 0;   // smallest and largest origin, truncated code points included
};

// A sink that splits normalized text into words and calls on_word(const Word&) for each. `limit`: of code points.
template <class OnWord>
class WordSplitter {
 public:
  WordSplitter(bool with_origins, OnWord on_word, int64_t limit = kMaxWordCodePoints)
      : with_origins_(with_origins), limit_(limit), on_word_(std::move(on_word)) {}

  void operator()(char32_t c, int64_t origin) {
    if (is_whitespace(c)) {
      finish();
    } else if (bert::is_punctuation(c)) {
      finish();
      add(c, origin);
      finish();
    } else {
      add(c, origin);
    }
  }

  void finish() {
    if (word_.code_points > 0) on_word_(static_cast<const Word&>(word_));
    word_.text.clear();
    word_.origins.clear();
    word_.code_points = 0;
  }

  void add(char32_t c, int64_t origin) {  // to the current word, unconditionally
    word_.first = word_.code_points == 0 ? origin : std::min(word_.first, origin);
    word_.last = word_.code_points == 0 ? origin : std::max(word_.last, origin);
    if (++word_.code_points > limit_) return;
    append_utf8(word_.text, c);
    if (with_origins_) word_.origins.resize(word_.text.size(), origin);
  }

 private:
  bool with_origins_;
  int64_t limit_;
  OnWord on_word_;
  Word word_;
};

// Normalizes `text` and calls on_word(const Word&) for each of its words.
template <class OnWord>
void for_words(std::string_view text, int64_t first, const Normalization& options, bool with_origins, OnWord on_word) {
  WordSplitter<OnWord> splitter(with_origins, std::move(on_word));
  Normalizer<WordSplitter<OnWord>> normalizer(options, splitter);
  normalizer.run(text, first);
  splitter.finish();
}

}  // namespace roformer
