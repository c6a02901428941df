#include "ops/key_value_cache.h"

#include <algorithm>

#include "base/error.h"

namespace roformer {

namespace {

// Room for `rows` rows; the first `kept` of them stay.
void make_room(Backend& backend, Tensor& memory, int64_t kept, int64_t rows, int64_t most, int64_t width) {
  constexpr int64_t kLeast = 64;
  const int64_t room = memory.defined() ? memory.rows() : 0;
  if (rows <= room) return;
  const Tensor wider = backend.empty({std::min(most, std::max({kLeast, 2 * room, rows})), width});
  if (kept > 0) backend.copy(memory.row_range(0, kept), wider.row_range(0, kept));
  memory = wider;
}

}  // namespace

void keep(Backend& backend, const CachePass& pass, std::span<const int32_t> query_offsets, const Tensor& k,
          const Tensor& v) {
  for (size_t s = 0; s + 1 < query_offsets.size(); ++s) {
    const int64_t first = query_offsets[s], count = query_offsets[s + 1] - first, kept = pass.kept[s];
    if (count == 0) continue;
    if (kept + count > pass.most) {
      throw DataError("{} tokens of a sequence, expected at most {}: the context ends there", kept + count, pass.most);
    }
    KeyValueCache::Sequence& sequence = pass.cache->sequences[s];
    make_room(backend, sequence.keys, kept, kept + count, pass.most, k.columns());
    make_room(backend, sequence.values, kept, kept + count, pass.most, v.columns());
    backend.copy(k.row_range(first, count), sequence.keys.row_range(kept, count));
    backend.copy(v.row_range(first, count), sequence.values.row_range(kept, count));
  }
}

}  // namespace roformer
