// One post-norm encoder layer of RoFormer (compatibility.md 3.3, step 2): self-attention (cross-attention, in a decoder
// that has it), then the feed-forward network, each followed by dropout, residual and norm.
#pragma once

#include <optional>
#include <string>

#include "nn/attention_block.h"

namespace roformer {

struct EncoderLayerShape {
  AttentionShape attention;
  int64_t intermediate = 0;
  Activation activation = Activation::gelu;
  bool cross_attention = false;
};

// The hidden states of an encoder, for cross-attention.
struct LayerMemory {
  Value hidden;  // [Tm, H]
  AttentionInputs inputs;
};

class EncoderLayer {
 public:
  EncoderLayer(Backend& backend, const EncoderLayerShape& shape, bool trainable);

  // x [T, H] → [T, H]. `place` numbers this layer's dropouts: place … place + places() - 1. Without `memory`
  // cross-attention is left out.
  Value forward(const Context& context, const Value& x, const AttentionInputs& inputs, uint64_t place,
                const LayerMemory* memory = nullptr) const;
  uint64_t places() const { return cross_attention_ ? 5 : 3; }

  // "….attention.self.query.weight" and so on below `name`, e.g. "roformer.encoder.layer.0".
  void visit(const std::string& name, const ParameterVisitor& visitor);
  LayerWeights weights() const;  // without those of cross-attention

 private:
  EncoderLayerShape shape_;
  SelfAttention attention_;
  std::optional<CrossAttention> cross_attention_;
  LinearLayer intermediate_, output_;
  NormLayer output_norm_;
};

}  // namespace roformer
