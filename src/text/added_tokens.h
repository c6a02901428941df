// Vocabularies and added tokens in the JSON files of Hugging Face's tokenizers, for all models.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "text/tokenizer.h"

namespace roformer {

// The keys of "vocab" by id. DataError unless the ids are distinct and dense enough: a few may have no token (holes).
struct VocabularyObject {
  std::vector<std::string> tokens;
  std::vector<int32_t> holes;  // ascending
};
VocabularyObject read_vocabulary_object(const JsonObject& model);
// The same of a vocab.json, which is that object.
VocabularyObject read_vocabulary_file(const JsonObject& file);

// The two tokens of an entry of BPE's "merges": ["a", "b"] or "a b". DataError at `where` for another.
std::pair<std::string, std::string> read_merge(const Json& entry, const FilePath& where);

// "added_tokens" of a tokenizer.json; none if absent.
std::vector<AddedToken> read_added_token_list(const JsonObject& file);

// One entry of "added_tokens" or "added_tokens_decoder", or a special token given as an object.
AddedToken read_added_token(const JsonObject& entry, int64_t id);
nlohmann::ordered_json write_added_token(const AddedToken& token);

}  // namespace roformer
