// The key-value cache of sequences that are continued token by token. Like batches it is ragged: one tensor per
// sequence, no padding.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "backend/linear_attention.h"

namespace roformer {

// The cache of one attention layer. Keys are rotated already. Linear attention has sums over all sequences instead,
// made by its first pass.
struct KeyValueCache {
  struct Sequence {
    Tensor keys, values;    // [capacity, width]; rows beyond the past length are uninitialized
    int64_t forgotten = 0;  // leading tokens without a row: row r is token forgotten + r
  };
  std::vector<Sequence> sequences;
  LinearAttentionState linear;
  // Queries see at most this many tokens before them. Those before are forgotten when memory is short, except for the
  // last kSpare, so that as many tokens can be taken back (DecodingState::forget).
  int64_t window = std::numeric_limits<int32_t>::max();
  static constexpr int64_t kSpare = 64;
};

// A pass that appends tokens.
struct CachePass {
  KeyValueCache* cache = nullptr;
  std::span<const int64_t> past_lengths;  // [sequences] cached rows before this pass
  int64_t capacity = 0;                   // maximum rows of a sequence
};

// Appends rows query_offsets[s] … query_offsets[s + 1] − 1 of k and v to sequence s. Memory grows by doubling, so
// appending a token is amortized O(1), up to a few times the window. `unread`: this pass does not read the cache, so
// that only what later ones see is kept. DataError beyond `capacity`.
void append(Backend& backend, const CachePass& pass, std::span<const int32_t> query_offsets, const Tensor& k,
            const Tensor& v, bool unread = false);

// Forgets the tokens of a sequence before `token`, whose `length` tokens are all there or forgotten.
void forget_before(Backend& backend, KeyValueCache::Sequence& sequence, int64_t token, int64_t length);
// Copies rows from … from + count − 1 to `to`; the ranges may overlap.
void move_rows(Backend& backend, const Tensor& rows, int64_t from, int64_t to, int64_t count);

}  // namespace roformer
