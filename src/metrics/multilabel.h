// Any number of labels per example, with scikit-learn's definitions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "metrics/metric_set.h"

namespace roformer {

// Which labels examples have: row-major [examples, labels], each 0 or 1.
struct LabelSets {
  int64_t labels = 0;
  std::vector<uint8_t> has;
};

// "micro_f1" of all decisions together; "macro_f1", the mean over all labels, where one that does not occur counts as
// 0; "samples_f1", the mean over examples, 0 of one without labels, gold and predicted; "exact_match", the share of
// examples whose labels are all right, and no others. ShapeError unless both have as many labels (at least one) and
// whole rows, equally many and at least one.
MetricSet multilabel_metrics(const LabelSets& gold, const LabelSets& predicted);

}  // namespace roformer
