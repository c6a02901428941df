// The attention settings of a config.json, all of them this project's, in models that call themselves
// "roformer_variant": "attention_type", a name or a list of one for each layer; of linear attention
// "attention_rotation", "favor_features", "favor_redraw" and "favor_seed".
#pragma once

#include <span>
#include <string_view>

#include "models/config.h"

namespace roformer {

// DataError naming the key for a value of the wrong type or a name that is none; whether they go together is left to
// complete().
void read_attention(const JsonObject& json, ModelConfig& config);
// Adds nothing where all layers have softmax attention.
void write_attention(const ModelConfig& config, Json& json);
// All keys that read_attention() looks at.
std::span<const std::string_view> attention_keys();

}  // namespace roformer
