// Shared by the operators: shape checks and gradient accumulation.
#pragma once

#include "base/error.h"
#include "ops/ops.h"

namespace roformer {

// The sum of a Value's gradients; null if it is not tracked. Closures capture this and not the Value, whose data is
// then released after its last use.
using GradientSum = std::shared_ptr<Tensor>;

// Adds a newly computed gradient, or takes it over if it is the first. `gradient` must not be shared.
inline void accumulate(Backend& backend, const GradientSum& target, Tensor gradient) {
  if (target == nullptr) return;
  Tensor& sum = *target;
  if (!sum.defined()) {
    sum = std::move(gradient);
  } else {
    backend.add(gradient, sum);
  }
}

// Starts at zero unless there is a sum already: for gradients that are added to in place.
inline void start(Backend& backend, const GradientSum& sum, const Shape& shape) {
  if (sum->defined()) return;
  *sum = backend.empty(shape);
  backend.fill(*sum, 0);
}

// A result, tracked if there is a tape and an input is tracked.
inline Value make_result(const Context& context, Tensor data, bool tracked) {
  return context.tape != nullptr && tracked ? Value::tracking(std::move(data)) : Value(std::move(data));
}

inline bool wants_gradient(const Parameter& parameter) { return parameter.gradient.defined(); }

inline void check_columns(const char* op, const char* what, const Tensor& x, int64_t columns) {
  if (x.columns() != columns) {
    throw ShapeError("{}: {} is {}, expected {} columns", op, what, x.shape().to_string(), columns);
  }
}

inline void check_rows(const char* op, const char* what, const Tensor& x, int64_t rows) {
  if (x.rows() != rows) throw ShapeError("{}: {} is {}, expected {} rows", op, what, x.shape().to_string(), rows);
}

inline void check_offsets(const char* op, const char* what, std::span<const int32_t> offsets, int64_t tokens) {
  bool good = !offsets.empty() && offsets.front() == 0 && offsets.back() == tokens;
  for (size_t i = 1; good && i < offsets.size(); ++i) good = offsets[i - 1] <= offsets[i];
  if (!good) throw ShapeError("{}: {} offsets do not rise from 0 to {} tokens", op, what, tokens);
}

inline void check_ids(const char* what, std::span<const int32_t> ids, int64_t rows) {
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < 0 || ids[i] >= rows) {
      throw DataError("{} {} at token {} is outside 0..{}", what, ids[i], i, rows - 1);
    }
  }
}

}  // namespace roformer
