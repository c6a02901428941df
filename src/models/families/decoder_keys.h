// config.json keys common to the families of causal language models.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <utility>

#include "models/families/family.h"

namespace roformer::decoder_keys {

// Family defaults for absent keys.
struct Usual {
  const char* activation;
  int64_t max_positions;
  bool tied = false;
  int64_t kv_heads = 0;   // 0: as many as query heads
  int64_t head_size = 0;  // 0: hidden_size / heads
  // What transformers takes for tokens that begin and end texts where the file names none: where the vocabulary has no
  // such token, "none" is written.
  int64_t end_token = 2;
};
// Where a family's keys have other names.
struct Names {
  const char* hidden = "hidden_size";
  const char* layers = "num_hidden_layers";
  const char* heads = "num_attention_heads";
  const char* intermediate = "intermediate_size";
  const char* activation = "hidden_act";
  const char* max_positions = "max_position_embeddings";
  const char* attention_dropout = "attention_dropout";
  std::span<const std::pair<const char*, Activation>> activations = kActivations;
  bool usual_intermediate = false;  // four times the hidden size, where the file has none
};
// "model_type", sizes, special tokens ("eos_token_id": one or a list), and keys without influence. The model is causal
// and pre-norm, with embeddings of the hidden size.
void common_keys(ConfigKeys& keys, ModelConfig& config, const char* model_type, const Usual& usual,
                 const Names& names = {});
// "num_key_value_heads" and "head_dim".
void grouped_keys(ConfigKeys& keys, ModelConfig& config, const Usual& usual);
// Keys that other programs read in place of one that was read, or not at all: known where they say the same.
void repeated(ConfigKeys& keys, std::string_view key, const std::function<bool(const JsonObject&)>& says_the_same);

// Keys of GPT-2's classification heads, which files of other GPTs repeat.
void ignored_summary_keys(ConfigKeys& keys);

// DataError or UsageError, for the family `name` ("a Llama"), unless it is a causal language model or its trunk.
void require_causal(const ModelConfig& config, const std::string& source, const char* name);

// Reads the rotation (layout half) from a file that may omit max_position_embeddings.
RotaryPosition read_half_rotation(const JsonObject& json, RotaryPosition position, int64_t max_positions);
// Writes one, with its base and a share of the pairs as transformers has it.
void write_half_rotation(const RotaryPosition& position, int64_t head_dim, Json& json);
// Refuses, for the family `name` ("a Llama"), what these keys cannot express.
void check_half_rotation(const Rotary& rotary, const ModelConfig& config, const std::string& source, const char* name);

// Which layers have the window: those that "layer_types" calls "sliding_attention", else those that `slides` says.
std::vector<bool> read_layer_types(const JsonObject& json, const ModelConfig& config,
                                   const std::function<bool(int64_t)>& slides);
// The tokens in the window of "sliding_window"; none if it is null.
std::optional<int64_t> read_window(const JsonObject& json, std::optional<int64_t> fallback);
// Sets the windows of the layers that have it. DataError if there is no window.
void set_windows(const JsonObject& json, ModelConfig& config, const std::vector<bool>& sliding,
                 std::optional<int64_t> window);
// "layer_types", and "sliding_window" if there is one.
void write_layer_types(const ModelConfig& config, Json& json);
// The window of the layers that have one, in tokens. DataError or UsageError if they differ, or see what comes.
std::optional<int64_t> window_of_layers(const ModelConfig& config, const std::string& source);

// Computed tensors that some files include.
inline constexpr const char* kIgnored[] = {"*rotary_emb.*",   "*position_ids",     "*attention.masked_bias",
                                           "*attention.bias", "*attn.masked_bias", "*.attn.bias"};

}  // namespace roformer::decoder_keys
