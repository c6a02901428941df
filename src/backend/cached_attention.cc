// Cached attention by ordinary attention over contiguous copies of the cache.
#include <algorithm>

#include "backend/backend.h"

namespace roformer {
namespace {

// All rows of all sequences, concatenated; each key head repeated for the query heads it serves.
Tensor gathered(Backend& backend, std::span<const Tensor> parts, int64_t key_heads, int64_t group) {
  int64_t rows = 0;
  for (const Tensor& part : parts) rows += part.rows();
  const int64_t width = parts.empty() ? 0 : parts.front().columns();
  Tensor all = backend.empty({rows, width * group});
  int64_t row = 0;
  for (const Tensor& part : parts) {
    const Tensor to = all.row_range(row, part.rows());
    row += part.rows();
    if (part.rows() == 0) continue;
    if (group == 1) {
      backend.copy(part, to);
      continue;
    }
    const int64_t dim = width / key_heads;
    for (int64_t head = 0; head < key_heads * group; ++head) {
      backend.copy(part.column_range(head / group * dim, dim), to.column_range(head * dim, dim));
    }
  }
  return all;
}

}  // namespace

void Backend::cached_attention(const CachedSpec& spec, const Tensor& q, const Tensor& out) {
  std::vector<int32_t> key_offsets{0};
  for (const Tensor& keys : spec.keys) {
    key_offsets.push_back(static_cast<int32_t>(key_offsets.back() + keys.rows()));
  }
  const int64_t group = spec.heads / spec.key_heads;
  const AttentionSpec plain{.heads = spec.heads,
                            .scale = spec.scale,
                            .query_offsets = spec.query_offsets,
                            .key_offsets = key_offsets,
                            .key_ends = spec.key_ends,
                            .key_starts = spec.key_starts,
                            .score_cap = spec.score_cap,
                            .terms = spec.terms};
  const AttentionTensors in{q, gathered(*this, spec.keys, spec.key_heads, group),
                            gathered(*this, spec.values, spec.key_heads, group)};
  attention(plain, in, out, empty({spec.heads, q.rows()}));
}

}  // namespace roformer
