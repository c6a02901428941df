// config.json keys common to the families of causal language models.
#pragma once

#include "models/families/family.h"

namespace roformer::decoder_keys {

// Family defaults for absent keys.
struct Usual {
  const char* activation;
  int64_t max_positions;
  bool biased;
};
// "model_type", sizes, special tokens ("eos_token_id": one or a list), and keys without influence. The model is causal
// and pre-norm, with embeddings of hidden_size.
void common_keys(ConfigKeys& keys, ModelConfig& config, const char* model_type, const Usual& usual);
// DataError or UsageError unless it is a causal language model or its trunk.
void require_causal(const ModelConfig& config, const std::string& source, const char* name);
// Reads the rotation (layout half) from a file that may omit max_position_embeddings.
RotaryPosition read_half_rotation(const JsonObject& json, RotaryPosition position, int64_t max_positions);

// Computed tensors that some files include.
inline constexpr const char* kIgnored[] = {"*rotary_emb.*", "*position_ids", "*attention.masked_bias",
                                           "*attention.bias"};

}  // namespace roformer::decoder_keys
