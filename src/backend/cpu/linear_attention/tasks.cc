#include "backend/cpu/linear_attention/tasks.h"

#include "backend/cpu/linear_attention/rows.h"
#include "backend/cpu/rows/rows.h"

namespace roformer {

using tiles::kPanel;

void LinearSums::clear(const LinearCall& call) {
  std::fill_n(products.data(), call.features * call.value_stride, 0.0f);
  std::fill_n(totals.data(), call.features, 0.0f);
}

void LinearSums::copy(const LinearSums& from, const LinearCall& call) {
  std::copy_n(from.products.data(), call.features * call.value_stride, products.data());
  std::copy_n(from.totals.data(), call.features, totals.data());
}

void LinearSums::add(const LinearSums& more, const LinearCall& call) {
  rows::add(more.products.data(), products.data(), call.features * call.value_stride);
  rows::add(more.totals.data(), totals.data(), call.features);
}

void LinearSums::load(const LinearAttentionState& state, int64_t sequence, int64_t head, const LinearCall& call) {
  const float* const from = state.sums.row<float>(sequence) + head * call.features * call.value_dim;
  tiles::store_rows(from, call.value_dim, call.features, call.value_dim, 1, products.data(), call.value_stride);
  std::copy_n(state.totals.row<float>(sequence) + head * call.features, call.features, totals.data());
}

void LinearSums::store(const LinearAttentionState& state, int64_t sequence, int64_t head,
                       const LinearCall& call) const {
  float* const to = state.sums.row<float>(sequence) + head * call.features * call.value_dim;
  tiles::store_rows(products.data(), call.value_stride, call.features, call.value_dim, 1, to, call.value_dim);
  std::copy_n(totals.data(), call.features, state.totals.row<float>(sequence) + head * call.features);
}

void LinearSums::add_products(const LinearCall& call, const float* x, const float* y, int64_t rows) {
  tiles::multiply(call.features, call.value_dim, rows, {x, call.feature_stride, true},
                  {.data = y, .stride = call.value_stride, .panel_stride = kPanel}, call.ones.data(), products.data(),
                  call.value_stride);
}

std::vector<LinearTask> linear_tasks(const LinearCall& call) {
  constexpr int64_t kEnough = 8, kSegment = 2048;  // heads; tokens, in whole chunks
  const bool few = call.spec.heads < kEnough;
  std::vector<LinearTask> tasks;
  for (int64_t s = 0; s < call.spec.sequences(); ++s) {
    const int64_t first = call.spec.offsets[static_cast<size_t>(s)];
    const int64_t last = call.spec.offsets[static_cast<size_t>(s) + 1];
    const int64_t segment = few ? kSegment : std::max<int64_t>(1, last - first);
    for (int64_t head = 0; head < call.spec.heads; ++head) {
      for (int64_t begin = first; begin < last; begin += segment) {
        const int64_t end = std::min(begin + segment, last);
        tasks.push_back({s, head, begin, end, begin == first, end == last, end - begin});
      }
    }
  }
  return tasks;
}

void join_sums(const LinearCall& call, std::vector<LinearTask>& tasks, bool of_queries, const StartSums& start) {
  const auto sums_of = [&](LinearTask& task) -> std::shared_ptr<LinearSums>& {
    return of_queries ? task.queries : task.keys;
  };
  LinearSums total(call), own(call);
  const auto count = static_cast<int64_t>(tasks.size());
  for (int64_t n = 0; n < count; ++n) {
    LinearTask& task = tasks[static_cast<size_t>(of_queries ? count - 1 - n : n)];
    if (!task.split()) continue;
    if (of_queries ? task.last : task.first) start(task, total);
    LinearSums& sums = *sums_of(task);
    own.copy(sums, call);
    sums.copy(total, call);
    total.add(own, call);
    if (call.spec.causal || !(of_queries ? task.first : task.last)) continue;
    sums.copy(total, call);
    // All tasks of the sequence and head share the completed sums.
    for (int64_t back = n - 1; back >= 0; --back) {
      LinearTask& other = tasks[static_cast<size_t>(of_queries ? count - 1 - back : back)];
      if (other.sequence != task.sequence || other.head != task.head) break;
      sums_of(other) = sums_of(task);
    }
  }
}

void LinearKeys::load(int64_t head, int64_t token, int64_t rows, float* saved) {
  side.load(head, token, rows, saved);
  load_values(head, token, rows);
}

void LinearKeys::reload(int64_t head, int64_t token, int64_t rows, float* saved) {
  side.reload(head, token, rows, saved);
  load_values(head, token, rows);
}

void LinearKeys::load_values(int64_t head, int64_t token, int64_t rows) {
  const Tensor& v = call_.in.v;
  tiles::load_rows({v.row<float>(token) + head * call_.value_dim, v.row_stride(), call_.value_dim, nullptr, token},
                   rows, 1, values_.data(), call_.value_stride);
}

void LinearKeys::add_to(LinearSums& sums, int64_t rows) const {
  add_products(sums, rows);
  rows::add_weighted(side.features(), call_.feature_stride, nullptr, rows, call_.features, sums.totals.data());
}

void LinearKeys::add_products(LinearSums& sums, int64_t rows) const {
  sums.add_products(call_, side.rotated(), values(), rows);
}

void triangle(int64_t rows, int64_t depth, const float* a, const float* b, int64_t stride, float* panels, float* c,
              int64_t c_stride) {
  tiles::pack_transposed(b, stride, rows, depth, panels);
  for (int64_t j = 0; j < rows; j += kPanel) {  // rows above a panel's columns are zero there
    tiles::multiply(rows - j, std::min(kPanel, rows - j), depth, {a + j * stride, stride},
                    {.data = panels + j * depth, .panel_stride = depth * kPanel}, nullptr, c + j * c_stride + j,
                    c_stride);
  }
  for (int64_t i = 0; i < rows; ++i) std::fill(c + i * c_stride + i + 1, c + i * c_stride + rows, 0.0f);
}

void multiply_triangle(tiles::Lhs c, int64_t rows, int64_t columns, const float* x, int64_t x_stride,
                       const float* factors, float* out, int64_t out_stride) {
  for (int64_t i = 0; i < rows; i += kPanel) {
    const int64_t count = std::min(kPanel, rows - i);
    // Rows of the triangle see the columns up to their own; columns of it what is below.
    const int64_t first = c.transposed ? i : 0, depth = c.transposed ? rows - i : i + count;
    tiles::multiply(count, columns, depth, {c.data + i * c.stride + first, c.stride, c.transposed},
                    {.data = x + first * x_stride, .stride = x_stride, .panel_stride = kPanel},
                    factors == nullptr ? nullptr : factors + i, out + i * out_stride, out_stride);
  }
}

}  // namespace roformer
