// tokenizer.json of Hugging Face's tokenizers for WordPiece, the format of transformers 5.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "text/added_tokens.h"
#include "text/tokenizer.h"
#include "text/wordpiece/wordpiece.h"

namespace roformer {

// The vocabulary of its WordPiece model. DataError for another model.
VocabularyObject read_fast_vocabulary(const JsonObject& file);

// The options of its normalizer. DataError for another normalizer, another pre-tokenizer, and settings with which ids
// would differ from WordPieceTokenizer's. Truncation, padding, decoder and post-processor are ignored.
WordPieceOptions read_fast_options(const JsonObject& file);

// `added` may lack the special tokens.
std::string write_fast_tokenizer(const Vocabulary& vocabulary, const SpecialTokens& specials,
                                 const std::vector<AddedToken>& added, const WordPieceOptions& options);

}  // namespace roformer
