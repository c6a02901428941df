// How well FAVOR+ approximates softmax attention, by its number of random features: the kernel that models run,
// compared with softmax attention in double precision.
#pragma once

#include <cstdint>
#include <vector>

#include "backend/backend.h"
#include "report/plot.h"

namespace roformer {

struct FavorErrorOptions {
  std::vector<int64_t> features{16, 32, 64, 128, 256, 512, 1024, 2048};
  int64_t tokens = 256, head_dim = 64;  // of one head
  // Standard deviations of q's and k's elements, one curve each; that of the scores q·k/√d is its square. The variance
  // of one feature's estimate grows as exp(2·deviation²·√d), so that large scores need many more features.
  std::vector<double> deviations{0.25, 0.5, 1};
  int64_t draws = 8;  // of the random features
  int64_t seed = 1;   // of the inputs and the draws
};

// ‖favor − softmax‖ / ‖softmax‖ over all outputs: the root of the draws' mean square, and the draws' range.
struct FavorError {
  int64_t features;
  double mean, low, high;
};

struct FavorErrors {
  double deviation;
  std::vector<FavorError> points;  // in the order of options.features
  double slope = 0;                // of log error over log features, by least squares; −1/2 with enough features
};

// Not causal, no rotation, q, k and v normal; one for each deviation. UsageError without two different numbers of
// features.
std::vector<FavorErrors> favor_errors(Backend& backend, const FavorErrorOptions& options);

// Both axes logarithmic, with a line of slope −1/2 through the mean of the first curve's points.
Plot favor_error_plot(const std::vector<FavorErrors>& errors, const FavorErrorOptions& options);

}  // namespace roformer
