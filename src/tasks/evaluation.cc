#include "tasks/evaluation.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>

#include "base/error.h"
#include "base/progress.h"
#include "inference/head_scores.h"
#include "metrics/entities.h"

namespace roformer {

namespace {

// A head of sequence classification may be for another kind of task.
void require_problem(const Task& task, const ModelConfig& config) {
  if (config.head != Head::sequence_classification) return;
  const auto refuse = [&](const char* what) {
    throw DataError("the model was trained {}, which does not fit {}", what, task.name);
  };
  const bool fits = [&] {
    switch (task.kind) {
      case TaskKind::regression: return config.problem == Problem::regression || config.problem == Problem::score;
      case TaskKind::triplet: return config.problem == Problem::score;
      case TaskKind::multilabel: return config.problem == Problem::multi_label || config.problem == Problem::score;
      default: return config.problem == Problem::single_label;
    }
  }();
  if (fits) return;
  switch (config.problem) {
    case Problem::regression: return refuse("to give a number (regression)");
    case Problem::single_label: return refuse("to choose one of several labels (classification)");
    case Problem::multi_label: return refuse("to give any number of labels (multilabel)");
    case Problem::score: return refuse("to give one score");
  }
}

// Tags without the beginning of their entity.
void note_repaired(const std::vector<std::string>& labels, std::span<const Example> examples,
                   std::span<const Prediction> predictions, const std::string& file,
                   const std::function<void(const std::string&)>& warned) {
  int64_t gold = 0, predicted = 0;
  for (size_t i = 0; i < examples.size(); ++i) {
    gold += count_repaired_tags(examples[i].labels);
    Tags tags;
    for (const auto& output : predictions[i].outputs)
      tags.push_back(labels[static_cast<size_t>(predicted_index(output))]);
    predicted += count_repaired_tags(tags);
  }
  const auto note = [&](int64_t count, const std::string& whose) {
    if (count > 0)
      warned(fmt::format("{}: {} {} inside an entity that has not begun, taken as its beginning", file,
                         counted(count, whose), count == 1 ? "is" : "are"));
  };
  note(gold, "tag");
  note(predicted, "predicted tag");
}

}  // namespace

std::vector<std::string> encoding_notices(const EncodedExamples& encoded, const std::string& file) {
  std::vector<std::string> notices;
  const auto note = [&](int64_t count, const char* one, const char* what) {
    if (count > 0) notices.push_back(fmt::format("{}: {} {}", file, counted(count, one), what));
  };
  note(encoded.cut, "example", "longer than the maximum length and cut");
  note(encoded.unanswered, "question", "whose answer is not in the context");
  return notices;
}

std::string unknown_label_notice(const LabelNames& labels, std::span<const Example> examples) {
  std::vector<std::string> unknown;
  int64_t count = 0;
  for (const Example& example : examples) {
    for (const std::string& label : example.labels) {
      if (labels.find(label) >= 0) continue;
      ++count;
      if (std::ranges::find(unknown, label) == unknown.end()) unknown.push_back(label);
    }
  }
  if (unknown.empty()) return "";
  constexpr size_t kShown = 5;
  const bool more = unknown.size() > kShown;
  if (more) unknown.resize(kShown);
  return fmt::format("{} that the model does not have {} as wrong: {}{}", counted(count, "label"),
                     count == 1 ? "counts" : "count", fmt::join(unknown, ", "), more ? ", …" : "");
}

void check_metric(const std::string& metric, const Task& task, const std::vector<std::string>& labels,
                  std::span<const Example> examples, std::span<const Prediction> predictions) {
  std::vector<std::string> names = {"loss"};
  std::ranges::copy(task_metrics(task, labels, examples, predictions).names, std::back_inserter(names));
  if (std::ranges::find(names, metric) != names.end()) return;
  throw UsageError("{} is {}, expected one of {}", FieldName("metric"), quote(metric), fmt::join(names, ", "));
}

TaskEvaluation evaluate_task(const Task& task, const Model& model, const Tokenizer& tokenizer,
                             std::span<const Example> examples, const std::string& file,
                             const EvaluationOptions& options, const std::function<void(const std::string&)>& warned) {
  require_head(model, head_of(task.kind));
  require_problem(task, model.config());
  const TaskInputs inputs(task.kind, model.config(), tokenizer, options.inputs);
  const EncodedExamples encoded = inputs.encode(examples, file, model.backend().pool());
  for (const std::string& notice : encoding_notices(encoded, file)) warned(notice);
  const std::string unknown = unknown_label_notice(LabelNames(model.config().labels), examples);
  if (has_labels(task.kind) && !unknown.empty()) warned(fmt::format("{}: {}", file, unknown));
  TaskEvaluation result = evaluate_encoded(task, model, tokenizer, examples, encoded, options.prediction);
  if (task.kind == TaskKind::token_classification) {
    note_repaired(model.config().labels, examples, result.predictions, file, warned);
  }
  return result;
}

TaskEvaluation evaluate_encoded(const Task& task, const Model& model, const Tokenizer& tokenizer,
                                std::span<const Example> examples, const EncodedExamples& encoded,
                                const PredictionOptions& options) {
  TaskEvaluation result;
  result.predictions = predict(model, tokenizer, examples, encoded, options);
  result.loss = mean_loss(result.predictions);
  result.metrics = task_metrics(task, model.config().labels, examples, result.predictions);
  return result;
}

ScoreTable scores_of(const MetricSet& metrics, ThreadPool& pool) { return score_table(metrics, {}, pool); }

}  // namespace roformer
