#include "tasks/task_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/progress.h"
#include "metrics/entities.h"
#include "metrics/multilabel.h"
#include "models/config.h"
#include "report/classification_section.h"
#include "report/svg_parts.h"
#include "report/svg_reliability.h"
#include "report/svg_scatter.h"
#include "tasks/task_inputs.h"
#include "tasks/task_scores.h"
#include "training/run_report.h"

namespace roformer {

namespace {

constexpr const char* kEvaluation = "evaluation.json";
constexpr const char* kPredictions = "predictions.jsonl";
constexpr const char* kOther = "(not in training)";  // stands for all labels that the model does not know
constexpr size_t kRows = 50;
constexpr int64_t kCharacters = 400;

std::string example_name(const Example& example) {
  return example.id.empty() ? fmt::format("line {}", example.line) : example.id;
}

std::string list_text(const std::vector<std::string>& names) {
  return names.empty() ? "–" : fmt::format("{}", fmt::join(names, ", "));
}

std::vector<std::string> score_row(const std::string& name, const PrecisionRecall& score) {
  return {name, fmt::format("{:.3f}", score.precision), fmt::format("{:.3f}", score.recall),
          fmt::format("{:.3f}", score.f1), fmt::format("{}", score.support)};
}

void add_reliability(HtmlPage& page, std::vector<double> confidences, const std::vector<uint8_t>& right,
                     const std::string& of) {
  // A sum of rounded probabilities may be a little above 1.
  for (double& confidence : confidences) confidence = std::clamp(confidence, 0.0, 1.0);
  page.figure(svg_reliability(reliability_bins(confidences, right), "Reliability of " + of), kReliabilityCaption);
}

void add_errors(HtmlPage& page, std::vector<WrongPrediction> errors) {
  if (errors.empty()) return;
  page.heading("Errors to read");
  page.table(error_table(std::move(errors)));
}

void add_labels(HtmlPage& page, const TaskResult& result) {
  const auto& [names, examples, predictions] = result.predicted;
  const LabelNames known(names);
  ClassificationResult shown{.scores = result.scores, .labels = names, .matrix = {}, .bins = {}, .errors = {}};
  std::vector<int32_t> gold, predicted;
  std::vector<double> confidences;
  std::vector<uint8_t> right;
  for (size_t i = 0; i < examples.size(); ++i) {
    const std::vector<double>& output = predictions[i].outputs.front();
    int32_t label = examples[i].labels.empty() ? -1 : known.find(examples[i].labels.front());
    if (label < 0) label = known.size();
    gold.push_back(label);
    predicted.push_back(predicted_index(output));
    const auto best = static_cast<size_t>(predicted.back());
    confidences.push_back(std::clamp(output[best], 0.0, 1.0));
    right.push_back(gold.back() == predicted.back() ? 1 : 0);
    if (right.back() != 0) continue;
    shown.errors.push_back({.example = example_name(examples[i]),
                            .probability = output[best],
                            .gold = examples[i].labels.empty() ? "–" : examples[i].labels.front(),
                            .predicted = names[best],
                            .texts = examples[i].texts});
  }
  if (std::ranges::find(gold, known.size()) != gold.end()) shown.labels.emplace_back(kOther);
  shown.matrix = confusion_matrix(gold, predicted, std::ssize(shown.labels));
  shown.bins = reliability_bins(confidences, right);
  add_classification(page, shown);
}

// Each label by itself; the error of an example is its most confident wrong decision.
void add_label_sets(HtmlPage& page, const TaskResult& result) {
  const auto& [names, examples, predictions] = result.predicted;
  const LabelNames known(names);
  std::vector<int64_t> matched(names.size()), said(names.size()), gold(names.size());
  std::vector<double> confidences;
  std::vector<uint8_t> right;
  std::vector<WrongPrediction> errors;
  for (size_t i = 0; i < examples.size(); ++i) {
    std::vector<uint8_t> has(names.size(), 0);
    double worst = 0;
    for (const std::string& label : examples[i].labels) {
      const int32_t id = known.find(label);
      if (id >= 0) has[static_cast<size_t>(id)] = 1;
      if (id < 0) worst = 1;
    }
    std::vector<std::string> predicted;
    for (size_t label = 0; label < names.size(); ++label) {
      const double probability = predictions[i].outputs[label].front();
      const bool yes = is_predicted(probability);
      if (yes) predicted.push_back(names[label]);
      gold[label] += has[label];
      said[label] += yes ? 1 : 0;
      matched[label] += yes && has[label] != 0 ? 1 : 0;
      confidences.push_back(yes ? probability : 1 - probability);
      right.push_back(yes == (has[label] != 0) ? 1 : 0);
      if (right.back() == 0) worst = std::max(worst, confidences.back());
    }
    if (worst == 0) continue;
    errors.push_back({.example = example_name(examples[i]),
                      .probability = worst,
                      .gold = list_text(examples[i].labels),
                      .predicted = list_text(predicted),
                      .texts = examples[i].texts});
  }
  page.table(scores_table(result.scores));
  add_reliability(page, std::move(confidences), right, "single decisions");
  HtmlTable table{.caption = "Labels", .columns = {"label", "precision", "recall", "F1", "gold examples"}, .rows = {}};
  for (size_t label = 0; label < names.size(); ++label) {
    table.rows.push_back(score_row(names[label], precision_recall(matched[label], said[label], gold[label])));
  }
  page.table(table);
  add_errors(page, std::move(errors));
}

void add_numbers(HtmlPage& page, const TaskResult& result) {
  const auto& [names, examples, predictions] = result.predicted;
  std::vector<PlotPoint> points;
  for (size_t i = 0; i < examples.size(); ++i) {
    points.push_back({examples[i].value, predictions[i].outputs.front().front()});
  }
  page.table(scores_table(result.scores));
  page.figure(svg_scatter(points,
                          fmt::format("Predicted and right values of {}", counted(std::ssize(points), "example")),
                          "right value", "predicted value"));
  std::vector<size_t> order(points.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, std::greater{}, [&](size_t i) { return std::abs(points[i].y - points[i].x); });
  order.resize(std::min(order.size(), kRows));
  HtmlTable table{.caption = fmt::format("The {} predictions that are furthest off", order.size()),
                  .columns = {"example", "predicted", "right", "text", "second text"},
                  .rows = {},
                  .prose = true};
  const bool pairs = std::ranges::any_of(examples, [](const Example& example) { return example.texts.size() > 1; });
  if (!pairs) table.columns.pop_back();
  for (const size_t i : order) {
    table.rows.push_back(
        {example_name(examples[i]), fmt::format("{:.3f}", points[i].y), fmt::format("{:g}", points[i].x)});
    for (const std::string& text : examples[i].texts) table.rows.back().push_back(shortened(text, kCharacters));
    table.rows.back().resize(table.columns.size());
  }
  page.heading("Errors to read");
  page.table(table);
}

std::string spans_text(const std::vector<EntitySpan>& spans, const std::vector<EntitySpan>& others,
                       const std::vector<std::string>& tokens) {
  std::vector<std::string> texts;
  for (const EntitySpan& span : spans) {
    if (std::ranges::find(others, span) != others.end()) continue;
    texts.push_back(
        fmt::format("{} ({})", fmt::join(tokens.begin() + span.begin, tokens.begin() + span.end, " "), span.type));
  }
  return list_text(texts);
}

void add_tags(HtmlPage& page, const TaskResult& result) {
  const auto& [names, examples, predictions] = result.predicted;
  const LabelNames known(names);
  std::vector<Tags> gold, predicted;
  std::vector<double> confidences;
  std::vector<uint8_t> right;
  std::vector<WrongPrediction> errors;
  for (size_t i = 0; i < examples.size(); ++i) {
    const Example& example = examples[i];
    gold.push_back(example.labels);
    Tags& tags = predicted.emplace_back();
    double worst = 0;
    for (size_t token = 0; token < example.labels.size(); ++token) {
      const std::vector<double>& output = predictions[i].outputs[token];
      const int32_t best = predicted_index(output);
      tags.push_back(names[static_cast<size_t>(best)]);
      confidences.push_back(output[static_cast<size_t>(best)]);
      right.push_back(known.find(example.labels[token]) == best ? 1 : 0);
      if (right.back() == 0) worst = std::max(worst, confidences.back());
    }
    const std::vector<EntitySpan> there = entity_spans(gold.back()), found = entity_spans(tags);
    if (there == found) continue;
    errors.push_back({.example = example_name(example),
                      .probability = worst,
                      .gold = spans_text(there, found, example.texts),
                      .predicted = spans_text(found, there, example.texts),
                      .texts = {fmt::format("{}", fmt::join(example.texts, " "))}});
  }
  const EntityScore score = entity_score(gold, predicted);
  page.table(scores_table(result.scores));
  HtmlTable table{.caption = "Entities", .columns = {"type", "precision", "recall", "F1", "gold entities"}, .rows = {}};
  for (const auto& [type, of_type] : score.types) table.rows.push_back(score_row(type, of_type));
  table.rows.push_back(score_row("all", score.all));
  page.table(table);
  if (score.repaired > 0) {
    page.paragraph(fmt::format("{} that no entity begins before were predicted, and taken as a beginning.",
                               counted(score.repaired, "tag")));
  }
  add_reliability(page, std::move(confidences), right, "tags");
  if (errors.empty()) return;
  page.heading("Errors to read");
  page.paragraph(
      "Sentences with a wrong entity: what was predicted and is not there, and what is there (gold) and was not found. "
      "The probability is that of the most confident wrong tag.");
  page.table(error_table(std::move(errors)));
}

void add_answers(HtmlPage& page, const TaskResult& result) {
  const auto& [names, examples, predictions] = result.predicted;
  const std::vector<AnswerScore> scores = answer_scores(*result.task, examples, predictions);
  int64_t exact = 0, partly = 0;
  for (const AnswerScore& score : scores) {
    exact += score.exact_match == 1 ? 1 : 0;
    partly += score.exact_match < 1 && score.f1 > 0 ? 1 : 0;
  }
  page.table(scores_table(result.scores));
  page.paragraph(fmt::format("Of {}, {} are answered exactly, {} partly, {} wrongly.",
                             counted(std::ssize(scores), "question"), exact, partly,
                             std::ssize(scores) - exact - partly));
  std::vector<size_t> order;
  for (size_t i = 0; i < scores.size(); ++i) {
    if (scores[i].exact_match < 1) order.push_back(i);
  }
  if (order.empty()) return;
  const size_t all = order.size();
  std::ranges::stable_sort(order, [&](size_t a, size_t b) {
    if (scores[a].f1 != scores[b].f1) return scores[a].f1 < scores[b].f1;
    return predictions[a].answer.score > predictions[b].answer.score;
  });
  order.resize(std::min(order.size(), kRows));
  HtmlTable table{.caption = order.size() < all
                                 ? fmt::format("The {} worst of {} answers that are not exact", order.size(), all)
                                 : fmt::format("All {} answers that are not exact, the worst first", all),
                  .columns = {"example", "F1", "score", "question", "predicted", "right answers", "context"},
                  .rows = {},
                  .prose = true};
  for (const size_t i : order) {
    std::vector<std::string> right;
    for (const AnswerSpan& answer : examples[i].answers) {
      if (std::ranges::find(right, answer.text) == right.end()) right.push_back(answer.text);
    }
    const std::string& predicted = predictions[i].answer.text;
    table.rows.push_back({example_name(examples[i]), fmt::format("{:.3f}", scores[i].f1),
                          fmt::format("{:.3f}", predictions[i].answer.score),
                          shortened(examples[i].texts[0], kCharacters), predicted.empty() ? "–" : predicted,
                          list_text(right), shortened(examples[i].texts[1], kCharacters)});
  }
  page.heading("Errors to read");
  page.table(table);
}

void add_choices(HtmlPage& page, const TaskResult& result) {
  const auto& [names, examples, predictions] = result.predicted;
  const std::vector<uint8_t> right = right_examples(*result.task, names, examples, predictions);
  std::vector<double> confidences;
  std::vector<WrongPrediction> errors;
  for (size_t i = 0; i < examples.size(); ++i) {
    const std::vector<double>& output = predictions[i].outputs.front();
    const auto predicted = static_cast<size_t>(predicted_index(output)), gold = static_cast<size_t>(examples[i].choice);
    confidences.push_back(output[predicted]);
    if (right[i] != 0) continue;
    const std::vector<std::string>& texts = examples[i].texts;
    errors.push_back({.example = example_name(examples[i]),
                      .probability = output[predicted],
                      .gold = gold + 1 < texts.size() ? texts[gold + 1] : "–",
                      .predicted = texts[predicted + 1],
                      .texts = {texts[0]}});
  }
  page.table(scores_table(result.scores));
  add_reliability(page, std::move(confidences), right, "choices");
  add_errors(page, std::move(errors));
}

void add_triplets(HtmlPage& page, const TaskResult& result) {
  const auto& [names, examples, predictions] = result.predicted;
  const std::vector<uint8_t> right = right_examples(*result.task, names, examples, predictions);
  std::vector<std::pair<double, size_t>> wrong;  // margin
  for (size_t i = 0; i < examples.size(); ++i) {
    const auto& outputs = predictions[i].outputs;
    if (right[i] == 0) wrong.emplace_back(std::abs(outputs[0].front() - outputs[1].front()), i);
  }
  page.table(scores_table(result.scores));
  if (wrong.empty()) return;
  std::ranges::stable_sort(wrong, std::greater{}, &std::pair<double, size_t>::first);
  const size_t all = wrong.size();
  wrong.resize(std::min(all, kRows));
  HtmlTable table{.caption = fmt::format("{} of {} errors, the largest differences first", wrong.size(), all),
                  .columns = {"example", "similarity of A, B", "of A, C", "more similar", "A", "B", "C"},
                  .rows = {},
                  .prose = true};
  for (const auto& [margin, i] : wrong) {
    const auto& outputs = predictions[i].outputs;
    table.rows.push_back({example_name(examples[i]), fmt::format("{:.3f}", outputs[0].front()),
                          fmt::format("{:.3f}", outputs[1].front()), examples[i].choice == 0 ? "B" : "C"});
    for (const std::string& text : examples[i].texts) table.rows.back().push_back(shortened(text, kCharacters));
    table.rows.back().resize(table.columns.size());
  }
  page.heading("Errors to read");
  page.table(table);
}

}  // namespace

bool has_task_result(const std::string& directory) {
  return exists(join_path(directory, kEvaluation)) && exists(join_path(directory, kPredictions));
}

TaskResult read_task_result(const std::string& directory) {
  const JsonObject evaluation = JsonObject::read(join_path(directory, kEvaluation));
  TaskResult result;
  result.task = &find_task(evaluation.get_string("task", std::nullopt));
  result.scores = read_scores(evaluation);
  std::ranges::stable_sort(result.scores.scores, {}, [&](const Score& score) {
    return std::ranges::find(result.task->metrics, score.name) - result.task->metrics.begin();
  });
  const ModelConfig config = read_config(join_path(directory, "config.json"));
  result.predicted = read_predictions(*result.task, join_path(directory, kPredictions), config.labels);
  return result;
}

void add_task_result(HtmlPage& page, const TaskResult& result) {
  switch (result.task->kind) {
    case TaskKind::classification: return add_labels(page, result);
    case TaskKind::multilabel: return add_label_sets(page, result);
    case TaskKind::token_classification: return add_tags(page, result);
    case TaskKind::question_answering: return add_answers(page, result);
    case TaskKind::multiple_choice: return add_choices(page, result);
    case TaskKind::triplet: return add_triplets(page, result);
    case TaskKind::regression:
    case TaskKind::pair_similarity: return add_numbers(page, result);
    case TaskKind::contrastive: return page.table(scores_table(result.scores));
  }
}

void write_task_report(const std::string& directory, const std::string& path, const TaskResult& result) {
  std::error_code ignored;
  const std::string name = short_name(std::filesystem::absolute(directory, ignored).lexically_normal().string());
  HtmlPage page(fmt::format("{}: {}", name, result.task->name));
  page.paragraph(fmt::format("Task {} ({}). Scores are those of the published weights on {}.", result.task->name,
                             result.task->title, counted(result.scores.examples, "validation example")));
  add_task_result(page, result);
  page.heading("Training");
  add_runs(page, {{name, {directory}}}, {.loss_unit = "loss"});
  write_file_atomically(path, page.finish());
}

}  // namespace roformer
