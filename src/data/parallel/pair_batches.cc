#include "data/parallel/pair_batches.h"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>

namespace roformer {

namespace {

template <class T>
void shuffle(std::vector<T>& list, Generator& generator) {
  for (size_t i = list.size(); i > 1; --i) std::swap(list[i - 1], list[generator.below(i)]);
}

// Cuts `order` where the next pair would exceed `limit` tokens on a side.
void cut(std::span<const int32_t> order, std::span<const PairLength> lengths, int64_t limit,
         std::vector<std::vector<int32_t>>& parts) {
  std::array<int64_t, 2> tokens{};
  bool fresh = true;
  for (const int32_t pair : order) {
    const auto [source, target] = lengths[static_cast<size_t>(pair)];
    if (fresh || tokens[0] + source > limit || tokens[1] + target > limit) {
      parts.emplace_back();
      tokens = {};
      fresh = false;
    }
    parts.back().push_back(pair);
    tokens[0] += source;
    tokens[1] += target;
  }
}

std::vector<int32_t> all_in_order(size_t count) {
  std::vector<int32_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  return order;
}

}  // namespace

std::vector<std::vector<int32_t>> pair_batches(std::span<const PairLength> lengths, int64_t batch_tokens,
                                               RandomStream random, int64_t epoch) {
  Generator generator(substream(random, static_cast<uint64_t>(epoch)));
  std::vector<int32_t> order = all_in_order(lengths.size());
  shuffle(order, generator);
  std::vector<std::vector<int32_t>> windows, batches;
  cut(order, lengths, batch_tokens * kWindowBatches, windows);
  for (std::vector<int32_t>& window : windows) {
    std::ranges::sort(window, std::less(), [&](int32_t pair) {
      const auto [source, target] = lengths[static_cast<size_t>(pair)];
      return std::tuple(target, source, pair);
    });
    cut(window, lengths, batch_tokens, batches);
  }
  shuffle(batches, generator);
  return batches;
}

std::vector<std::vector<int32_t>> pair_batches_in_order(std::span<const PairLength> lengths, int64_t batch_tokens) {
  std::vector<std::vector<int32_t>> batches;
  cut(all_in_order(lengths.size()), lengths, batch_tokens, batches);
  return batches;
}

}  // namespace roformer
