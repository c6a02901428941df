#include "metrics/translation/ngrams.h"

#include <algorithm>

namespace roformer {

std::vector<int32_t> NgramCounter::count(std::span<const uint32_t> symbols) {
  std::vector<int32_t> counts(lengths_.size());
  const auto longest = static_cast<size_t>(longest_);
  for (size_t begin = 0; begin < symbols.size(); ++begin) {
    uint64_t before = 0;  // 1 + number of the n-gram without its last symbol
    for (size_t length = 0; length < longest && begin + length < symbols.size(); ++length) {
      const auto [found, is_new] =
          numbers_.try_emplace(before << 32 | symbols[begin + length], static_cast<uint32_t>(lengths_.size()));
      if (is_new) {
        lengths_.push_back(static_cast<uint8_t>(length));
        counts.push_back(0);
      }
      ++counts[found->second];
      before = uint64_t{found->second} + 1;
    }
  }
  return counts;
}

std::vector<int64_t> NgramCounter::matches(std::span<const int32_t> counts, std::span<const int32_t> others) const {
  std::vector<int64_t> result(static_cast<size_t>(longest_));
  for (size_t i = 0; i < std::min(counts.size(), others.size()); ++i) {
    result[lengths_[i]] += std::min(counts[i], others[i]);
  }
  return result;
}

}  // namespace roformer
