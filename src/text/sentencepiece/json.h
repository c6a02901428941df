// SentencePiece models as Hugging Face's tokenizers writes them: a tokenizer.json whose model is BPE or Unigram. What
// its parts say is read where SentencePieceTokenizer does the very same: BPE by a list of merges, unigram with sums in
// double; bytes for what has no piece; a space before a text by "Prepend" and "Replace" or by "Metaspace".
// "Precompiled" (T5's, XLM-RoBERTa's) is refused: tokenizers applies such rules to graphemes, SentencePiece to the
// text, and the ids differ; those models have a spiece.model. There is no writer: a tokenizer read from such a file
// keeps it as it is.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "text/sentencepiece/model.h"
#include "text/tokenizer.h"

namespace roformer {

struct FastSentencePiece {
  SentencePieceModel model;
  std::vector<AddedToken> added;          // with the special ones that are pieces
  bool legacy = false;                    // SentencePieceSettings
  SpecialTokenTemplate special_template;  // what the post-processor puts around texts, by these names; empty: none
  std::string begin, end;
};

// Whether the file, a tokenizer.json, has a BPE or Unigram model; false where it cannot be read.
bool is_fast_sentencepiece(const JsonObject& file);

// DataError, naming the file and the part, where it is not understood. Truncation, padding and the decoder are not
// looked at: texts are decoded as SentencePiece does.
FastSentencePiece read_fast_sentencepiece(const JsonObject& file);

}  // namespace roformer
