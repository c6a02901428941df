// Vocabularies and added tokens as the JSON files of Hugging Face's tokenizers hold them, whatever the model.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "text/tokenizer.h"

namespace roformer {

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
