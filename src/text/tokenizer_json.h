// tokenizer.json of Hugging Face's tokenizers, for WordPiece: what transformers 5 saves a tokenizer in, and reads.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "text/tokenizer.h"
#include "text/wordpiece.h"

namespace roformer {

struct FastTokenizer {
  std::vector<std::string> tokens;  // of the model, by id, then the added ones
  size_t added = 0;                 // how many those are
  std::vector<AddedToken> added_tokens;
  WordPieceOptions options;
};

// DataError where it is no BERT tokenizer: another model, normaliser or pre-tokenizer, or settings of theirs that would
// give other ids than WordPieceTokenizer. Truncation, padding, the decoder and the post-processor are not looked at:
// they are what a caller asks for. (What RoFormer's tokenizer saves says BertPreTokenizer in place of jieba.)
FastTokenizer read_fast_tokenizer(const std::string& path);

// `added`: besides the special tokens.
std::string write_fast_tokenizer(const Vocabulary& vocabulary, const SpecialTokens& specials,
                                 const std::vector<AddedToken>& added, const WordPieceOptions& options);

// The keys of "vocab" by their ids, which must be 0, 1, 2, ...
std::vector<std::string> read_vocabulary_object(const JsonObject& model);

// "added_tokens" of a tokenizer.json; none if absent.
std::vector<AddedToken> read_added_token_list(const JsonObject& file);

// The content of "added_tokens" or "added_tokens_decoder" for one token. DataError for what is not supported: white
// space taken with it, or whole words only.
AddedToken read_added_token(const JsonObject& entry, int64_t id);
nlohmann::ordered_json write_added_token(const AddedToken& token);

// Appends those added tokens that follow `tokens` and checks that all have the text of their id. Returns how many.
size_t append_added_tokens(std::vector<std::string>& tokens, const std::vector<AddedToken>& added,
                           const std::string& where);

}  // namespace roformer
