#include "text/token_trie.h"

#include <algorithm>
#include <numeric>

namespace roformer {

namespace {

constexpr size_t kBytes = 256;
constexpr size_t kTrials = 2 * kBytes;  // places tried for a node before the array grows

}  // namespace

// Nodes get their places in breadth-first order: what is near the root, and so walked most, lies together.
struct TokenTrie::Builder {
  explicit Builder(std::vector<Unit>& all) : units(all) { units.resize(2 * kBytes); }

  bool is_free(size_t place) const { return place >= top || units[place].parent == kNone; }

  // A base at which all of `bytes`, which rise, are free. So many places are tried and, if none will do, given up: that
  // keeps time linear and leaves at most half of all places unused (a failure gives up 512 and adds at most 256).
  int32_t find_base(std::span<const unsigned char> bytes) {
    const size_t first = bytes.front(), start = std::max(cursor, kBytes + first);
    for (size_t place = start; place < std::min(top, start + kTrials); ++place) {
      const size_t base = place - first;
      if (std::ranges::all_of(bytes, [&](unsigned char byte) { return is_free(base + byte); })) {
        return static_cast<int32_t>(base);
      }
    }
    cursor = std::min(top, start + kTrials);
    return static_cast<int32_t>(top);
  }

  void take(size_t place, int32_t parent) {
    top = std::max(top, place + 1);
    if (top > units.size()) units.resize(std::max(top + kBytes, units.size() + units.size() / 2));
    units[place].parent = parent;
    while (cursor < top && !is_free(cursor)) ++cursor;
  }

  std::vector<Unit>& units;
  size_t top = kBytes;     // from here on all is free
  size_t cursor = kBytes;  // where trying starts
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
      const int32_t place = base + bytes[i];
      builder.take(static_cast<size_t>(place), node);
      ranges.push_back({starts[i], starts[i + 1], depth + 1, place});
    }
  }
  units_.resize(builder.top + kBytes);
  units_.shrink_to_fit();
}

int32_t TokenTrie::walk(int32_t node, std::string_view bytes) const {
  for (size_t i = 0; i < bytes.size() && node != kNone; ++i) node = child(node, bytes[i]);
  return node;
}

}  // namespace roformer
