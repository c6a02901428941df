// Measures a model on labeled examples.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "metrics/score_table.h"
#include "tasks/task_scores.h"

namespace roformer {

struct TaskEvaluation {
  std::vector<Prediction> predictions;  // one per example
  double loss = 0;                      // mean of the terms with a target
  MetricSet metrics;
};

struct EvaluationOptions {
  InputOptions inputs;
  PredictionOptions prediction;
};

// `model` has the head of the task. DataError naming both if it has another; errors of TaskInputs and predict.
// `warned` is called with each count of what was cut or not understood.
TaskEvaluation evaluate_task(const Task& task, const Model& model, const Tokenizer& tokenizer,
                             std::span<const Example> examples, const std::string& file,
                             const EvaluationOptions& options, const std::function<void(const std::string&)>& warned);

// The same of examples that were encoded for the model.
TaskEvaluation evaluate_encoded(const Task& task, const Model& model, const Tokenizer& tokenizer,
                                std::span<const Example> examples, const EncodedExamples& encoded,
                                const PredictionOptions& options);

// What was cut or not understood, one sentence each.
std::vector<std::string> encoding_notices(const EncodedExamples& encoded, const std::string& file);

// What to say of labels that `labels` lacks, by name; empty where there are none.
std::string unknown_label_notice(const LabelNames& labels, std::span<const Example> examples);

// UsageError unless `metric` is "loss" or one that task_metrics() has of these examples. `predictions` may say
// anything.
void check_metric(const std::string& metric, const Task& task, const std::vector<std::string>& labels,
                  std::span<const Example> examples, std::span<const Prediction> predictions);

// Scores with 95 % intervals from a bootstrap over examples.
ScoreTable scores_of(const MetricSet& metrics, ThreadPool& pool);

}  // namespace roformer
