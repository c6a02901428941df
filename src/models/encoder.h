// Encoder: the trunk of a RoFormer, RoFormerV2, BERT or Llama. Token ids in, hidden states out
// (compatibility.md 3.3, 3.5). As a decoder ("is_decoder") its tokens see those before them, and, with cross-attention,
// the hidden states of another.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "models/config.h"
#include "nn/embeddings.h"
#include "nn/encoder_layer.h"

namespace roformer {

// What a forward pass may be given beside the batch.
struct EncoderInputs {
  std::optional<Visibility> visibility = {};      // another than the config's
  std::optional<bool> rotate_cross_queries = {};  // another than the config's
  Value memory = {};                              // [Tm, H] hidden states of an encoder, for cross-attention
  std::span<const int32_t> memory_offsets = {};   // [sequences + 1]; must outlive the tape
};

class Encoder {
 public:
  Encoder(Backend& backend, const ModelConfig& config, bool trainable);

  // → [T, H]. The batch must outlive the tape. DataError for ids out of range, a sequence longer than a learned
  // position table, or a memory that the model cannot take. Without a memory cross-attention is left out.
  Value forward(const Context& context, const Batch& batch, const EncoderInputs& inputs = {}) const;

  // The weights will not change any more without another freeze(): the next forward pass without a tape may keep them
  // as its backend likes.
  void freeze();

  // Dropouts are numbered from 0; the first number that the trunk does not use.
  uint64_t places() const;

  void visit(const ParameterVisitor& visitor);
  const Parameter& words() const { return embeddings_.words(); }

 private:
  ModelConfig config_;
  Embeddings embeddings_;
  TrunkPositions positions_;
  std::vector<EncoderLayer> layers_;
  std::optional<NormLayer> final_norm_;  // where layers norm what enters them

  struct Frozen {
    std::once_flag once;
    std::unique_ptr<FusedLayers> layers;  // made by the first pass that can use it; null if the backend has none
  };
  std::unique_ptr<Frozen> frozen_;
  const FusedLayers* fused(Backend& backend) const;
};

// The number of keys of its own sequence that each token sees, counted from the first; empty for Visibility::all.
std::vector<int32_t> visible_keys(Visibility visibility, const Batch& batch);

}  // namespace roformer
