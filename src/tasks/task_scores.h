// What a task measures, from predictions and the labels of the file.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "data/labeled/example.h"
#include "data/labeled/tasks.h"
#include "metrics/answers.h"
#include "metrics/metric_set.h"
#include "tasks/predictions.h"

namespace roformer {

// Metrics of labeled examples (metrics/), those of the task first. `labels` are the model's; a label of the file that
// is not among them counts as one that is never predicted. Answers are compared as the task's own script does, and of a
// task without one by characters if most right answers have ideographs (CMRC 2018), else by words (SQuAD). ShapeError
// unless there is a prediction per example.
MetricSet task_metrics(const Task& task, const std::vector<std::string>& labels, std::span<const Example> examples,
                       std::span<const Prediction> predictions);

// Whether each example is right as a whole: its label, all its labels, its choice, its answer word by word. Empty for
// tags and numbers.
std::vector<uint8_t> right_examples(const Task& task, const std::vector<std::string>& labels,
                                    std::span<const Example> examples, std::span<const Prediction> predictions);

// Of question answering, each answer's.
std::vector<AnswerScore> answer_scores(const Task& task, std::span<const Example> examples,
                                       std::span<const Prediction> predictions);

// Whether a larger value of a metric is better: not of "loss" and of errors.
bool higher_is_better(const std::string& metric);

// The names of `metrics` with the values of all examples.
std::vector<std::pair<std::string, double>> named_values(const MetricSet& metrics);

// The index of the largest output of a term, the first on ties.
int32_t predicted_index(const std::vector<double>& output);
// The same of a triplet: 0 if A is predicted to be more similar to B.
int32_t predicted_side(const Prediction& prediction);
// Whether a label of a multi-label task is predicted, from its probability.
bool is_predicted(double probability);

}  // namespace roformer
