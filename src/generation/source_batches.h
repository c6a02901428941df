// Sources that are translated together.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace roformer {

// Groups of sources of similar lengths, by their numbers, each of at most `limit` tokens unless it has one source, and
// all of about as many.
std::vector<std::vector<size_t>> source_batches(std::span<const std::vector<int32_t>> sources, int64_t limit);

}  // namespace roformer
