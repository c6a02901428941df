#include "ops/key_value_cache.h"

#include <algorithm>

#include "base/error.h"

namespace roformer {

namespace {

// Makes room for `rows` rows and preserves the first `past`.
void reserve(Backend& backend, Tensor& memory, int64_t past, int64_t rows, int64_t capacity, int64_t width) {
  constexpr int64_t kMinCapacity = 64;
  const int64_t reserved = memory.defined() ? memory.rows() : 0;
  if (rows <= reserved) return;
  const Tensor grown = backend.empty({std::min(capacity, std::max({kMinCapacity, 2 * reserved, rows})), width});
  if (past > 0) backend.copy(memory.row_range(0, past), grown.row_range(0, past));
  memory = grown;
}

// Before memory grows, tokens that no query sees any more are forgotten, if they are half of it: so a row is moved as
// rarely as memory grows. `past` tokens are there; the next query is token `past`.
void make_room(Backend& backend, KeyValueCache::Sequence& sequence, int64_t window, int64_t past, int64_t fresh) {
  if (!sequence.keys.defined()) return;
  const int64_t reserved = sequence.keys.rows();
  if (past - sequence.forgotten + fresh <= reserved) return;
  const int64_t first = past - window - KeyValueCache::kSpare;
  if (first > sequence.forgotten && 2 * (past - first + fresh) <= reserved) {
    forget_before(backend, sequence, first, past);
  }
}

}  // namespace

void move_rows(Backend& backend, const Tensor& rows, int64_t from, int64_t to, int64_t count) {
  if (count <= 0 || from == to) return;
  const Tensor between = backend.empty({count, rows.columns()});
  backend.copy(rows.row_range(from, count), between);
  backend.copy(between, rows.row_range(to, count));
}

void forget_before(Backend& backend, KeyValueCache::Sequence& sequence, int64_t token, int64_t length) {
  const int64_t rows = token - sequence.forgotten;
  if (rows <= 0) return;
  for (const Tensor* memory : {&sequence.keys, &sequence.values}) {
    move_rows(backend, *memory, rows, 0, length - token);
  }
  sequence.forgotten = token;
}

void append(Backend& backend, const CachePass& pass, std::span<const int32_t> query_offsets, const Tensor& k,
            const Tensor& v, bool unread) {
  const int64_t window = pass.cache->window;
  for (size_t s = 0; s + 1 < query_offsets.size(); ++s) {
    int64_t first = query_offsets[s], count = query_offsets[s + 1] - first, past = pass.past_lengths[s];
    if (count == 0) continue;
    if (past + count > pass.capacity) {
      throw DataError("a sequence of {} tokens, expected at most {}: the context is full", past + count, pass.capacity);
    }
    KeyValueCache::Sequence& sequence = pass.cache->sequences[s];
    if (past == 0) sequence.forgotten = unread ? std::max<int64_t>(0, count - window - KeyValueCache::kSpare) : 0;
    const int64_t skipped = past == 0 ? sequence.forgotten : 0;
    make_room(backend, sequence, window, past, count);
    first += skipped;
    count -= skipped;
    const int64_t rows = past + skipped - sequence.forgotten;
    reserve(backend, sequence.keys, rows, rows + count, pass.capacity, k.columns());
    reserve(backend, sequence.values, rows, rows + count, pass.capacity, v.columns());
    backend.copy(k.row_range(first, count), sequence.keys.row_range(rows, count));
    backend.copy(v.row_range(first, count), sequence.values.row_range(rows, count));
  }
}

}  // namespace roformer
