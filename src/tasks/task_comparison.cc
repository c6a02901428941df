#include "tasks/task_comparison.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "metrics/score_table.h"
#include "tasks/task_scores.h"

namespace roformer {

TaskComparison compare_predictions(const Task& task, const PredictedExamples& first, const PredictedExamples& second,
                                   ThreadPool& pool) {
  if (first.examples.size() != second.examples.size()) {
    throw DataError("predictions of {} and of {} examples, expected the same ones", first.examples.size(),
                    second.examples.size());
  }
  for (size_t i = 0; i < first.examples.size(); ++i) {
    if (first.examples[i].texts != second.examples[i].texts) {
      throw DataError("example {} of the two is not the same one: {} and {}", i + 1,
                      quote(first.examples[i].texts.empty() ? "" : first.examples[i].texts[0], 40),
                      quote(second.examples[i].texts.empty() ? "" : second.examples[i].texts[0], 40));
    }
  }
  const auto metrics = [&](const PredictedExamples& of) {
    return task_metrics(task, of.labels, of.examples, of.predictions);
  };
  TaskComparison result{.task = task.name, .examples = std::ssize(first.examples)};
  result.differences = bootstrap_differences(metrics(first), metrics(second), {}, pool);
  const auto right = [&](const PredictedExamples& of) {
    return right_examples(task, of.labels, of.examples, of.predictions);
  };
  const std::vector<uint8_t> by_first = right(first), by_second = right(second);
  if (!by_first.empty()) result.right = mcnemar_test(by_first, by_second);
  return result;
}

Json comparison_json(const TaskComparison& comparison, const std::vector<std::string>& models) {
  Json json = difference_json(comparison.differences);
  json.update({{"task", comparison.task}, {"n", comparison.examples}, {"models", models}});
  if (comparison.right) {
    json["mcnemar"] = {{"b", comparison.right->only_first},
                       {"c", comparison.right->only_second},
                       {"n", comparison.examples},
                       {"p", comparison.right->p}};
  }
  return json;
}

}  // namespace roformer
