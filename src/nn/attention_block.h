// Attention as a layer: input projections, attention, output projection (compatibility.md 3.3). Self-attention, or
// cross-attention to the hidden states of an encoder.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "nn/linear_attention.h"
#include "nn/positions.h"

namespace roformer {

struct AttentionConfig {
  int64_t hidden = 0, heads = 0;
  double hidden_dropout = 0, attention_dropout = 0;
  NormConfig norm = {};
  bool biased = true;
  PositionEncoding position = NoPosition{};
  // Self-attention only:
  int64_t kv_heads = 0;                           // heads of keys and values; 0: heads
  std::optional<bool> output_biased = {};         // default: `biased`
  int64_t head_size = 0;                          // 0: hidden / heads
  std::optional<NormConfig> query_key_norm = {};  // of each head of q and k
  double scale = 0;                               // of q·k; 0: 1/√head size, or the encoding's
  double score_cap = 0;                           // 0: none
  AttentionKind kind = AttentionKind::softmax;
  LinearSettings linear = {};
  int64_t layer = 0;

  PositionsConfig positions_config() const { return {position, hidden, heads, norm, kv_heads, head_size}; }
};

// Which tokens see which, and how positions enter.
struct AttentionInputs {
  Indices query_offsets, key_offsets;                     // cu_seqlens
  Indices key_ends = {};                                  // [Tq] each query sees the first key_ends[t] keys; empty: all
  Indices key_starts = {};                                // [Tq] except the first key_starts[t]; empty: none excluded
  std::shared_ptr<const SharedPositions> positions = {};  // self-attention; null only without an encoding
  std::shared_ptr<const RotaryAngles> query_angles = {};  // cross-attention; null: not rotated
  std::optional<CachePass> cache = {};                    // self-attention: decoding (ops.h)
};

class SelfAttention {
 public:
  // Parameters below `scope`: "query", "key", "value", "query_norm", "key_norm", "output" and "positions".
  SelfAttention(const Scope& scope, const AttentionConfig& config);

  // x [T, H] → [T, H]. `site` is the dropout site of the attention weights.
  Value forward(const Context& context, const Value& x, const AttentionInputs& inputs, uint64_t site) const;

  // Appends the weights that may be prepared (prepare_weights).
  void linear_weights(std::vector<Parameter*>& weights);
  void weights(LayerWeights& weights) const;

 private:
  Value attend_linear(const Context& context, Value&& qkv, const AttentionInputs& inputs,
                      const SharedPositions& positions) const;

  AttentionConfig config_;
  LinearLayer qkv_;                                 // rows: query, key, value; the latter two of kv_heads
  std::optional<NormLayer> query_norm_, key_norm_;  // of heads
  LayerPositions positions_;
  std::optional<LinearAttention> linear_;  // instead of softmax; causal if there are key limits
  LinearLayer output_;
};

class CrossAttention {
 public:
  CrossAttention(const Scope& scope, const AttentionConfig& config);

  // Queries from x [T, H], keys and values from memory [Tm, H] (the encoder's hidden states) → [T, H]. With `kept`,
  // they are computed once: from memory into `kept` [Tm, 2 · width], and taken from there where memory is undefined.
  Value forward(const Context& context, const Value& x, const Value& memory, const AttentionInputs& inputs,
                uint64_t site, Tensor* kept = nullptr) const;
  void linear_weights(std::vector<Parameter*>& weights);

 private:
  AttentionConfig config_;
  LinearLayer query_, key_value_;
  LinearLayer output_;
};

}  // namespace roformer
