// What a model says of each example.
#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <vector>

#include "inference/question_answering.h"
#include "models/model.h"
#include "tasks/task_inputs.h"

namespace roformer {

struct Prediction {
  // Of each term of the example (loss_terms.h), in order: the probabilities of labels, tags or choices, of each label
  // of a multi-label task, of the two pairs of a triplet; or the number itself. Of pair similarity, how similar the
  // vectors are; of contrastive texts the rank of the positive among all positives, from 1.
  std::vector<std::vector<double>> outputs = {};
  Answer answer = {};  // of question answering, which has no outputs = {}; of contrastive texts the most similar one
  double loss = 0;     // the sum of the terms that have a target, without weights and smoothing
  int64_t terms = 0;   // that have one
};

struct PredictionOptions {
  int64_t batch_tokens = 8192;  // of a pass, at least one part
  bool may_have_none = false;   // AnswerOptions
  std::stop_token stop_token = {};
};

// One per example. `examples` are those that were encoded. DataError for non-finite logits, Interrupted if a stop is
// requested.
std::vector<Prediction> predict(const Model& model, const Tokenizer& tokenizer, std::span<const Example> examples,
                                const EncodedExamples& encoded, const PredictionOptions& options);

// Whether some question has no answer, as in SQuAD 2.0.
bool may_have_none(std::span<const Example> examples);

// The mean loss of a term; 0 without any.
double mean_loss(std::span<const Prediction> predictions);

}  // namespace roformer
