// The key-value cache of sequences that are continued token by token. Like batches it is ragged: one tensor per
// sequence, no padding.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "backend/linear_attention.h"

namespace roformer {

// The cache of one attention layer. Keys are rotated already. Linear attention has sums over all sequences instead,
// made by its first pass.
struct KeyValueCache {
  struct Sequence {
    Tensor keys, values;  // [capacity, width]; rows beyond the past length are uninitialized
  };
  std::vector<Sequence> sequences;
  LinearAttentionState linear;
};

// A pass that appends tokens.
struct CachePass {
  KeyValueCache* cache = nullptr;
  std::span<const int64_t> past_lengths;  // [sequences] cached rows before this pass
  int64_t capacity = 0;                   // maximum rows of a sequence
};

// Appends rows query_offsets[s] … query_offsets[s + 1] − 1 of k and v to sequence s. Memory grows by doubling, so
// appending a token is amortized O(1). DataError beyond `capacity`.
void append(Backend& backend, const CachePass& pass, std::span<const int32_t> query_offsets, const Tensor& k,
            const Tensor& v);

}  // namespace roformer
