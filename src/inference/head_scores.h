// The numbers that classification heads yield.
#pragma once

#include <stop_token>
#include <vector>

#include "models/model.h"
#include "nn/batch.h"

namespace roformer {

// "a question-answering head", for messages.
const char* describe_head(Head head);
// DataError, naming the key of config.json, unless the model has this head.
void require_head(const Model& model, Head head);

// The head's logits of a batch (Model::logits), in float32, on the host. DataError for non-finite ones; Interrupted if
// `stop` is requested.
Tensor head_logits(const Model& model, const Batch& batch, const std::stop_token& stop = {});

// Probabilities of logits; none for none.
std::vector<double> softmax(std::vector<double> logits);

}  // namespace roformer
