// Keys and values that attention keeps of sequences which are continued token by token: each is computed once. They are
// ragged, as batches are: a tensor a sequence, and no padding.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "backend/linear_attention.h"

namespace roformer {

// Of one attention. Keys are rotated already. Linear attention keeps sums instead, of all sequences, made at its first
// pass.
struct KeyValueCache {
  struct Sequence {
    Tensor keys, values;  // [room, width]; rows beyond those kept hold nothing
  };
  std::vector<Sequence> sequences;
  LinearAttentionState linear;
};

// A pass that adds tokens.
struct CachePass {
  KeyValueCache* cache = nullptr;
  std::span<const int64_t> kept;  // rows of each sequence before this pass
  int64_t most = 0;               // rows that room is made for at most
};

// Appends rows query_offsets[s] … of k and v to sequence s. Room at least doubles, so that a token costs a constant.
void keep(Backend& backend, const CachePass& pass, std::span<const int32_t> query_offsets, const Tensor& k,
          const Tensor& v);

}  // namespace roformer
