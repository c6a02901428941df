#include "generation/source_batches.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "base/parallel.h"

namespace roformer {

std::vector<std::vector<size_t>> source_batches(std::span<const std::vector<int32_t>> sources, int64_t limit) {
  std::vector<size_t> order(sources.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, std::less(), [&](size_t i) { return sources[i].size(); });
  int64_t total = 0;
  for (const auto& source : sources) total += std::ssize(source);
  limit = std::max<int64_t>(1, ceil_div(total, std::max<int64_t>(1, ceil_div(total, limit))));
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
