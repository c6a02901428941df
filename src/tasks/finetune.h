// Fine-tuning: a model and labeled files → a model with a head, in a training directory (training/run_directory.h) that
// also has evaluation.json and predictions.jsonl of the validation examples (tasks/evaluation.h).
#pragma once

#include <optional>

#include "backend/backend.h"
#include "tasks/evaluation.h"
#include "tasks/finetune_options.h"

namespace roformer {

struct FinetuneResult {
  bool already_finished = false;
  TrainingResult training;
  std::optional<ScoreTable> scores;  // of the published weights on the validation examples
};

// Trains, or resumes, and publishes the weights of the best validation. UsageError for settings that do not fit
// together, the model or the task; errors of reading files, of find_model and of train().
FinetuneResult finetune(const FinetuneOptions& options, Backend& backend);

}  // namespace roformer
