#include "report/classification_section.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "report/svg_confusion.h"
#include "report/svg_parts.h"
#include "report/svg_reliability.h"

namespace roformer {

const char* const kReliabilityCaption =
    "Bars: how often predictions of this confidence are right. Marks: how often they should be, their mean "
    "confidence. Below: how many there are.";

HtmlTable scores_table(const ScoreTable& scores) {
  HtmlTable table{.caption = fmt::format("Scores of {} examples, with 95 % bootstrap intervals", scores.examples),
                  .columns = {"metric", "value"},
                  .rows = {}};
  for (const Score& score : scores.scores) table.rows.push_back({score.name, score_text(score)});
  return table;
}

HtmlTable error_table(std::vector<WrongPrediction> errors, int64_t rows, int64_t characters) {
  std::ranges::stable_sort(errors, std::greater{}, &WrongPrediction::probability);
  const size_t all = errors.size(), shown = std::min(all, static_cast<size_t>(rows));
  errors.resize(shown);
  HtmlTable table{.caption = shown < all ? fmt::format("The {} most confident of {} errors", shown, all)
                                         : fmt::format("All {} errors, the most confident first", all),
                  .columns = {"example", "probability", "predicted", "gold"},
                  .rows = {},
                  .prose = true};
  size_t texts = 1;
  for (const WrongPrediction& error : errors) texts = std::max(texts, error.texts.size());
  for (size_t i = 0; i < texts; ++i) table.columns.push_back(texts == 1 ? "text" : fmt::format("text {}", i + 1));
  for (const WrongPrediction& error : errors) {
    table.rows.push_back({error.example, fmt::format("{:.3f}", error.probability), error.predicted, error.gold});
    for (const std::string& text : error.texts) table.rows.back().push_back(shortened(text, characters));
    table.rows.back().resize(table.columns.size());
  }
  return table;
}

HtmlTable confused_pairs(const ConfusionMatrix& matrix, const std::vector<std::string>& labels, int64_t rows) {
  std::vector<std::pair<int64_t, int64_t>> pairs;  // gold, predicted
  for (int64_t gold = 0; gold < matrix.classes; ++gold) {
    for (int64_t predicted = 0; predicted < matrix.classes; ++predicted) {
      if (gold != predicted && matrix.at(gold, predicted) > 0) pairs.emplace_back(gold, predicted);
    }
  }
  std::ranges::stable_sort(pairs, std::greater{}, [&](const auto& pair) { return matrix.at(pair.first, pair.second); });
  pairs.resize(std::min(pairs.size(), static_cast<size_t>(rows)));
  HtmlTable table{.caption = "The most frequent confusions",
                  .columns = {"gold", "predicted", "examples", "share of the gold class"},
                  .rows = {}};
  for (const auto& [gold, predicted] : pairs) {
    const int64_t count = matrix.at(gold, predicted), support = class_score(matrix, gold).support;
    table.rows.push_back({labels.at(static_cast<size_t>(gold)), labels.at(static_cast<size_t>(predicted)),
                          fmt::format("{}", count),
                          fmt::format("{:.1f} %", 100 * static_cast<double>(count) / static_cast<double>(support))});
  }
  return table;
}

HtmlTable class_table(const ConfusionMatrix& matrix, const std::vector<std::string>& labels) {
  HtmlTable table{.caption = "Classes", .columns = {"class", "precision", "recall", "F1", "gold examples"}, .rows = {}};
  for (int64_t label = 0; label < matrix.classes; ++label) {
    const PrecisionRecall score = class_score(matrix, label);
    table.rows.push_back({labels.at(static_cast<size_t>(label)), fmt::format("{:.3f}", score.precision),
                          fmt::format("{:.3f}", score.recall), fmt::format("{:.3f}", score.f1),
                          fmt::format("{}", score.support)});
  }
  return table;
}

void add_classification(HtmlPage& page, const ClassificationResult& result) {
  page.table(scores_table(result.scores));
  page.figure(svg_confusion(result.matrix, result.labels, "Confusion matrix"));
  if (!result.bins.empty()) {
    page.figure(svg_reliability(result.bins, "Reliability"), kReliabilityCaption);
  }
  page.folded_table("Scores of each class", class_table(result.matrix, result.labels));
  const HtmlTable confused = confused_pairs(result.matrix, result.labels);
  if (!confused.rows.empty() && result.matrix.classes > 2) page.table(confused);
  if (result.errors.empty()) return;
  page.heading("Errors to read");
  page.table(error_table(result.errors));
}

}  // namespace roformer
