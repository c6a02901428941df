// Which keys of its own sequence a token sees: what the model's attention is (AttentionMask), and a layer's window.
#pragma once

#include <cstdint>
#include <limits>

#include "ops/indices.h"

namespace roformer {

// Which tokens a token sees. prefix: UniLM's mask of RoFormer-Sim (compatibility.md 3.6): with c = the running sum of
// segment ids, query j sees key k iff c[k] ≤ c[j]; segment 0 is the prompt, the tokens of segment 1 follow causally.
enum class AttentionMask { bidirectional, causal, prefix };

// Of the tokens that a token sees, those at most so many places before and after it, itself among them.
struct KeyWindow {
  static constexpr int64_t kAll = std::numeric_limits<int32_t>::max();
  int64_t before = kAll, after = kAll;

  bool all() const { return before == kAll && after == kAll; }
  bool operator==(const KeyWindow&) const = default;
};

// Windows as models' files count them: a token and the size − 1 before it; |i − j| ≤ size / 2.
inline KeyWindow causal_window(int64_t size) { return {.before = size - 1}; }
inline KeyWindow symmetric_window(int64_t size) { return {size / 2, size / 2}; }

// What the queries of a pass see: their first key and the end of their keys, one number each, counted in their
// sequence.
struct VisibleKeys {
  Indices begins, limits;  // empty: 0, and all
};

// `limits` within a window. The queries of a sequence are the last of its keys.
VisibleKeys within_window(const Indices& limits, const KeyWindow& window, const Indices& query_offsets,
                          const Indices& key_offsets);

}  // namespace roformer
