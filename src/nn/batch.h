// Batch: one flat stream of T tokens. There is no padding and no mask tensor; a sequence sees only its own tokens.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace roformer {

struct Batch {
  std::vector<int32_t> ids;        // [T]
  std::vector<int32_t> positions;  // [T] usually 0, 1, 2 … within a sequence; any offset is valid
  std::vector<int32_t> segments;   // [T] token types
  std::vector<int32_t> offsets;    // [sequences + 1] cu_seqlens: first token of each sequence, then T

  Batch() : offsets{0} {}
  int64_t tokens() const { return static_cast<int64_t>(ids.size()); }
  int64_t sequences() const { return static_cast<int64_t>(offsets.size()) - 1; }

  // Appends a sequence at positions first, first + 1 …; no segments: all 0. DataError for another number of segments or
  // more than INT32_MAX tokens.
  void append(std::span<const int32_t> sequence, std::span<const int32_t> sequence_segments = {}, int32_t first = 0);
};

}  // namespace roformer
