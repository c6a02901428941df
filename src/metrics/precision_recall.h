// Precision, recall and F1 from counts, as scikit-learn and seqeval define them.
#pragma once

#include <cstdint>

namespace roformer {

// What has no denominator is 0.
struct PrecisionRecall {
  double precision = 0, recall = 0, f1 = 0;
  int64_t support = 0;  // how many there are to find
};

// Of `predicted` things `matched` are among the `gold` ones.
PrecisionRecall precision_recall(int64_t matched, int64_t predicted, int64_t gold);

}  // namespace roformer
