// What config.json says alike in the families of causal language models.
#pragma once

#include "models/families/family.h"

namespace roformer::decoder_keys {

// What a family's files mean that leave it out.
struct Usual {
  const char* activation;
  int64_t max_positions;
  bool biased;
};
// "model_type", sizes, special tokens ("eos_token_id": one or a list), and keys without influence. The model is causal,
// has norms in front, and embeddings of hidden_size.
void common_keys(ConfigKeys& keys, ModelConfig& config, const char* model_type, const Usual& usual);
// DataError or UsageError for what is no causal language model, or the trunk of one.
void require_causal(const ModelConfig& config, const std::string& source, const char* name);
// What the rotation of such a model is read from, where its file may leave out max_position_embeddings.
RotaryPosition read_half_rotation(const JsonObject& json, RotaryPosition position, int64_t max_positions);

// Tensors that other programs compute and some files hold.
inline constexpr const char* kIgnored[] = {"*rotary_emb.inv_freq", "*position_ids", "*attention.masked_bias",
                                           "*attention.bias"};

}  // namespace roformer::decoder_keys
