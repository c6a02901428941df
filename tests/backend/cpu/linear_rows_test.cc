// The feature maps of linear attention's row kernels: accuracy of the exponential, and NaN.
#include "backend/cpu/linear_attention/rows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace roformer {
namespace {

// The bound of exp-inl.h: 2e-7 + 2e-8·|x|.
double allowed(float x) { return 2e-7 + 2e-8 * std::abs(static_cast<double>(x)); }

TEST(LinearRows, ExponentialIsExact) {
  std::vector<float> inputs;
  for (float x = -86.9f; x < 0; x += 0.0173f) inputs.push_back(x);
  std::vector<float> features = inputs;
  rows::pointwise_features(FeatureMap::elu, features.data(), std::ssize(features));
  for (size_t i = 0; i < inputs.size(); ++i) {
    EXPECT_NEAR(features[i] / std::exp(static_cast<double>(inputs[i])), 1, allowed(inputs[i])) << inputs[i];
  }
  for (float& x : inputs) x = x / 87 * 70 + 40;  // the clamped range of random features, and beyond
  features = inputs;
  rows::random_features(features.data(), 0, 1, std::ssize(features));
  for (size_t i = 0; i < inputs.size(); ++i) {
    const float cut = std::max(inputs[i], static_cast<float>(kLowestExponent));
    EXPECT_NEAR(features[i] / std::exp(static_cast<double>(cut)), 1, allowed(cut)) << inputs[i];
  }
}

TEST(LinearRows, EndsOfTheExponential) {
  const float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> features{-infinity, -1e30f, -100, 0, infinity, nan, 1, -0.5f, nan};
  rows::pointwise_features(FeatureMap::elu, features.data(), std::ssize(features));
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(features[i], 0, 1e-37);
  EXPECT_EQ(features[3], 1);
  EXPECT_EQ(features[4], static_cast<float>(kLargestInput) + 1);
  EXPECT_TRUE(std::isnan(features[5]));
  EXPECT_TRUE(std::isnan(features[8]));
}

}  // namespace
}  // namespace roformer
