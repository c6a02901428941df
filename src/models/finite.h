// Locating non-finite weights after a result turned out non-finite, so that valid models need no scan of their weights.
#pragma once

#include <string>

#include "models/model.h"

namespace roformer {

bool is_finite(const Tensor& x);  // float32 or float64, on the host

// DataError naming the tensor, unless all its elements are finite.
void check_finite(const Tensor& x, const std::string& name, const std::string& source);

// The same for all weights of `model`.
void check_finite_weights(const Model& model, const std::string& source);

}  // namespace roformer
