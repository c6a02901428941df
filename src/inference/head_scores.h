// The numbers that classification heads yield.
#pragma once

#include <vector>

#include "models/model.h"
#include "nn/batch.h"

namespace roformer {

// The head's logits of a batch, in float32, on the host. DataError for non-finite ones.
Tensor head_logits(const Model& model, const Batch& batch);

// Probabilities of logits; none for none.
std::vector<double> softmax(std::vector<double> logits);

}  // namespace roformer
