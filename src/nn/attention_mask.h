// Which keys of its own sequence a token sees: the model's attention mask and a layer's window.
#pragma once

#include <cstdint>
#include <limits>

#include "ops/indices.h"

namespace roformer {

// prefix: UniLM's mask of RoFormer-Sim (compatibility.md 3.6): with c = the running sum of segment ids, query j sees
// key k iff c[k] ≤ c[j]; segment 0 is the prompt, the tokens of segment 1 follow causally.
enum class AttentionMask { bidirectional, causal, prefix };

// A sliding window: tokens at most `before` positions before and `after` positions after the query, itself included.
struct KeyWindow {
  static constexpr int64_t kAll = std::numeric_limits<int32_t>::max();
  int64_t before = kAll, after = kAll;

  bool all() const { return before == kAll && after == kAll; }
  bool operator==(const KeyWindow&) const = default;
};

// Window sizes as config files give them. Causal: a token and the size − 1 before it; symmetric: |i − j| ≤ size / 2.
inline KeyWindow causal_window(int64_t size) { return {.before = size - 1}; }
inline KeyWindow symmetric_window(int64_t size) { return {size / 2, size / 2}; }

// The keys begins[t] … limits[t] − 1 that each query of a pass sees, counted within its sequence.
struct VisibleKeys {
  Indices begins, limits;  // [Tq]; empty: 0 and all
};

// Applies a window to `limits`. The queries of a sequence are its last tokens.
VisibleKeys within_window(const Indices& limits, const KeyWindow& window, const Indices& query_offsets,
                          const Indices& key_offsets);

}  // namespace roformer
