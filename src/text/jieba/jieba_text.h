// Pre- and post-processing of jieba's segmentation in RoFormer's three tokenizers (described in jieba_tokenizer.h).
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"
#include "text/wordpiece/wordpiece.h"

namespace roformer {

// Normalized text, one entry per code point.
struct JiebaText {
  std::vector<char32_t> code_points;
  std::vector<int64_t> origins;  // index of the input code point it came from; empty if not requested
};

// `text` must be valid UTF-8 and starts at code point `first` of the input.
JiebaText normalize_for_jieba(std::string_view text, int64_t first, const WordPieceOptions& options, JiebaMode mode,
                              bool with_origins);

// How WordPiece input is formed from a code point of an unknown word: dropped, a word boundary, a word of its own, or
// part of a word.
enum class UnknownPart { dropped, separator, alone, inside };
UnknownPart unknown_part(char32_t c, const WordPieceOptions& options, JiebaMode mode);

// The code points it becomes in WordPiece's input; writes at most kMaxDecomposition and returns their number.
int spell_unknown(char32_t c, const WordPieceOptions& options, JiebaMode mode, char32_t* out);

}  // namespace roformer
