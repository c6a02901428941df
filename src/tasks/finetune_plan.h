// Reads the files of a fine-tuning and decides what its model will be, before anything is computed.
#pragma once

#include <string>
#include <vector>

#include "data/labeled/tasks.h"
#include "models/found_model.h"
#include "tasks/finetune_options.h"
#include "tasks/task_inputs.h"
#include "tasks/vectors/vector_recipe.h"

namespace roformer {

struct FinetunePlan {
  const Task* task = nullptr;
  FoundModel start;    // without the tensors of a head that does not fit
  ModelConfig config;  // with the task's head and labels
  std::vector<Example> training, validation;
  std::string training_hash, validation_hash;  // of the files' contents
  InputOptions inputs;
  VectorRecipe vectors;               // of tasks without a head
  std::string metric;                 // that chooses the best weights
  std::vector<std::string> warnings;  // one sentence each
};

// UsageError for settings that do not fit the task or the model; DataError for files without labels, with labels that
// the task does not have, or with a single label; errors of read_examples and find_model.
FinetunePlan make_finetune_plan(const FinetuneOptions& options);

// Weights of labels, 1 where nothing else is said: "balanced" is examples / (labels · examples with the label). A
// label's weight multiplies the loss where it is right. UsageError for kinds of tasks without labels, and unknown
// labels.
std::vector<double> label_weights(const std::vector<std::string>& settings, TaskKind kind, const LabelNames& labels,
                                  std::span<const Example> examples);

}  // namespace roformer
