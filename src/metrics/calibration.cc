#include "metrics/calibration.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace roformer {

std::vector<ReliabilityBin> reliability_bins(std::span<const double> confidences, std::span<const uint8_t> correct,
                                             int64_t bins) {
  if (confidences.size() != correct.size()) {
    throw ShapeError("{} confidences and {} verdicts", confidences.size(), correct.size());
  }
  if (bins < 1) throw ShapeError("{} bins, expected at least 1", bins);
  const auto width = [&](int64_t count) { return static_cast<double>(count) / static_cast<double>(bins); };
  std::vector<ReliabilityBin> result;
  for (int64_t b = 0; b < bins; ++b) result.push_back({.low = width(b), .high = width(b + 1)});
  for (size_t i = 0; i < confidences.size(); ++i) {
    if (!(confidences[i] >= 0 && confidences[i] <= 1)) {
      throw ShapeError("confidence {} of example {}, expected 0 to 1", confidences[i], i);
    }
    ReliabilityBin& bin = *std::ranges::lower_bound(result, confidences[i], {}, &ReliabilityBin::high);
    ++bin.count;
    bin.confidence += confidences[i];
    bin.accuracy += correct[i] != 0;
  }
  for (ReliabilityBin& bin : result) {
    if (bin.count == 0) continue;
    bin.confidence /= static_cast<double>(bin.count);
    bin.accuracy /= static_cast<double>(bin.count);
  }
  return result;
}

double expected_calibration_error(const std::vector<ReliabilityBin>& bins) {
  double sum = 0;
  int64_t count = 0;
  for (const ReliabilityBin& bin : bins) {
    sum += std::abs(bin.accuracy - bin.confidence) * static_cast<double>(bin.count);
    count += bin.count;
  }
  return count == 0 ? std::numeric_limits<double>::quiet_NaN() : sum / static_cast<double>(count);
}

}  // namespace roformer
