// SentencePiece models in Hugging Face's tokenizer.json, with a BPE or Unigram model. Supported are settings that
// SentencePieceTokenizer reproduces exactly: BPE by a list of merges, unigram with sums in double; byte fallback; a
// dummy prefix by "Prepend" and "Replace" or by "Metaspace". "Precompiled" (T5, XLM-RoBERTa) is rejected: tokenizers
// applies such rules to graphemes, SentencePiece to the text, and the ids differ; those models have a spiece.model.
// There is no writer: a tokenizer read from such a file saves it unchanged.
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
  std::vector<AddedToken> added;          // including special tokens that are pieces
  bool legacy = false;                    // SentencePieceSettings
  SpecialTokenTemplate special_template;  // of the post-processor, with these tokens; empty: none
  std::string begin, end;
};

// Whether a tokenizer.json has a BPE or Unigram model.
bool is_fast_sentencepiece(const JsonObject& file);

// DataError naming the file and the part for unsupported settings. Truncation, padding and the decoder are ignored:
// texts are decoded as by SentencePiece.
FastSentencePiece read_fast_sentencepiece(const JsonObject& file);

}  // namespace roformer
