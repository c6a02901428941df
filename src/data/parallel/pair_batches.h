// The batches of an epoch over pairs of sequences: pairs of similar length together, so that a batch has as many
// tokens as its budget allows, in random order.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/random.h"

namespace roformer {

// Tokens of source and target.
using PairLength = std::array<int32_t, 2>;

// A batch holds pairs, by their places in `lengths`, of at most `batch_tokens` tokens on either side together, at least
// one pair. Pairs are shuffled and sorted by length within windows of kWindowBatches batches or so, and the batches
// shuffled. A function of its arguments; each pair comes once in an epoch, 0, 1, ….
std::vector<std::vector<int32_t>> pair_batches(std::span<const PairLength> lengths, int64_t batch_tokens,
                                               RandomStream random, int64_t epoch);
inline constexpr int64_t kWindowBatches = 100;

// The same without shuffling or sorting.
std::vector<std::vector<int32_t>> pair_batches_in_order(std::span<const PairLength> lengths, int64_t batch_tokens);

}  // namespace roformer
