// TransformerStack: the trunk of every model. Token ids in, hidden states out
// (compatibility.md 3.3, 3.5). As a decoder ("is_decoder") its tokens see those before them, and, with cross-attention,
// the hidden states of another.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "models/config.h"
#include "nn/decoding_state.h"
#include "nn/embeddings.h"
#include "nn/transformer_layer.h"

namespace roformer {

// What a forward pass may be given beside the batch.
struct StackInputs {
  std::optional<AttentionMask> attention_mask = {};  // another than the config's
  std::optional<bool> rotate_cross_queries = {};     // another than the config's
  Value memory = {};                                 // [Tm, H] hidden states of an encoder, for cross-attention
  Indices memory_offsets = {};                       // [sequences + 1]
  // Decoding: sequence s of the batch continues sequence s of the state, which the batch's tokens are added to. Their
  // positions go on from the state's, and no tape may record it.
  DecodingState* state = nullptr;
};

class TransformerStack {
 public:
  // Parameters "embeddings.…", "positions.…", "layers.N.…" and "final_norm.…" below `scope`.
  TransformerStack(const Scope& scope, const ModelConfig& config);

  // → [T, H]. DataError for ids out of range, a sequence longer than a learned
  // position table, or a memory that the model cannot take. Without a memory cross-attention is left out.
  Value forward(const Context& context, const Batch& batch, const StackInputs& inputs = {}) const;

  // Forgets `count` tokens of a sequence from `first` on, and moves what was behind them to earlier positions by as
  // many: their keys are rotated on, exactly (position/rerotation.h). What those tokens were told by the forgotten ones
  // stays in their keys and values: it is not what a pass over the shorter text would keep. UsageError for an encoding
  // whose positions went in with the tokens (can_forget).
  void forget(Backend& backend, DecodingState& state, int64_t sequence, int64_t first, int64_t count) const;

  // Adds the weights that products may take prepared, without the word embeddings.
  void linear_weights(std::vector<Parameter*>& weights);
  // What most passes over them have.
  PassSize pass_size() const;
  Parameter& word_embeddings() { return embeddings_.word_embeddings(); }
  // Once the weights are prepared: all layers as one kernel, where they and the backend allow it.
  void fuse(Backend& backend);

  // Dropouts are numbered from 0; the first number that the trunk does not use.
  uint64_t dropout_sites() const;

  const Parameter& word_embeddings() const { return embeddings_.word_embeddings(); }

 private:
  ModelConfig config_;
  Embeddings embeddings_;
  TrunkPositions positions_;
  std::vector<TransformerLayer> layers_;
  std::optional<NormLayer> final_norm_;  // where layers norm what enters them

  std::unique_ptr<FusedLayers> fused_;
  // The lengths are those of the sequence that keys are, and will be, part of.
  void move(Backend& backend, DecodingState& state, int64_t sequence, std::span<const int32_t> to, int64_t old_length,
            int64_t new_length) const;
  void follow_lengths(const Context& context, const Batch& batch, DecodingState& state) const;
};

// Whether tokens can be taken out of a DecodingState of such a model, and the others moved: sums over all tokens, and
// positions that are part of the keys, do not allow it. And what does not, for errors.
bool can_forget(const ModelConfig& config);
std::string what_keeps(const ModelConfig& config);

// Bytes that a DecodingState takes for each token of such a model; linear attention's take none.
int64_t decoding_bytes(const ModelConfig& config);

// The number of keys of its own sequence that each token sees, counted from the first; empty for
// AttentionMask::bidirectional.
std::vector<int32_t> visible_keys(AttentionMask attention_mask, const Batch& batch);

}  // namespace roformer
