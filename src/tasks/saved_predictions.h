// Predictions with their examples, in memory or as a finished fine-tuning leaves them (predictions.jsonl).
#pragma once

#include <span>
#include <string>
#include <vector>

#include "data/labeled/tasks.h"
#include "tasks/predictions.h"

namespace roformer {

struct PredictedExamples {
  std::vector<std::string> labels = {};  // of the outputs, in their order
  std::vector<Example> examples = {};
  std::vector<Prediction> predictions = {};  // one each; from a file without their loss, and of tags the best one only

  void append(PredictedExamples more);  // of the same labels
};

// A JSON object a line: id, line, texts, the right and the predicted label, and the probabilities.
void write_predictions(const std::string& path, const Task& task, const std::vector<std::string>& labels,
                       std::span<const Example> examples, std::span<const Prediction> predictions);

// Reads what write_predictions() wrote. `labels` are those of the model, or of several: the outputs
// of labels that the file lacks are 0. DataError, with its line, for what is no prediction of this task.
PredictedExamples read_predictions(const Task& task, const std::string& path, const std::vector<std::string>& labels);

}  // namespace roformer
