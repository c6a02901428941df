// Measures the vectors of a model on labeled examples.
#pragma once

#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "data/labeled/tasks.h"
#include "inference/sentence_choice.h"
#include "tasks/evaluation.h"
#include "tasks/vectors/vector_inputs.h"
#include "tasks/vectors/vector_matrix.h"

namespace roformer {

// One per example: of pair similarity, how similar the pair's vectors are; of contrastive texts, the rank of the
// positive among all different positives of the examples, without those of the same anchor and the anchor itself. A
// text that is as similar as the positive comes before it, so that a model that tells nothing apart has the worst rank.
// `vectors` are those of inputs.texts. DataError for contrastive texts and distances.
std::vector<Prediction> vector_predictions(const Task& task, std::span<const Example> examples,
                                           const VectorInputs& inputs, const VectorMatrix& vectors,
                                           Similarity similarity, ThreadPool& pool);

struct VectorEvaluationOptions {
  int64_t batch_tokens = 8192;  // of a pass, at least one text
  std::stop_token stop_token = {};
};

// `vectors`: as the model directory turns texts into vectors. The loss is 0. `warned` is called with what was cut.
TaskEvaluation evaluate_vectors(const Task& task, const Model& model, const Tokenizer& tokenizer,
                                std::span<const Example> examples, const std::string& file,
                                const SentenceVectors& vectors, const VectorEvaluationOptions& options,
                                const std::function<void(const std::string&)>& warned);

}  // namespace roformer
