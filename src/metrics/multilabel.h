// Any number of labels per example, with scikit-learn's definitions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "metrics/metric_set.h"
#include "metrics/precision_recall.h"

namespace roformer {

// Which labels examples have: row-major [examples, labels], each 0 or 1.
struct LabelSets {
  int64_t labels = 0;
  std::vector<uint8_t> has;
};

struct MultilabelScore {
  double micro_f1 = 0;     // of all decisions together
  double macro_f1 = 0;     // mean over all labels; a label that does not occur counts as 0
  double samples_f1 = 0;   // mean over examples; 0 of one without labels, gold and predicted
  double exact_match = 0;  // share of examples whose labels are all right, and no others
  std::vector<PrecisionRecall> labels;
};
// ShapeError unless both have as many labels (at least one) and whole rows, equally many and at least one.
MultilabelScore multilabel_score(const LabelSets& gold, const LabelSets& predicted);

// "micro_f1", "macro_f1", "samples_f1", "exact_match". Errors as above.
MetricSet multilabel_metrics(const LabelSets& gold, const LabelSets& predicted);

}  // namespace roformer
