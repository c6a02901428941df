// One layer: self-attention (cross-attention, in a decoder that has it), then the feed-forward network, each with its
// norms and its residual (nn/parameters.h), one after the other or both of what enters. RoFormer's (compatibility.md
// 3.3, step 2) are each followed by dropout, residual and norm; Llama's norm what enters each, and the feed-forward
// network is gated.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "nn/attention_block.h"

namespace roformer {

// Whether both sub-layers of a layer read what enters it: x + attention(n(x)) + feed-forward(m(x)), with norms n and m
// of their own (GPT-NeoX) or m = n (GPT-J); none: the second reads what the first leaves.
enum class ParallelResidual { none, two_norms, one_norm };

struct TransformerLayerConfig {
  AttentionConfig attention;
  int64_t intermediate = 0;
  Activation activation = Activation::gelu;
  SublayerNorms attention_norms{.sum = true}, norms{.sum = true};  // the latter also of cross-attention
  ParallelResidual parallel = ParallelResidual::none;
  bool cross_attention = false;                  // not with parallel residuals
  bool gated = false;                            // down(activation(gate(x)) · up(x))
  std::optional<bool> feed_forward_biased = {};  // where it is not as attention.biased
};

// The hidden states of an encoder, for cross-attention.
struct LayerMemory {
  Value hidden;  // [Tm, H]
  AttentionInputs inputs;
};

class TransformerLayer {
 public:
  // Parameters "attention.…", "cross_attention.…", "feed_forward.gate", ".up" and ".down", each with those of a
  // Residual, below `scope`.
  TransformerLayer(const Scope& scope, const TransformerLayerConfig& config);

  // x [T, H] → [T, H]. `site` numbers this layer's dropouts: place … place + dropout_sites() - 1. Without `memory`
  // cross-attention is left out.
  Value forward(const Context& context, const Value& x, const AttentionInputs& inputs, uint64_t site,
                const LayerMemory* memory = nullptr) const;
  uint64_t dropout_sites() const { return cross_attention_ ? 5 : 3; }

  void linear_weights(std::vector<Parameter*>& weights);  // adds them
  LayerWeights weights() const;  // of a post-norm layer that is not gated; without those of cross-attention

 private:
  TransformerLayerConfig config_;
  Value expand_and_contract(const Context& context, const Value& x) const;
  Value forward_parallel(const Context& context, const Value& x, const AttentionInputs& inputs, uint64_t site) const;

  SelfAttention attention_;
  Residual attention_residual_;
  std::optional<CrossAttention> cross_attention_;
  std::optional<Residual> cross_residual_;
  std::optional<LinearLayer> gate_;
  LinearLayer up_, down_;
  Residual residual_;  // of the feed-forward network
};

}  // namespace roformer
