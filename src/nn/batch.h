// Batch: one flat stream of T tokens. There is no padding and no mask tensor anywhere; a sequence sees its own tokens
// only.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace roformer {

struct Batch {
  std::vector<int32_t> ids;        // [T]
  std::vector<int32_t> positions;  // [T] usually 0, 1, 2 … within a sequence, but data: any offset is right
  std::vector<int32_t> segments;   // [T] token types
  std::vector<int32_t> offsets;    // [sequences + 1] first token of each sequence (cu_seqlens), ends with T

  Batch() : offsets{0} {}
  int64_t tokens() const { return static_cast<int64_t>(ids.size()); }
  int64_t sequences() const { return static_cast<int64_t>(offsets.size()) - 1; }

  // Appends a sequence at positions first, first + 1 …; no segments means all 0.
  void append(std::span<const int32_t> sequence, std::span<const int32_t> sequence_segments = {}, int32_t first = 0);
};

}  // namespace roformer
