// The config.json of a Llama, as transformers' LlamaConfig has it. models/config_json.h's callers come here by
// "model_type".
#pragma once

#include <string_view>

#include "models/config.h"

namespace roformer {

// Settings of a file of model_type "llama"; family and head of `config` are known, and the file's other settings are
// left to complete(). DataError for values that change the result and that this program does not have.
void read_llama(const JsonObject& json, ModelConfig& config);

// All keys that a LlamaConfig has, and none of `config` but family and head.
Json write_llama(const ModelConfig& config);

// Whether read_llama() looks at a key, or it has no influence on what this program computes.
bool is_llama_key(std::string_view key);

}  // namespace roformer
