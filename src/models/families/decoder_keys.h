// What config.json says alike in the families of causal language models.
#pragma once

#include "models/families/family.h"

namespace roformer::decoder_keys {

// "bos_token_id", "eos_token_id" (one or a list), "pad_token_id".
void special_tokens(ConfigKeys& keys, ModelConfig& config);
// Keys without influence.
void other_keys(ConfigKeys& keys);
// DataError or UsageError for what is no causal language model, or the trunk of one.
void require_causal(const ModelConfig& config, const std::string& source, const char* name);
// What the rotation of such a model is read from, where its file may leave out max_position_embeddings.
RotaryPosition read_half_rotation(const JsonObject& json, RotaryPosition position, int64_t max_positions);

// Tensors that other programs compute and some files hold.
inline constexpr const char* kIgnored[] = {"*rotary_emb.inv_freq", "*position_ids", "*attention.masked_bias",
                                           "*attention.bias"};

}  // namespace roformer::decoder_keys
