// A reliability diagram as SVG: how often predictions of each confidence are right, and how many there are.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "metrics/calibration.h"

namespace roformer {

// A bar is a bin's accuracy, a mark its mean confidence, where a calibrated model's bar would end; below, the bins'
// shares of all predictions. ShapeError without bins.
std::string svg_reliability(const std::vector<ReliabilityBin>& bins, std::string_view title);

}  // namespace roformer
