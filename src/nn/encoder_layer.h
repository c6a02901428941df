// One post-norm encoder layer of RoFormer (compatibility.md 3.3, step 2): self-attention, then the feed-forward
// network, each followed by dropout, residual and layer norm.
#pragma once

#include <string>

#include "nn/batch.h"
#include "nn/parameters.h"

namespace roformer {

struct EncoderLayerShape {
  int64_t hidden = 0, heads = 0, intermediate = 0;
  Activation activation = Activation::gelu;
  double hidden_dropout = 0, attention_dropout = 0, norm_epsilon = 1e-12;
};

class EncoderLayer {
 public:
  EncoderLayer(Backend& backend, const EncoderLayerShape& shape, bool trainable);

  // x [T, H] → [T, H]. `place` numbers this layer's dropouts: place, place + 1, place + 2. `positions` and `batch` must
  // outlive the tape.
  Value forward(const Context& context, const Value& x, const Batch& batch, const AttentionPositions& positions,
                uint64_t place) const;

  // "….attention.self.query.weight" and so on below `name`, e.g. "roformer.encoder.layer.0".
  void visit(const std::string& name, const ParameterVisitor& visitor) const;

 private:
  EncoderLayerShape shape_;
  LinearLayer qkv_;  // rows: query, key, value
  LinearLayer attention_output_;
  LayerNormLayer attention_norm_;
  LinearLayer intermediate_, output_;
  LayerNormLayer output_norm_;
};

}  // namespace roformer
