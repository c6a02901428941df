// The operator of linear attention (Eq. 19; backend/linear_attention.h).
#pragma once

#include "backend/linear_attention.h"
#include "ops/ops.h"

namespace roformer {

// q and k [T, heads · head_dim], v → [T, heads · value head_dim]. Unlike attention() it leaves the projections as they
// are. What `spec` refers to must outlive the tape. A state (causal only, without a tape) holds what came before each
// sequence's tokens, and gets them too: a text computed in pieces or token by token gives what it gives at once.
Value linear_attention(const Context& context, const LinearAttentionSpec& spec, const Columns& q, const Columns& k,
                       const Columns& v, const LinearAttentionState& state = {});

// Zeros, for `sequences` sequences.
LinearAttentionState make_state(Backend& backend, const LinearAttentionSpec& spec, int64_t sequences, int64_t head_dim,
                                int64_t value_dim);

// The state that spares the backward pass a sum over the keys; undefined if attention is causal or the state would be
// larger than the values.
LinearAttentionState state_for_backward(Backend& backend, const LinearAttentionSpec& spec, const AttentionTensors& in);

}  // namespace roformer
