// Shared by the operators that take column ranges of projections.
#pragma once

#include <initializer_list>
#include <map>

#include "ops/internal.h"

namespace roformer {

// The gradient tensors of projections: one for all column ranges of one.
class ProjectionGradients {
 public:
  ProjectionGradients(Backend& backend, std::initializer_list<const Columns*> ranges) : backend_(backend) {
    for (const Columns* columns : ranges) {
      if (columns->value.tracked()) covered_[columns->value.gradient] += columns->count;
    }
  }

  // Where the gradient of these columns goes. Columns that no range covers are 0: others add to them.
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

  void accumulate_all() {
    for (auto& [sum, gradient] : made_) accumulate(backend_, sum, std::move(gradient));
  }

 private:
  Backend& backend_;
  std::map<GradientSum, int64_t> covered_;
  std::map<GradientSum, Tensor> made_;
};

}  // namespace roformer
