// Shared by attention's forward and backward: the range of a task, key visibility, buffers and scheduling.
#pragma once

#include <algorithm>
#include <atomic>
#include <limits>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/rows/rows.h"

namespace roformer {

// One head of one sequence, and its key head.
struct HeadRange {
  int64_t head, key_head, q_begin, q_end, k_begin, k_end;

  HeadRange(const AttentionSpec& spec, int64_t sequence, int64_t head_index)
      : head(head_index),
        key_head(spec.key_head(head_index)),
        q_begin(spec.query_offsets[static_cast<size_t>(sequence)]),
        q_end(spec.query_offsets[static_cast<size_t>(sequence) + 1]),
        k_begin(spec.key_offsets[static_cast<size_t>(sequence)]),
        k_end(spec.key_offsets[static_cast<size_t>(sequence) + 1]) {}

  int64_t queries() const { return q_end - q_begin; }
  int64_t keys() const { return k_end - k_begin; }
};

// Tokens of the longest sequence.
inline int64_t longest(std::span<const int32_t> offsets) {
  int64_t tokens = 0;
  for (size_t s = 0; s + 1 < offsets.size(); ++s) tokens = std::max<int64_t>(tokens, offsets[s + 1] - offsets[s]);
  return tokens;
}

// The first key that one of some queries sees, rounded down so that what is left out are whole panels, whole blocks of
// tile kernels, and whole draws of dropout. 0 if none sees any. The ranges become relative to it.
inline int64_t skip_invisible(int32_t* first, int32_t* end, int64_t queries) {
  constexpr int32_t kWhole = 64;
  int32_t least = std::numeric_limits<int32_t>::max();
  for (int64_t i = 0; i < queries; ++i) {
    if (end[i] > 0) least = std::min(least, first[i]);
  }
  const int32_t skipped = least == std::numeric_limits<int32_t>::max() ? 0 : least / kWhole * kWhole;
  for (int64_t i = 0; skipped > 0 && i < queries; ++i) {
    first[i] = std::max(0, first[i] - skipped);
    end[i] = std::max(0, end[i] - skipped);
  }
  return skipped;
}

// Of the `keys` keys from k0 on, query q0 + i sees first[i] … end[i] − 1, none where both are 0. Returns the greatest
// end, so that causal attention skips half of the work.
inline int64_t visible_keys(const AttentionSpec& spec, const HeadRange& range, int64_t q0, int64_t queries, int64_t k0,
                            int64_t keys, int32_t* first, int32_t* end) {
  int64_t max_end = 0;
  for (int64_t i = 0; i < queries; ++i) {
    const AttentionSpec::KeyRange seen = spec.visible_keys(q0 + i, range.keys());
    const int64_t begin = std::max<int64_t>(seen.first - (k0 - range.k_begin), 0);
    const int64_t limit = std::min(seen.end - (k0 - range.k_begin), keys);
    first[i] = begin < limit ? static_cast<int32_t>(begin) : 0;
    end[i] = begin < limit ? static_cast<int32_t>(limit) : 0;
    max_end = std::max<int64_t>(max_end, end[i]);
  }
  return max_end;
}

// The dropout factors of one row of a tile, whose first key is a multiple of 64 of its sequence.
inline void draw_factors(const AttentionSpec& spec, const HeadRange& range, int64_t query, int64_t key, int64_t keys,
                         float* factors) {
  const auto row = static_cast<uint32_t>(range.head * spec.query_offsets.back() + query);
  rows::dropout_factors(spec.dropout, row, key - range.k_begin, keys, factors);
}

// Memory for floats, 64-byte aligned; zeroed, because kernels also read padding.
class Buffer {
 public:
  explicit Buffer(int64_t floats) : memory_(Tensor::allocate({floats}, DType::float32)) {
    std::fill_n(data(), floats, 0.0f);
  }
  float* data() const { return memory_.data<float>(); }

 private:
  Tensor memory_;
};

// Runs the tasks by decreasing `cost`, for load balance, each by a Worker(arguments…) that runs no other at the time.
template <class Worker, class Task, class... Arguments>
void run_longest_first(ThreadPool& pool, std::vector<Task>& tasks, const Arguments&... arguments) {
  std::stable_sort(tasks.begin(), tasks.end(), [](const Task& a, const Task& b) { return a.cost > b.cost; });
  std::atomic<int64_t> next = 0;
  std::mutex mutex;
  std::vector<std::unique_ptr<Worker>> idle;
  pool.run(static_cast<int64_t>(tasks.size()), [&](int64_t) {
    std::unique_ptr<Worker> worker;
    {
      const std::lock_guard lock(mutex);
      if (!idle.empty()) {
        worker = std::move(idle.back());
        idle.pop_back();
      }
    }
    if (worker == nullptr) worker = std::make_unique<Worker>(arguments...);
    (*worker)(tasks[static_cast<size_t>(next++)]);
    const std::lock_guard lock(mutex);
    idle.push_back(std::move(worker));
  });
}

}  // namespace roformer
