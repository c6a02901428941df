// Compares two models on the same labeled examples.
#include <fmt/format.h>

#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/progress.h"
#include "base/signal.h"
#include "cli/aligned.h"
#include "cli/evaluate.h"
#include "tasks/task_comparison.h"
#include "tasks/task_report.h"

namespace roformer {
namespace {

std::string number_text(double value, const char* sign = "") {
  if (!std::isfinite(value)) return "undefined";
  return *sign == '+' ? fmt::format("{:+.4f}", value) : fmt::format("{:.4f}", value);
}

std::string comparison_text(const TaskComparison& comparison, const std::vector<std::string>& models) {
  std::string text = fmt::format("{}; A = {}, B = {}\n", counted(comparison.examples, "example"), models[0], models[1]);
  std::vector<std::vector<std::string>> rows = {{"", "A", "B", "B - A", "95 % interval", "p"}};
  for (const MetricDifference& one : comparison.differences) {
    rows.push_back({one.name, number_text(one.first), number_text(one.second), number_text(one.second - one.first, "+"),
                    one.interval ? fmt::format("{:+.4f} to {:+.4f}", (*one.interval)[0], (*one.interval)[1]) : "–",
                    one.p ? fmt::format("{:.3g}", *one.p) : "–"});
  }
  text += aligned(rows);
  if (comparison.right) {
    text += fmt::format("McNemar's test: {} right by A alone, {} by B alone, of {}; p {:.3g}\n",
                        counted(comparison.right->only_first, "example"), comparison.right->only_second,
                        comparison.examples, comparison.right->p);
  }
  return text;
}

// What fine-tunings have left of their validation examples.
PredictedExamples saved(const std::string& directory, std::string& task) {
  if (!has_task_result(directory)) {
    throw FileError("{}: has no predictions of validation examples, as a finished fine-tuning does; expected {}",
                    FilePath(directory), FieldName("data"));
  }
  TaskResult result = read_task_result(directory);
  if (task.empty()) task = result.task->name;
  if (find_task(task).name != result.task->name) {
    throw UsageError("{} has predictions of {}, expected {}", FilePath(directory), result.task->name, task);
  }
  return std::move(result.predicted);
}

}  // namespace

void compare_labeled(const EvaluateCommand& options) {
  const StopOnSignal stop;
  std::vector<PredictedExamples> both;
  std::string name = options.task;
  ThreadPool pool(1);
  if (options.text.data.empty()) {
    for (const std::string& directory : options.compared) both.push_back(saved(directory, name));
  } else {
    const Task& task = find_task(name);
    const std::vector<Example> examples = read_labeled(options, task, stop.token());
    for (const std::string& directory : options.compared) {
      const Session session(directory, {.engine = options.engine, .tokenizer = load_options(options.tokenizer)});
      print_warnings(session.notes());
      TaskEvaluation evaluation = evaluate_examples(options, task, session, examples, stop.token());
      both.push_back({.labels = session.model().config().labels,
                      .examples = examples,
                      .predictions = std::move(evaluation.predictions)});
    }
  }
  const TaskComparison comparison = compare_predictions(find_task(name), both[0], both[1], pool);
  std::cout << (options.json ? dump_json(comparison_json(comparison, options.compared)) + "\n"
                             : comparison_text(comparison, options.compared));
}

}  // namespace roformer
