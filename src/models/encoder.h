// Encoder: the RoFormer trunk. Token ids in, hidden states out (compatibility.md 3.3).
#pragma once

#include <vector>

#include "models/config.h"
#include "nn/embeddings.h"
#include "nn/encoder_layer.h"

namespace roformer {

class Encoder {
 public:
  Encoder(Backend& backend, const ModelConfig& config, bool trainable);

  // → [T, H]. The batch must outlive the tape. DataError for ids out of range or a sequence longer than a learned
  // position table.
  Value forward(const Context& context, const Batch& batch) const;

  void visit(const ParameterVisitor& visitor) const;
  const Parameter& words() const { return embeddings_.words(); }

 private:
  ModelConfig config_;
  Embeddings embeddings_;
  std::vector<EncoderLayer> layers_;
};

}  // namespace roformer
