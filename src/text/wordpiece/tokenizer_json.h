// tokenizer.json of Hugging Face's tokenizers, for WordPiece: what transformers 5 saves a tokenizer in, and reads.
#pragma once

#include <string>
#include <vector>

#include "text/tokenizer.h"
#include "text/wordpiece/wordpiece.h"

namespace roformer {

struct FastTokenizer {
  std::vector<std::string> tokens;  // of the model, by id, then the added ones
  size_t added = 0;                 // how many those are
  std::vector<AddedToken> added_tokens;
  WordPieceOptions options;
};

// DataError where it is no BERT tokenizer: another model, normalizer or pre-tokenizer, or settings of theirs that would
// give other ids than WordPieceTokenizer. Truncation, padding, the decoder and the post-processor are not looked at:
// they are what a caller asks for. (What RoFormer's tokenizer saves says BertPreTokenizer in place of jieba.)
FastTokenizer read_fast_tokenizer(const std::string& path);

// `added`: besides the special tokens.
std::string write_fast_tokenizer(const Vocabulary& vocabulary, const SpecialTokens& specials,
                                 const std::vector<AddedToken>& added, const WordPieceOptions& options);

}  // namespace roformer
