#include "nn/attention_mask.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace roformer {

VisibleKeys within_window(const Indices& limits, const KeyWindow& window, const Indices& query_offsets,
                          const Indices& key_offsets) {
  if (window.all()) return {{}, limits};
  std::vector<int32_t> begins, ends;
  for (size_t s = 0; s + 1 < query_offsets.size(); ++s) {
    const int64_t keys = int64_t{key_offsets[s + 1]} - key_offsets[s];
    const int64_t before = keys - (int64_t{query_offsets[s + 1]} - query_offsets[s]);  // index of the first query
    for (int32_t t = query_offsets[s]; t < query_offsets[s + 1]; ++t) {
      const int64_t own = before + t - query_offsets[s];
      const int64_t limit = limits.empty() ? keys : limits[static_cast<size_t>(t)];
      begins.push_back(static_cast<int32_t>(std::max<int64_t>(0, own - window.before)));
      ends.push_back(static_cast<int32_t>(std::min(limit, own + window.after + 1)));
    }
  }
  return {std::move(begins), std::move(ends)};
}

}  // namespace roformer
