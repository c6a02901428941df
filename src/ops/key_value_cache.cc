#include "ops/key_value_cache.h"

#include <algorithm>

#include "base/error.h"

namespace roformer {

namespace {

// Grows the capacity to at least `rows` rows and preserves the first `past`.
void reserve(Backend& backend, Tensor& memory, int64_t past, int64_t rows, int64_t capacity, int64_t width) {
  constexpr int64_t kMinCapacity = 64;
  const int64_t reserved = memory.defined() ? memory.rows() : 0;
  if (rows <= reserved) return;
  const Tensor grown = backend.empty({std::min(capacity, std::max({kMinCapacity, 2 * reserved, rows})), width});
  if (past > 0) backend.copy(memory.row_range(0, past), grown.row_range(0, past));
  memory = grown;
}

}  // namespace

void append(Backend& backend, const CachePass& pass, std::span<const int32_t> query_offsets, const Tensor& k,
            const Tensor& v) {
  for (size_t s = 0; s + 1 < query_offsets.size(); ++s) {
    const int64_t first = query_offsets[s], count = query_offsets[s + 1] - first, past = pass.past_lengths[s];
    if (count == 0) continue;
    if (past + count > pass.capacity) {
      throw DataError("a sequence of {} tokens, expected at most {}: the context is full", past + count, pass.capacity);
    }
    KeyValueCache::Sequence& sequence = pass.cache->sequences[s];
    reserve(backend, sequence.keys, past, past + count, pass.capacity, k.columns());
    reserve(backend, sequence.values, past, past + count, pass.capacity, v.columns());
    backend.copy(k.row_range(first, count), sequence.keys.row_range(past, count));
    backend.copy(v.row_range(first, count), sequence.values.row_range(past, count));
  }
}

}  // namespace roformer
