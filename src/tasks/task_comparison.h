// Two models on the same labeled examples: the difference of each metric, and whether it may be chance.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "metrics/bootstrap.h"
#include "metrics/mcnemar.h"
#include "tasks/saved_predictions.h"

namespace roformer {

struct TaskComparison {
  std::string task;
  int64_t examples = 0;
  std::vector<MetricDifference> differences = {};  // second - first, paired bootstrap over examples
  std::optional<McNemarTest> right = {};  // of examples right as a whole (right_examples); none for tags and numbers
};

// Both have the same examples in the same order: DataError naming the first that is another.
TaskComparison compare_predictions(const Task& task, const PredictedExamples& first, const PredictedExamples& second,
                                   ThreadPool& pool);

// {"task", "n", "models": [A, B], "metrics": {name: [of A, of B]}, "difference": {…}, "interval95": {…}, "p": {…},
// "mcnemar": {"b", "c", "n", "p"}}; b examples are right by A alone, c by B alone.
Json comparison_json(const TaskComparison& comparison, const std::vector<std::string>& models);

}  // namespace roformer
