#include "nn/batch.h"

#include "base/error.h"

namespace roformer {

void Batch::append(std::span<const int32_t> sequence, std::span<const int32_t> sequence_segments, int32_t first) {
  if (!sequence_segments.empty() && sequence_segments.size() != sequence.size()) {
    throw DataError("a sequence of {} tokens has {} segment ids", sequence.size(), sequence_segments.size());
  }
  if (ids.size() + sequence.size() > INT32_MAX) throw DataError("a batch holds at most {} tokens", INT32_MAX);
  ids.insert(ids.end(), sequence.begin(), sequence.end());
  for (size_t i = 0; i < sequence.size(); ++i) {
    positions.push_back(first + static_cast<int32_t>(i));
    segments.push_back(sequence_segments.empty() ? 0 : sequence_segments[i]);
  }
  offsets.push_back(static_cast<int32_t>(ids.size()));
}

}  // namespace roformer
