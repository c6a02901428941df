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
    Tensor keys, values;  // [capacity, width]; rows beyond its past length hold nothing
  };
  std::vector<Sequence> sequences;
  LinearAttentionState linear;
};

// A pass that adds tokens.
struct CachePass {
  KeyValueCache* cache = nullptr;
  std::span<const int64_t> past_lengths;  // rows of each sequence before this pass
  int64_t capacity = 0;                   // the most rows that a sequence may come to have
};

// Appends rows query_offsets[s] … of k and v to sequence s. The capacity at least doubles, so that a token costs a
// constant.
void append(Backend& backend, const CachePass& pass, std::span<const int32_t> query_offsets, const Tensor& k,
            const Tensor& v);

}  // namespace roformer
