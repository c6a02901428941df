// The operator of linear attention (Eq. 19; backend/linear_attention.h).
#pragma once

#include "backend/linear_attention.h"
#include "ops/ops.h"

namespace roformer {

// A LinearAttentionSpec that owns its data.
struct LinearAttentionOptions {
  int64_t heads = 1;
  FeatureMap map = FeatureMap::elu;
  Tensor projection = {};
  bool causal = false;
  Indices offsets = {};
  FeatureRotation rotation = FeatureRotation::after;
  std::shared_ptr<const RotaryAngles> query_angles = {}, key_angles = {};

  LinearAttentionSpec spec() const {
    return {heads, map, projection, causal, offsets, rotation, query_angles.get(), key_angles.get()};
  }
};

// q and k [T, heads · head_dim], v → [T, heads · value head_dim]. A state (causal only, without a tape) holds the past
// of each sequence and is updated with its tokens, so that a text may be computed in chunks or token by token.
Value linear_attention(const Context& context, const LinearAttentionOptions& options, Columns q, Columns k, Columns v,
                       const LinearAttentionState& state = {});

// Zeros, for `sequences` sequences.
LinearAttentionState make_state(Backend& backend, const LinearAttentionSpec& spec, int64_t sequences, int64_t head_dim,
                                int64_t value_dim);

// A state that saves the backward pass a sum over the keys; undefined if attention is causal or the state would be
// larger than the values.
LinearAttentionState state_for_backward(Backend& backend, const LinearAttentionSpec& spec, const AttentionTensors& in);

}  // namespace roformer
