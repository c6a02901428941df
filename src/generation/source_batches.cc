#include "generation/source_batches.h"

#include <algorithm>
#include <functional>
#include <numeric>

namespace roformer {

std::vector<std::vector<size_t>> source_batches(std::span<const std::vector<int32_t>> sources, int64_t limit) {
  std::vector<size_t> order(sources.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, std::less(), [&](size_t i) { return sources[i].size(); });
  std::vector<std::vector<size_t>> batches;
  int64_t tokens = 0;
  for (const size_t i : order) {
    const auto more = std::ssize(sources[i]);
    if (batches.empty() || tokens + more > limit) {
      batches.emplace_back();
      tokens = 0;
    }
    batches.back().push_back(i);
    tokens += more;
  }
  return batches;
}

}  // namespace roformer
