// What Llama, Mistral, Qwen and Gemma share: pre-norm RMS norms, grouped-query attention, a gated feed-forward network,
// and rotation of whole heads in the layout half.
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "models/families/decoder_keys.h"

namespace roformer::llama_like {

inline constexpr auto kTensors = std::to_array<TensorRule>({
    {"embeddings.words.weight", ".embed_tokens.weight"},
    {"layers.*.attention.query.*", ".layers.*.self_attn.q_proj.*"},
    {"layers.*.attention.key.*", ".layers.*.self_attn.k_proj.*"},
    {"layers.*.attention.value.*", ".layers.*.self_attn.v_proj.*"},
    {"layers.*.attention.output.*", ".layers.*.self_attn.o_proj.*"},
    {"layers.*.attention.query_norm.*", ".layers.*.self_attn.q_norm.*"},
    {"layers.*.attention.key_norm.*", ".layers.*.self_attn.k_norm.*"},
    {"layers.*.attention.norm.*", ".layers.*.input_layernorm.*"},
    {"layers.*.feed_forward.gate.*", ".layers.*.mlp.gate_proj.*"},
    {"layers.*.feed_forward.up.*", ".layers.*.mlp.up_proj.*"},
    {"layers.*.feed_forward.down.*", ".layers.*.mlp.down_proj.*"},
    {"layers.*.feed_forward.norm.*", ".layers.*.post_attention_layernorm.*"},
    {"final_norm.*", ".norm.*"},
    {"head.output.weight", "lm_head.weight"},
});
inline constexpr const char* kHeadTensors[] = {"lm_head.*"};

// kTensors after rules that go before them.
template <size_t N>
constexpr std::array<TensorRule, N + kTensors.size()> tensors_after(const std::array<TensorRule, N>& first) {
  std::array<TensorRule, N + kTensors.size()> all{};
  for (size_t i = 0; i < N; ++i) all[i] = first[i];
  for (size_t i = 0; i < kTensors.size(); ++i) all[N + i] = kTensors[i];
  return all;
}

// How the families differ, apart from keys of their own.
struct Kind {
  const char* model_type;
  const char* name;  // "a Llama"
  decoder_keys::Usual usual;
  decoder_keys::Names names = {};
  NormKind norm = NormKind::rms_with_gain;
  bool attention_bias = true;  // whether there is that key
  bool query_key_norms = false;
};

// All keys but those of windows and, for Gemma 3, rotations. Biases in the feed-forward network are off.
void common_keys(ConfigKeys& keys, ModelConfig& config, const Kind& kind);
// The keys of one rotation for all layers.
void rotation_keys(ConfigKeys& keys, ModelConfig& config, const Kind& kind);

// What a family's files can express beyond a stack without head sizes, windows, scales, caps and per-layer rotations.
struct Extent {
  bool windows = false, scores = false, layer_rotary = false;
  StackNorms norms = kPreNorms;
};
// Sets values implied by the head, and refuses what the files cannot express.
void complete(ModelConfig& config, const std::string& source, const Kind& kind, const Extent& extent = {});

}  // namespace roformer::llama_like
