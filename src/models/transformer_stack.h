// TransformerStack: the trunk of every model, from token ids to hidden states
// (compatibility.md 3.3, 3.5). As a decoder ("is_decoder") it is causal and may have cross-attention to an encoder's
// hidden states.
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

// Optional inputs of a forward pass.
struct StackInputs {
  std::optional<AttentionMask> attention_mask = {};  // overrides the config's
  std::optional<bool> rotate_cross_queries = {};     // overrides the config's
  Value memory = {};                                 // [Tm, H] hidden states of an encoder, for cross-attention
  Indices memory_offsets = {};                       // [sequences + 1]
  uint64_t first_site = 0;                           // number of the first dropout
  // Decoding: sequence s of the batch continues sequence s of the state, to which its tokens are appended. Positions
  // continue from the state's. The state also keeps the keys and values of `memory`, which only its first pass gets.
  // Not with a tape.
  DecodingState* state = nullptr;
};

class TransformerStack {
 public:
  // Parameters "embeddings.…", "positions.…", "layers.N.…" and "final_norm.…" below `scope`. `words`: word embeddings
  // shared with another stack.
  TransformerStack(const Scope& scope, const ModelConfig& config, const Parameter* words = nullptr);

  // → [T, H]. With a tape and Context::checkpointing, this must outlive the tape. DataError for ids out of range, a
  // sequence longer than a learned position table, or an unsupported `memory`. Without `memory`, cross-attention is
  // skipped.
  Value forward(const Context& context, const Batch& batch, const StackInputs& inputs = {}) const;

  // Removes `count` tokens of a sequence from `first` on from the KV cache and shifts later tokens to earlier positions
  // by re-rotating their keys exactly (position/rerotation.h). Their keys and values still depend on the removed
  // tokens, so they differ from a pass over the shorter text. UsageError if the model does not support it (can_forget).
  void forget(Backend& backend, DecodingState& state, int64_t sequence, int64_t first, int64_t count) const;

  // Appends the matrices that can be prepared for products, without the word embeddings.
  void linear_weights(std::vector<Parameter*>& weights);
  // The typical size of passes over these weights.
  PassSize pass_size() const;
  Parameter& word_embeddings() { return embeddings_.word_embeddings(); }
  // After preparing the weights: fuses all layers into one kernel if they and the backend allow it.
  void fuse(Backend& backend);

  // The number of dropouts in the trunk, which are numbered from StackInputs::first_site.
  uint64_t dropout_sites() const;

  const Parameter& word_embeddings() const { return embeddings_.word_embeddings(); }

 private:
  ModelConfig config_;
  Embeddings embeddings_;
  TrunkPositions positions_;
  std::vector<TransformerLayer> layers_;
  std::optional<NormLayer> final_norm_;  // for pre-norm layers

  std::unique_ptr<FusedLayers> fused_;
  // Moves the keys to positions `to`; the lengths are the sequence's before and after.
  void move(Backend& backend, DecodingState& state, int64_t sequence, std::span<const int32_t> to, int64_t old_length,
            int64_t new_length) const;
  void follow_lengths(const Context& context, const Batch& batch, DecodingState& state) const;
};

// Whether tokens can be removed from a DecodingState and later ones shifted: not with sums over all tokens (linear
// attention) or positions added to the input. forget_obstacle() names the reason, for errors.
bool can_forget(const ModelConfig& config);
std::string forget_obstacle(const ModelConfig& config);

// Bytes of the KV cache of a sequence of `tokens` tokens, at most; none for linear attention, and those of a few
// windows where a layer has one.
int64_t decoding_bytes(const ModelConfig& config, int64_t tokens = 1);

// For each token, the number of leading keys of its sequence that it attends to; empty for
// AttentionMask::bidirectional.
std::vector<int32_t> visible_keys(AttentionMask attention_mask, const Batch& batch);

}  // namespace roformer
