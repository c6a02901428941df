// The measured error of FAVOR+: falls as 1/√features, its plot, what is refused.
#include "lab/favor_error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"

namespace roformer {
namespace {

TEST(FavorErrors, FallAsTheRootOfTheFeatures) {
  ThreadPool pool(2);
  const auto backend = make_cpu_backend(pool);
  const FavorErrorOptions options{
      .features = {512, 32, 128}, .tokens = 48, .head_dim = 16, .deviations = {0.3, 2}, .draws = 12, .seed = 3};
  const std::vector<FavorErrors> both = favor_errors(*backend, options);
  ASSERT_EQ(both.size(), 2u);
  EXPECT_GT(both[1].points[0].mean, 5 * both[0].points[0].mean);  // large scores need more features
  const FavorErrors& errors = both[0];
  ASSERT_EQ(errors.points.size(), 3u);
  EXPECT_EQ(errors.points[0].features, 512);
  EXPECT_NEAR(errors.slope, -0.5, 0.12);
  for (const FavorError& point : errors.points) {
    EXPECT_LT(point.low, point.mean);
    EXPECT_GT(point.high, point.mean);
  }

  const Plot plot = favor_error_plot(both, options);
  ASSERT_EQ(plot.series.size(), 3u);
  EXPECT_TRUE(plot.logarithmic);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(plot.series[0].points[i].x, std::vector<double>({32, 128, 512})[i]);
    EXPECT_NEAR(plot.series[2].points[i].y / plot.series[0].points[i].y, 1, 0.3);  // the line lies on the points
  }
  EXPECT_NEAR(plot.series[2].points[0].y / plot.series[2].points[2].y, 4, 1e-9);
}

TEST(FavorErrors, OneNumberOfFeaturesHasNoSlope) {
  ThreadPool pool(1);
  const auto backend = make_cpu_backend(pool);
  EXPECT_THROW(favor_errors(*backend, {.features = {8, 8}}), UsageError);
  EXPECT_THROW(favor_errors(*backend, {.features = {}}), UsageError);
}

}  // namespace
}  // namespace roformer
