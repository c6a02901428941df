// Shared by linear attention's forward and backward: tasks, the sums passed between them, and products with these.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "backend/cpu/linear_attention/features.h"

namespace roformer {

// Σ x_n y_nᵀ and Σ f_n over some tokens of a head: of rotated keys, values and keys' features, which queries need; or
// of rotated queries, gradients and weighted queries' features, which the gradients of keys and values need.
struct LinearSums {
  Buffer products;  // [features, value_stride]
  Buffer totals;    // [features]

  explicit LinearSums(const LinearCall& call)
      : products(tiles::padded_rows(call.features) * call.value_stride), totals(call.feature_stride) {}
  void clear(const LinearCall& call);
  void copy(const LinearSums& from, const LinearCall& call);
  void add(const LinearSums& more, const LinearCall& call);
  // Loads or stores the state of one sequence and head.
  void load(const LinearAttentionState& state, int64_t sequence, int64_t head, const LinearCall& call);
  void store(const LinearAttentionState& state, int64_t sequence, int64_t head, const LinearCall& call) const;
  // products += xᵀ y of some rows.
  void add_products(const LinearCall& call, const float* x, const float* y, int64_t rows);
};

// A range of chunks of one head of one sequence.
struct LinearTask {
  int64_t sequence, head, begin, end;
  bool first, last;  // of its sequence and head
  int64_t cost;
  // Where a sequence is split: the sums over the keys before these tokens and the queries after them, or over all if
  // attention is not causal.
  std::shared_ptr<LinearSums> keys = nullptr, queries = nullptr;

  bool split() const { return !(first && last); }
};

// In the order of sequences, heads and tokens. Where heads are few, long sequences are split, independently of the rest
// of the batch, to occupy many threads.
std::vector<LinearTask> linear_tasks(const LinearCall& call);

// Gives the tasks of split sequences their sums over keys and, if `backward`, queries. Worker(call).sum(task) computes
// a task's own sums; `start` sets those before the sequence of a task.
using StartSums = std::function<void(const LinearTask& task, LinearSums& sums)>;
void join_sums(const LinearCall& call, std::vector<LinearTask>& tasks, bool of_queries, const StartSums& start);

template <class Worker, class Call>
void make_sums(ThreadPool& pool, const Call& call, std::vector<LinearTask>& tasks, bool backward,
               const StartSums& start) {
  std::vector<LinearTask> split;
  for (LinearTask& task : tasks) {
    if (!task.split()) continue;
    task.keys = std::make_shared<LinearSums>(call);
    if (backward) task.queries = std::make_shared<LinearSums>(call);
    split.push_back(task);
  }
  if (split.empty()) return;
  struct Summer {
    explicit Summer(const Call& of) : worker(of) {}
    void operator()(const LinearTask& task) { worker.sum(task); }
    Worker worker;
  };
  run_longest_first<Summer>(pool, split, call);
  join_sums(call, tasks, false, start);
  if (backward) join_sums(call, tasks, true, start);
}

// Calls body(token, rows) for the chunks of a task, in order or in reverse.
template <class Body>
void for_linear_chunks(const LinearTask& task, const Body& body) {
  for (int64_t t = task.begin; t < task.end; t += kLinearChunk) body(t, std::min(kLinearChunk, task.end - t));
}
template <class Body>
void for_linear_chunks_reversed(const LinearTask& task, const Body& body) {
  for (int64_t i = (task.end - task.begin - 1) / kLinearChunk; i >= 0; --i) {
    const int64_t t = task.begin + i * kLinearChunk;
    body(t, std::min(kLinearChunk, task.end - t));
  }
}

// Keys and values of a chunk, and their sums. One object per thread.
class LinearKeys {
 public:
  explicit LinearKeys(const LinearCall& call)
      : side(call, false), values_(tiles::padded_rows(call.chunk) * call.value_stride), call_(call) {}
  void load(int64_t head, int64_t token, int64_t rows, float* saved = nullptr);
  void reload(int64_t head, int64_t token, int64_t rows, float* saved);
  const float* values() const { return values_.data(); }  // [rows, value_stride]
  // Adds the loaded chunk to all sums, or only to the products.
  void add_to(LinearSums& sums, int64_t rows) const;
  void add_products(LinearSums& sums, int64_t rows) const;

  LinearSide side;

 private:
  void load_values(int64_t head, int64_t token, int64_t rows);

  Buffer values_;
  const LinearCall& call_;
};

// c [rows, rows] = a · bᵀ, of a, b [rows, depth], 0 where the column is greater than the row. `panels` is a buffer for
// packing b.
void triangle(int64_t rows, int64_t depth, const float* a, const float* b, int64_t stride, float* panels, float* c,
              int64_t c_stride);

// out [rows, columns] = c · x + factors · out (as tiles::multiply), c [rows, rows] such a triangle or its transpose;
// blocks of zeros are skipped.
void multiply_triangle(tiles::Lhs c, int64_t rows, int64_t columns, const float* x, int64_t x_stride,
                       const float* factors, float* out, int64_t out_stride);

}  // namespace roformer
