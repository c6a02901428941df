// One label of several: the confusion matrix and what follows from it, with scikit-learn's definitions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "metrics/metric_set.h"
#include "metrics/precision_recall.h"

namespace roformer {

struct ConfusionMatrix {
  int64_t classes = 0;
  std::vector<int64_t> counts;  // row-major [classes, classes]: row = gold, column = predicted

  int64_t at(int64_t gold, int64_t predicted) const { return counts[static_cast<size_t>(gold * classes + predicted)]; }
};

// Labels are in [0, classes). ShapeError for others and for lists of different lengths.
ConfusionMatrix confusion_matrix(std::span<const int32_t> gold, std::span<const int32_t> predicted, int64_t classes);

// NaN without examples; so is an F1 below.
double accuracy(const ConfusionMatrix& matrix);

PrecisionRecall class_score(const ConfusionMatrix& matrix, int64_t label);

struct AveragedF1 {
  double macro = 0;     // mean over the classes that occur, as gold or predicted
  double micro = 0;     // of all decisions together: where each example has one label, the accuracy
  double weighted = 0;  // mean over classes weighted by their gold examples
};
AveragedF1 averaged_f1(const ConfusionMatrix& matrix);

// Of two classes, or its generalization to more (Gorodkin 2004). 0 where only one class is gold or predicted.
double matthews_correlation(const ConfusionMatrix& matrix);

// "accuracy", "macro_f1", "weighted_f1", "matthews"; with `positive`, a class, also its "precision", "recall" and "f1".
// Errors as confusion_matrix.
MetricSet classification_metrics(std::span<const int32_t> gold, std::span<const int32_t> predicted, int64_t classes,
                                 std::optional<int32_t> positive = {});

}  // namespace roformer
