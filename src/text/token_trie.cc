#include "text/token_trie.h"

#include <algorithm>
#include <numeric>

namespace roformer {

namespace {

constexpr size_t kByteValues = 256;
constexpr size_t kTrials = 2 * kByteValues;  // units tried for a node before the array grows

}  // namespace

// Nodes are placed in breadth-first order, so that those near the root, visited most often, are close in memory.
struct TokenTrie::Builder {
  explicit Builder(std::vector<Unit>& all) : units(all) { units.resize(2 * kByteValues); }

  bool is_free(size_t unit) const { return unit >= top || units[unit].parent == kNone; }

  // A base at which all of `bytes` (ascending) are free. After kTrials failures the units tried are abandoned, which
  // keeps time linear and at least half of all units in use (a failure abandons 512 and adds at most 256).
  int32_t find_base(std::span<const unsigned char> bytes) {
    const size_t first = bytes.front(), start = std::max(cursor, kByteValues + first);
    for (size_t unit = start; unit < std::min(top, start + kTrials); ++unit) {
      const size_t base = unit - first;
      if (std::ranges::all_of(bytes, [&](unsigned char byte) { return is_free(base + byte); })) {
        return static_cast<int32_t>(base);
      }
    }
    cursor = std::min(top, start + kTrials);
    return static_cast<int32_t>(top);
  }

  void claim(size_t unit, int32_t parent) {
    top = std::max(top, unit + 1);
    if (top > units.size()) units.resize(std::max(top + kByteValues, units.size() + units.size() / 2));
    units[unit].parent = parent;
    while (cursor < top && !is_free(cursor)) ++cursor;
  }

  std::vector<Unit>& units;
  size_t top = kByteValues;     // all units from here on are free
  size_t cursor = kByteValues;  // where the search starts
};

TokenTrie::TokenTrie(std::span<const std::string> tokens) {
  struct Range {
    size_t begin, end, depth;
    int32_t node;
  };
  std::vector<int32_t> order(tokens.size());
  std::iota(order.begin(), order.end(), 0);
  const auto text = [&](size_t i) -> std::string_view { return tokens[static_cast<size_t>(order[i])]; };
  std::ranges::stable_sort(order, {}, [&](int32_t i) { return std::string_view(tokens[static_cast<size_t>(i)]); });

  Builder builder(units_);
  std::vector<Range> ranges = {{0, order.size(), 0, kRoot}};
  std::vector<unsigned char> bytes;
  std::vector<size_t> starts;
  for (size_t r = 0; r < ranges.size(); ++r) {
    auto [begin, end, depth, node] = ranges[r];
    for (; begin < end && text(begin).size() == depth; ++begin) {
      if (depth > 0) units_[static_cast<size_t>(node)].token = order[begin];
    }
    if (begin == end) continue;
    bytes.clear();
    starts.clear();
    for (size_t i = begin; i < end; ++i) {
      const auto byte = static_cast<unsigned char>(text(i)[depth]);
      if (!bytes.empty() && bytes.back() == byte) continue;
      bytes.push_back(byte);
      starts.push_back(i);
    }
    starts.push_back(end);
    const int32_t base = builder.find_base(bytes);
    units_[static_cast<size_t>(node)].base = base;
    for (size_t i = 0; i < bytes.size(); ++i) {
      const int32_t unit = base + bytes[i];
      builder.claim(static_cast<size_t>(unit), node);
      ranges.push_back({starts[i], starts[i + 1], depth + 1, unit});
    }
  }
  units_.resize(builder.top + kByteValues);
  units_.shrink_to_fit();
}

int32_t TokenTrie::walk(int32_t node, std::string_view bytes) const {
  for (size_t i = 0; i < bytes.size() && node != kNone; ++i) node = child(node, bytes[i]);
  return node;
}

}  // namespace roformer
