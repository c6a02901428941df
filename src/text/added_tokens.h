// Vocabularies and added tokens in the JSON files of Hugging Face's tokenizers, for all models.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "text/tokenizer.h"

namespace roformer {

// The keys of "vocab" ordered by id; ids must be 0, 1, 2, ...
std::vector<std::string> read_vocabulary_object(const JsonObject& model);

// The two tokens of an entry of BPE's "merges": ["a", "b"] or "a b". DataError at `where` for another.
std::pair<std::string, std::string> read_merge(const Json& entry, const FilePath& where);

// "added_tokens" of a tokenizer.json; none if absent.
std::vector<AddedToken> read_added_token_list(const JsonObject& file);

// One entry of "added_tokens" or "added_tokens_decoder". DataError for unsupported options: lstrip, rstrip,
// single_word.
AddedToken read_added_token(const JsonObject& entry, int64_t id);
nlohmann::ordered_json write_added_token(const AddedToken& token);

// Appends the added tokens whose ids follow `tokens` and checks the text of the others. Returns the number appended.
size_t append_added_tokens(std::vector<std::string>& tokens, const std::vector<AddedToken>& added,
                           const std::string& where);

}  // namespace roformer
