// An attention sub-layer: projections, attention, output projection, dropout, residual and norm (compatibility.md 3.3).
// Self-attention, or cross-attention to the hidden states of an encoder.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "nn/linear_attention.h"
#include "nn/positions.h"

namespace roformer {

struct AttentionShape {
  int64_t hidden = 0, heads = 0;
  double hidden_dropout = 0, attention_dropout = 0;
  NormShape norm = {};
  bool biased = true;
  PositionEncoding position = NoPosition{};
  // Of self-attention only:
  int64_t kv_heads = 0;                           // heads of keys and values; 0: as many as heads
  NormPlacement placement = NormPlacement::post;  // of its norm
  std::optional<bool> output_biased = {};         // where it is not as `biased`
  AttentionKind kind = AttentionKind::softmax;
  LinearSettings linear = {};
  int64_t layer = 0;

  PositionsShape positions_shape() const { return {position, hidden, heads, norm, kv_heads}; }
};

// Which tokens see which, and how positions enter.
struct AttentionInputs {
  Indices query_offsets, key_offsets;  // cu_seqlens
  Indices key_limits = {};             // of each query's sequence the first so many keys; empty = all
  std::shared_ptr<const SharedPositions> positions = {};  // of self-attention; null only without an encoding
  std::shared_ptr<const RotaryAngles> query_angles = {};  // of cross-attention; null: not rotated
  const CachePass* cache = nullptr;                       // of self-attention: decoding (ops.h), during the call
};

class SelfAttention {
 public:
  // Parameters "query", "key", "value", "output", those of the positions and "norm", below `scope`.
  SelfAttention(const Scope& scope, const AttentionShape& shape);

  // x [T, H] → norm(x + …), or x + …(norm(x)), [T, H]. `place` numbers the dropouts: of the weights, and place + 1 of
  // the output.
  Value forward(const Context& context, const Value& x, const AttentionInputs& inputs, uint64_t place) const;

  // Adds the weights that products may take prepared (prepare_weights).
  void linear_weights(std::vector<Parameter*>& weights);
  void weights(LayerWeights& weights) const;

 private:
  Value attend_linear(const Context& context, Value&& qkv, const AttentionInputs& inputs,
                      const SharedPositions& positions) const;

  AttentionShape shape_;
  LinearLayer qkv_;  // rows: query, key, value; of the latter two as many as kv_heads have
  LayerPositions positions_;
  std::optional<LinearAttention> linear_;  // instead of softmax; where there are key limits, causal
  LinearLayer output_;
  ResidualNorm norm_;
};

class CrossAttention {
 public:
  CrossAttention(const Scope& scope, const AttentionShape& shape);

  // x [T, H] asks, memory [Tm, H] (the encoder's hidden states) answers.
  Value forward(const Context& context, const Value& x, const Value& memory, const AttentionInputs& inputs,
                uint64_t place) const;
  void linear_weights(std::vector<Parameter*>& weights);

 private:
  AttentionShape shape_;
  LinearLayer query_, key_value_;
  LinearLayer output_;
  NormLayer norm_;
};

}  // namespace roformer
