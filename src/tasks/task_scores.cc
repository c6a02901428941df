#include "tasks/task_scores.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "base/utf8.h"
#include "metrics/answers.h"
#include "metrics/classification.h"
#include "metrics/entities.h"
#include "metrics/multilabel.h"
#include "metrics/regression.h"
#include "tasks/task_inputs.h"
#include "text/bert_unicode.h"

namespace roformer {

namespace {

MetricSet of_choices(std::span<const int32_t> gold, std::span<const int32_t> predicted) {
  std::vector<double> right(gold.size());
  for (size_t i = 0; i < gold.size(); ++i) right[i] = gold[i] == predicted[i] ? 1 : 0;
  return mean_metrics({"accuracy"}, {std::move(right)});
}

MetricSet of_labels(const LabelNames& labels, std::span<const Example> examples,
                    std::span<const Prediction> predictions) {
  std::vector<int32_t> gold, predicted;
  int32_t classes = labels.size();
  for (size_t i = 0; i < examples.size(); ++i) {
    int32_t label = examples[i].labels.empty() ? -1 : labels.find(examples[i].labels.front());
    if (label < 0) {  // one more class, which is never predicted
      label = labels.size();
      classes = label + 1;
    }
    gold.push_back(label);
    predicted.push_back(predicted_index(predictions[i].outputs.front()));
  }
  return classification_metrics(gold, predicted, classes, classes == 2 ? std::optional<int32_t>(1) : std::nullopt);
}

MetricSet of_label_sets(const LabelNames& labels, std::span<const Example> examples,
                        std::span<const Prediction> predictions) {
  LabelSets gold{.labels = labels.size() + 1, .has = {}}, predicted = gold;  // the last one stands for all unknown ones
  for (size_t i = 0; i < examples.size(); ++i) {
    std::vector<uint8_t> has(static_cast<size_t>(gold.labels), 0);
    for (const std::string& label : examples[i].labels) {
      const int32_t id = labels.find(label);
      has[static_cast<size_t>(id < 0 ? labels.size() : id)] = 1;
    }
    gold.has.insert(gold.has.end(), has.begin(), has.end());
    for (const std::vector<double>& output : predictions[i].outputs) {
      predicted.has.push_back(is_predicted(output.front()) ? 1 : 0);
    }
    predicted.has.push_back(0);
  }
  const auto columns = static_cast<size_t>(gold.labels);
  bool unknown = false;
  for (size_t i = columns - 1; i < gold.has.size(); i += columns) unknown = unknown || gold.has[i] != 0;
  if (unknown) return multilabel_metrics(gold, predicted);
  const auto without_last = [&](LabelSets& sets) {
    std::vector<uint8_t> kept;
    for (size_t i = 0; i < sets.has.size(); ++i) {
      if (i % columns != columns - 1) kept.push_back(sets.has[i]);
    }
    sets = {.labels = sets.labels - 1, .has = std::move(kept)};
  };
  without_last(gold);
  without_last(predicted);
  return multilabel_metrics(gold, predicted);
}

MetricSet of_numbers(std::span<const Example> examples, std::span<const Prediction> predictions) {
  std::vector<double> gold, predicted;
  for (size_t i = 0; i < examples.size(); ++i) {
    gold.push_back(examples[i].value);
    predicted.push_back(predictions[i].outputs.front().front());
  }
  return regression_metrics(gold, predicted);
}

MetricSet of_ranks(std::span<const Prediction> predictions) {
  std::vector<double> right, reciprocal;
  for (const Prediction& prediction : predictions) {
    const double rank = prediction.outputs.front().front();
    right.push_back(rank == 1 ? 1 : 0);
    reciprocal.push_back(1 / rank);
  }
  return mean_metrics({"accuracy", "mrr"}, {std::move(right), std::move(reciprocal)});
}

MetricSet of_tags(const LabelNames& labels, std::span<const Example> examples,
                  std::span<const Prediction> predictions) {
  std::vector<Tags> gold, predicted;
  for (size_t i = 0; i < examples.size(); ++i) {
    gold.push_back(examples[i].labels);
    Tags& tags = predicted.emplace_back();
    for (const std::vector<double>& output : predictions[i].outputs) {
      tags.push_back(labels.names()[static_cast<size_t>(predicted_index(output))]);
    }
  }
  return entity_metrics(gold, predicted);
}

MetricSet of_kind(const Task& task, const LabelNames& labels, std::span<const Example> examples,
                  std::span<const Prediction> predictions) {
  std::vector<int32_t> gold, predicted;
  switch (task.kind) {
    case TaskKind::classification: return of_labels(labels, examples, predictions);
    case TaskKind::multilabel: return of_label_sets(labels, examples, predictions);
    case TaskKind::regression:
    case TaskKind::pair_similarity: return of_numbers(examples, predictions);
    case TaskKind::contrastive: return of_ranks(predictions);
    case TaskKind::token_classification: return of_tags(labels, examples, predictions);
    case TaskKind::question_answering: return answer_metrics(answer_scores(task, examples, predictions));
    case TaskKind::multiple_choice:
      for (size_t i = 0; i < examples.size(); ++i) {
        gold.push_back(static_cast<int32_t>(examples[i].choice));
        predicted.push_back(predicted_index(predictions[i].outputs.front()));
      }
      return of_choices(gold, predicted);
    default:
      for (size_t i = 0; i < examples.size(); ++i) {
        gold.push_back(static_cast<int32_t>(examples[i].choice));
        predicted.push_back(predicted_side(predictions[i]));
      }
      return of_choices(gold, predicted);
  }
}

}  // namespace

std::vector<AnswerScore> answer_scores(const Task& task, std::span<const Example> examples,
                                       std::span<const Prediction> predictions) {
  int64_t ideographic = 0, answers = 0;
  for (const Example& example : examples) {
    if (example.answers.empty()) continue;
    const std::string& text = example.answers.front().text;
    bool found = false;
    for (size_t i = 0; i < text.size() && !found;) {
      const CodePoint point = decode_utf8(text.data() + i);
      found = bert::is_cjk_ideograph(point.value);
      i += static_cast<size_t>(point.length);
    }
    ++answers;
    ideographic += found ? 1 : 0;
  }
  const bool by_characters = task.language == "zh" || (task.language.empty() && 2 * ideographic > answers);
  std::vector<AnswerScore> scores;
  for (size_t i = 0; i < examples.size(); ++i) {
    std::vector<std::string> right;
    for (const AnswerSpan& answer : examples[i].answers) right.push_back(answer.text);
    const std::string& answer = predictions[i].answer.text;
    scores.push_back(by_characters ? cmrc_score(answer, right) : squad_score(answer, right));
  }
  return scores;
}

MetricSet task_metrics(const Task& task, const std::vector<std::string>& labels, std::span<const Example> examples,
                       std::span<const Prediction> predictions) {
  if (examples.size() != predictions.size()) {
    throw ShapeError("{} predictions of {} examples", predictions.size(), examples.size());
  }
  MetricSet set = of_kind(task, LabelNames(labels), examples, predictions);
  // The task's metrics first.
  std::vector<size_t> order(set.names.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, {}, [&](size_t metric) {
    return std::ranges::find(task.metrics, set.names[metric]) - task.metrics.begin();
  });
  // Similarities need not have the range of scores, only their order.
  if (task.kind == TaskKind::pair_similarity) {
    const std::vector<std::string> errors = {"mse", "mae", "r2"};
    std::erase_if(order, [&](size_t metric) { return std::ranges::find(errors, set.names[metric]) != errors.end(); });
  }
  MetricSet result{.examples = set.examples, .names = {}, .values = {}};
  for (const size_t metric : order) result.names.push_back(set.names[metric]);
  result.values = [order, values = std::move(set.values)](std::span<const int32_t> times) {
    const std::vector<double> in_set = values(times);
    std::vector<double> sorted;
    for (const size_t metric : order) sorted.push_back(in_set[metric]);
    return sorted;
  };
  return result;
}

std::vector<uint8_t> right_examples(const Task& task, const std::vector<std::string>& labels,
                                    std::span<const Example> examples, std::span<const Prediction> predictions) {
  const LabelNames names(labels);
  const auto label_set = [&](const Example& example) {
    std::vector<uint8_t> has(labels.size() + 1, 0);  // the last one stands for all unknown ones
    for (const std::string& label : example.labels) {
      const int32_t id = names.find(label);
      has[id < 0 ? labels.size() : static_cast<size_t>(id)] = 1;
    }
    return has;
  };
  std::vector<uint8_t> right;
  if (task.kind == TaskKind::question_answering) {
    for (const AnswerScore& score : answer_scores(task, examples, predictions)) right.push_back(score.exact_match == 1);
    return right;
  }
  for (size_t i = 0; i < examples.size(); ++i) {
    const Example& example = examples[i];
    const auto& outputs = predictions[i].outputs;
    switch (task.kind) {
      case TaskKind::classification:
        right.push_back(!example.labels.empty() &&
                        names.find(example.labels.front()) == predicted_index(outputs.front()));
        break;
      case TaskKind::multilabel: {
        std::vector<uint8_t> predicted;
        for (const auto& output : outputs) predicted.push_back(is_predicted(output.front()));
        predicted.push_back(0);
        right.push_back(predicted == label_set(example));
        break;
      }
      case TaskKind::multiple_choice: right.push_back(example.choice == predicted_index(outputs.front())); break;
      case TaskKind::triplet: right.push_back(example.choice == predicted_side(predictions[i])); break;
      case TaskKind::contrastive: right.push_back(outputs.front().front() == 1); break;
      default: return {};
    }
  }
  return right;
}

bool higher_is_better(const std::string& metric) { return metric != "loss" && metric != "mse" && metric != "mae"; }

std::vector<std::pair<std::string, double>> named_values(const MetricSet& metrics) {
  const std::vector<double> values = metrics.once();
  std::vector<std::pair<std::string, double>> named;
  for (size_t i = 0; i < values.size(); ++i) named.emplace_back(metrics.names[i], values[i]);
  return named;
}

int32_t predicted_index(const std::vector<double>& output) {
  return static_cast<int32_t>(std::ranges::max_element(output) - output.begin());
}

int32_t predicted_side(const Prediction& prediction) {
  return prediction.outputs[0].front() > prediction.outputs[1].front() ? 0 : 1;
}

bool is_predicted(double probability) {
  constexpr double kMostLikely = 0.5;
  return probability > kMostLikely;
}

}  // namespace roformer
