// tokenizer.json of Hugging Face's tokenizers for WordPiece, the format of transformers 5.
#pragma once

#include <string>
#include <vector>

#include "text/tokenizer.h"
#include "text/wordpiece/wordpiece.h"

namespace roformer {

struct FastTokenizer {
  std::vector<std::string> tokens;  // by id, added tokens last
  size_t added = 0;                 // number of added tokens
  std::vector<AddedToken> added_tokens;
  WordPieceOptions options;
};

// DataError unless it is a BERT tokenizer: for another model, normalizer or pre-tokenizer, or settings with which ids
// would differ from WordPieceTokenizer's. Truncation, padding, decoder and post-processor are ignored. (RoFormer's
// tokenizer saves BertPreTokenizer in place of jieba.)
FastTokenizer read_fast_tokenizer(const std::string& path);

// `added` excludes the special tokens.
std::string write_fast_tokenizer(const Vocabulary& vocabulary, const SpecialTokens& specials,
                                 const std::vector<AddedToken>& added, const WordPieceOptions& options);

}  // namespace roformer
