// What RoFormer's three tokenizers make of a text before and after jieba cuts it (jieba_tokenizer.h says what each
// does).
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"
#include "text/wordpiece/wordpiece.h"

namespace roformer {

// Normalized text, one entry a code point.
struct JiebaText {
  std::vector<char32_t> code_points;
  std::vector<int64_t> origins;  // the code point of the input it came from; empty when not asked for
};

// `text` must be valid UTF-8 and starts at code point `first` of the input.
JiebaText normalize_for_jieba(std::string_view text, int64_t first, const WordPieceOptions& options, JiebaMode mode,
                              bool with_origins);

// A code point of an unknown word: left out, an end of what went before, a word of its own, or part of one.
enum class UnknownPart { dropped, separator, alone, inside };
UnknownPart unknown_part(char32_t c, const WordPieceOptions& options, JiebaMode mode);

// What such a code point is in the words given to WordPiece; writes at most kMaxDecomposition, returns how many.
int spell_unknown(char32_t c, const WordPieceOptions& options, JiebaMode mode, char32_t* out);

}  // namespace roformer
