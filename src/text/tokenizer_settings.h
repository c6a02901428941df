// Settings common to the configuration files of all tokenizers.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "text/tokenizer.h"

namespace roformer {

// Reads a token given as text or as {"content": text, ...}.
std::string read_token_name(const JsonObject& config, const char* key, const std::string& fallback);

// Added tokens from tokenizer_config.json or, for older transformers, added_tokens.json.
std::vector<AddedToken> read_added_tokens(const JsonObject& config, const std::string& directory);

// Marks tokens listed as additional special tokens as special and matched in raw text.
void mark_special(const JsonObject& config, const std::vector<std::string>& tokens, std::vector<AddedToken>& added);

}  // namespace roformer
