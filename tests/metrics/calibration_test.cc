#include "metrics/calibration.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/error.h"

namespace roformer {
namespace {

const std::vector<double> kConfidences = {0.55, 0.62, 0.97, 0.91, 0.3, 1.0, 0.6, 0.75};
const std::vector<uint8_t> kCorrect = {1, 0, 1, 1, 0, 1, 1, 0};

// Right values: numpy, by the definition.
TEST(Calibration, BinsIncludeTheirUpperEnd) {
  const std::vector<ReliabilityBin> bins = reliability_bins(kConfidences, kCorrect, 5);
  ASSERT_EQ(bins.size(), 5u);
  const std::vector<int64_t> counts = {0, 1, 2, 2, 3};
  const std::vector<double> confidences = {0, 0.3, 0.575, 0.685, 0.96}, accuracies = {0, 0, 1, 0, 1};
  for (size_t b = 0; b < 5; ++b) {
    EXPECT_EQ(bins[b].count, counts[b]) << b;
    EXPECT_NEAR(bins[b].confidence, confidences[b], 1e-12) << b;
    EXPECT_EQ(bins[b].accuracy, accuracies[b]) << b;
  }
  EXPECT_NEAR(expected_calibration_error(bins), 0.33, 1e-12);
}

TEST(Calibration, TheEndsOfTheRange) {
  const std::vector<ReliabilityBin> bins = reliability_bins(std::vector<double>{0, 1}, std::vector<uint8_t>{0, 1});
  ASSERT_EQ(bins.size(), 10u);
  EXPECT_EQ(bins.front().count, 1);
  EXPECT_EQ(bins.back().count, 1);
  EXPECT_EQ(expected_calibration_error(bins), 0);
  EXPECT_TRUE(std::isnan(expected_calibration_error(reliability_bins({}, {}, 4))));
}

TEST(Calibration, RefusesWhatIsNoProbability) {
  for (const double wrong : {-0.1, 1.1, std::nan("")}) {
    EXPECT_THROW(reliability_bins(std::vector<double>{wrong}, std::vector<uint8_t>{1}), ShapeError);
  }
  EXPECT_THROW(reliability_bins(kConfidences, std::vector<uint8_t>{1}), ShapeError);
  EXPECT_THROW(reliability_bins(kConfidences, kCorrect, 0), ShapeError);
}

}  // namespace
}  // namespace roformer
