// What a person should see of a model on labeled examples, as sections of a page: scores with intervals, what is
// confused with what, whether probabilities can be believed, and the errors worth reading.
#pragma once

#include <string>

#include "metrics/score_table.h"
#include "report/html_page.h"
#include "tasks/saved_predictions.h"

namespace roformer {

struct TaskResult {
  const Task* task = nullptr;
  ScoreTable scores{};
  PredictedExamples predicted{};
};

// Whether a directory has what a finished fine-tuning, or a grid of them, says of its validation examples.
bool has_task_result(const std::string& directory);
// FileError or DataError for files that are missing or damaged.
TaskResult read_task_result(const std::string& directory);

void add_task_result(HtmlPage& page, const TaskResult& result);

// The page of one training: its result, then its curves and settings. Written atomically.
void write_task_report(const std::string& directory, const std::string& path, const TaskResult& result);

}  // namespace roformer
