// What the configuration files of a tokenizer say, whatever its kind.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "text/tokenizer.h"

namespace roformer {

// A token is written as its text or as {"content": text, ...}.
std::string read_token_name(const JsonObject& config, const char* key, const std::string& fallback);

// Tokens beyond those of the vocabulary, from tokenizer_config.json or, of older transformers, added_tokens.json.
std::vector<AddedToken> read_added_tokens(const JsonObject& config, const std::string& directory);

// Those of `tokens` named as special, too, are special, and found in the text as it is.
void mark_special(const JsonObject& config, const std::vector<std::string>& tokens, std::vector<AddedToken>& added);

}  // namespace roformer
