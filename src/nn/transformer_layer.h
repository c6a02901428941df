// A transformer layer: self-attention (and cross-attention, in an encoder-decoder), then the feed-forward network, each
// with its norms and residual (nn/parameters.h), sequential or parallel. RoFormer (compatibility.md 3.3, step 2) is
// post-norm; Llama is pre-norm with a gated feed-forward network.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "nn/attention_block.h"

namespace roformer {

// Parallel residuals: both sub-layers read the layer's input, x + attention(n(x)) + feed-forward(m(x)), with separate
// norms n and m (GPT-NeoX) or m = n (GPT-J). none: the second reads the output of the first.
enum class ParallelResidual { none, two_norms, one_norm };

struct TransformerLayerConfig {
  AttentionConfig attention;
  int64_t intermediate = 0;
  Activation activation = Activation::gelu;
  SublayerNorms attention_norms{.sum = true}, norms{.sum = true};  // the latter also of cross-attention
  ParallelResidual parallel = ParallelResidual::none;
  bool cross_attention = false;                  // not with parallel residuals
  bool gated = false;                            // down(activation(gate(x)) · up(x))
  std::optional<bool> feed_forward_biased = {};  // default: attention.biased
};

// The hidden states of an encoder, for cross-attention.
struct LayerMemory {
  Value hidden;  // [Tm, H]
  AttentionInputs inputs;
  Tensor* kept = nullptr;  // decoding: CrossAttention
};

class TransformerLayer {
 public:
  // Parameters below `scope`: "attention.…", "cross_attention.…", "feed_forward.gate", ".up" and ".down", each with
  // those of a Residual.
  TransformerLayer(const Scope& scope, const TransformerLayerConfig& config);

  // x [T, H] → [T, H]. The dropout sites are site … site + dropout_sites() − 1. Without `memory` cross-attention is
  // skipped.
  Value forward(const Context& context, const Value& x, const AttentionInputs& inputs, uint64_t site,
                const LayerMemory* memory = nullptr) const;
  uint64_t dropout_sites() const { return cross_attention_ ? 5 : 3; }

  void linear_weights(std::vector<Parameter*>& weights);  // appends them
  LayerWeights weights() const;                           // post-norm and not gated only; without cross-attention

 private:
  TransformerLayerConfig config_;
  Value feed_forward_network(const Context& context, const Value& x) const;
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
