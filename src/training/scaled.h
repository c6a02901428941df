// Scaled sums of whole tensors, by the backend's kernels.
#pragma once

#include "backend/backend.h"

namespace roformer {

// out = factor · x, or out += factor · x: equal shapes, separate memory.
void scale(Backend& backend, double factor, const Tensor& x, const Tensor& out);
void add_scaled(Backend& backend, double factor, const Tensor& x, const Tensor& out);
// A new tensor factor · x.
Tensor scaled(Backend& backend, double factor, const Tensor& x);
// A new tensor with the same numbers.
Tensor copy_of(Backend& backend, const Tensor& x);

}  // namespace roformer
