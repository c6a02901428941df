#include "metrics/classification.h"

#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "base/error.h"

namespace roformer {
namespace {

// What a matrix has in its rows (gold), columns (predicted) and on its diagonal.
struct Margins {
  std::vector<int64_t> gold, predicted;
  int64_t right = 0, all = 0;
};

Margins margins_of(const ConfusionMatrix& matrix) {
  const auto classes = static_cast<size_t>(matrix.classes);
  Margins result{.gold = std::vector<int64_t>(classes), .predicted = std::vector<int64_t>(classes)};
  for (size_t row = 0; row < classes; ++row) {
    for (size_t column = 0; column < classes; ++column) {
      const int64_t count = matrix.counts[row * classes + column];
      result.gold[row] += count;
      result.predicted[column] += count;
      result.all += count;
    }
    result.right += matrix.counts[row * classes + row];
  }
  return result;
}

PrecisionRecall score_of(const ConfusionMatrix& matrix, const Margins& margins, int64_t label) {
  const auto at = static_cast<size_t>(label);
  return precision_recall(matrix.at(label, label), margins.predicted[at], margins.gold[at]);
}

// The index in the matrix that each example counts at.
std::vector<uint32_t> cells_of(std::span<const int32_t> gold, std::span<const int32_t> predicted, int64_t classes) {
  constexpr int64_t kMaxClasses = 1 << 15;
  if (gold.size() != predicted.size()) {
    throw ShapeError("{} gold labels and {} predicted ones", gold.size(), predicted.size());
  }
  if (classes < 1 || classes > kMaxClasses) throw ShapeError("a confusion matrix of {} classes", classes);
  std::vector<uint32_t> cells(gold.size());
  for (size_t i = 0; i < gold.size(); ++i) {
    for (const int32_t label : {gold[i], predicted[i]}) {
      if (label < 0 || label >= classes) throw ShapeError("label {} of example {}, {} classes", label, i, classes);
    }
    cells[i] = static_cast<uint32_t>(gold[i] * classes + predicted[i]);
  }
  return cells;
}

}  // namespace

ConfusionMatrix confusion_matrix(std::span<const int32_t> gold, std::span<const int32_t> predicted, int64_t classes) {
  const std::vector<uint32_t> cells = cells_of(gold, predicted, classes);
  ConfusionMatrix matrix{.classes = classes, .counts = std::vector<int64_t>(static_cast<size_t>(classes * classes))};
  for (const uint32_t cell : cells) ++matrix.counts[cell];
  return matrix;
}

double accuracy(const ConfusionMatrix& matrix) {
  const Margins margins = margins_of(matrix);
  return static_cast<double>(margins.right) / static_cast<double>(margins.all);
}

PrecisionRecall class_score(const ConfusionMatrix& matrix, int64_t label) {
  return score_of(matrix, margins_of(matrix), label);
}

AveragedF1 averaged_f1(const ConfusionMatrix& matrix) {
  const Margins margins = margins_of(matrix);
  double sum = 0, weighted = 0;
  int64_t occurring = 0;
  for (int64_t label = 0; label < matrix.classes; ++label) {
    const auto at = static_cast<size_t>(label);
    if (margins.gold[at] + margins.predicted[at] == 0) continue;
    const double f1 = score_of(matrix, margins, label).f1;
    ++occurring;
    sum += f1;
    weighted += f1 * static_cast<double>(margins.gold[at]);
  }
  const auto all = static_cast<double>(margins.all);
  return {.macro = sum / static_cast<double>(occurring),
          .micro = static_cast<double>(margins.right) / all,
          .weighted = weighted / all};
}

double matthews_correlation(const ConfusionMatrix& matrix) {
  const Margins margins = margins_of(matrix);
  const auto all = static_cast<double>(margins.all);
  double both = all * static_cast<double>(margins.right), gold = all * all, predicted = all * all;
  for (size_t label = 0; label < margins.gold.size(); ++label) {
    const auto g = static_cast<double>(margins.gold[label]), p = static_cast<double>(margins.predicted[label]);
    both -= g * p;
    gold -= g * g;
    predicted -= p * p;
  }
  return gold == 0 || predicted == 0 ? 0 : both / std::sqrt(gold * predicted);
}

MetricSet classification_metrics(std::span<const int32_t> gold, std::span<const int32_t> predicted, int64_t classes,
                                 std::optional<int32_t> positive) {
  std::vector<uint32_t> cells = cells_of(gold, predicted, classes);
  if (positive && (*positive < 0 || *positive >= classes)) {
    throw ShapeError("the positive class is {} of {} classes", *positive, classes);
  }
  std::vector<std::string> names = {"accuracy", "macro_f1", "weighted_f1", "matthews"};
  if (positive) names.insert(names.end(), {"precision", "recall", "f1"});
  return {
      .examples = std::ssize(cells),
      .names = std::move(names),
      .values = [cells = std::move(cells), classes, positive](std::span<const int32_t> times) {
        ConfusionMatrix matrix{.classes = classes,
                               .counts = std::vector<int64_t>(static_cast<size_t>(classes * classes))};
        for (size_t i = 0; i < cells.size(); ++i) matrix.counts[cells[i]] += times[i];
        const AveragedF1 averages = averaged_f1(matrix);
        std::vector<double> values = {averages.micro, averages.macro, averages.weighted, matthews_correlation(matrix)};
        if (positive) {
          const PrecisionRecall score = class_score(matrix, *positive);
          values.insert(values.end(), {score.precision, score.recall, score.f1});
        }
        return values;
      }};
}

}  // namespace roformer
