// Whether predictions of probability p are right p of the time.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace roformer {

// The predictions with a confidence in (low, high]; the first interval includes its low end.
struct ReliabilityBin {
  double low = 0, high = 0;
  int64_t count = 0;
  double confidence = 0, accuracy = 0;  // means; 0 of an empty bin
};

// confidences[i] in [0, 1] is the probability of the predicted label of example i, correct[i] whether it is right.
// `bins` >= 1 intervals of equal width. ShapeError for other confidences and lists of different lengths.
std::vector<ReliabilityBin> reliability_bins(std::span<const double> confidences, std::span<const uint8_t> correct,
                                             int64_t bins = 10);

// Mean of |accuracy - confidence| weighted by count (Naeini et al. 2015; Guo et al. 2017). NaN without predictions.
double expected_calibration_error(const std::vector<ReliabilityBin>& bins);

}  // namespace roformer
