// Shared by the operators that take column ranges of projections.
#pragma once

#include <map>
#include <utility>

#include "ops/internal.h"

namespace roformer {

// The inputs of an attention, saved for its backward pass.
struct Projections {
  Columns q, k, v;

  Projections(Columns&& queries, Columns&& keys, Columns&& values)
      : q(std::move(queries)), k(std::move(keys)), v(std::move(values)) {}
};

// The gradient tensors of projections: one per projection, shared by its column ranges.
class ProjectionGradients {
 public:
  ProjectionGradients(Backend& backend, const Projections& projections) : backend_(backend), projections_(projections) {
    for (const Columns* columns : {&projections.q, &projections.k, &projections.v}) {
      if (columns->value.tracked()) covered_[columns->value.gradient] += columns->count;
    }
  }

  // Where the gradients go.
  AttentionTensors tensors() { return {columns(projections_.q), columns(projections_.k), columns(projections_.v)}; }

  void accumulate_all() {
    for (auto& [sum, gradient] : made_) accumulate(backend_, sum, std::move(gradient));
  }

 private:
  // Columns that no range covers are zeroed: other operators add to them.
  Tensor columns(const Columns& columns) {
    const Shape& shape = columns.value.data.shape();
    if (!columns.value.tracked()) return backend_.empty({columns.value.data.rows(), columns.count});
    Tensor& whole = made_[columns.value.gradient];
    if (!whole.defined()) {
      whole = backend_.empty(shape);
      if (covered_[columns.value.gradient] < shape[1]) backend_.fill(whole, 0);
    }
    return whole.column_range(columns.begin, columns.count);
  }

  Backend& backend_;
  const Projections& projections_;
  std::map<GradientSum, int64_t> covered_;
  std::map<GradientSum, Tensor> made_;
};

}  // namespace roformer
