// The attention settings of a config.json, all of them this project's own, for model_type "roformer_variant":
// "attention_type", a name or a list with one per layer; for linear attention "attention_rotation", "favor_features",
// "favor_redraw" and "favor_seed".
#pragma once

#include <span>
#include <string_view>

#include "models/config.h"

namespace roformer {

// DataError naming the key for a wrong type or an unknown name; complete() checks combinations.
void read_attention(const JsonObject& json, ModelConfig& config);
// Adds nothing if all layers have softmax attention.
void write_attention(const ModelConfig& config, Json& json);
// All keys read by read_attention().
std::span<const std::string_view> attention_keys();

}  // namespace roformer
