// The measured error of FAVOR+: falls as 1/√features, its plot, what is refused.
#include "tasks/favor_error.h"

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
      .features = {512, 32, 128}, .tokens = 48, .head_dim = 16, .deviation = 0.5, .draws = 12, .seed = 3};
  const FavorErrors errors = favor_errors(*backend, options);
  ASSERT_EQ(errors.points.size(), 3u);
  EXPECT_EQ(errors.points[0].features, 512);
  EXPECT_NEAR(errors.slope, -0.5, 0.12);
  for (const FavorError& point : errors.points) {
    EXPECT_LT(point.low, point.mean);
    EXPECT_GT(point.high, point.mean);
  }

  const Plot plot = favor_error_plot(errors, options);
  ASSERT_EQ(plot.series.size(), 2u);
  EXPECT_TRUE(plot.logarithmic);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(plot.series[0].points[i].x, std::vector<double>({32, 128, 512})[i]);
    EXPECT_NEAR(plot.series[1].points[i].y / plot.series[0].points[i].y, 1, 0.3);  // the line lies on the points
  }
  EXPECT_NEAR(plot.series[1].points[0].y / plot.series[1].points[2].y, 4, 1e-9);
}

TEST(FavorErrors, OneNumberOfFeaturesHasNoSlope) {
  ThreadPool pool(1);
  const auto backend = make_cpu_backend(pool);
  EXPECT_THROW(favor_errors(*backend, {.features = {8, 8}}), UsageError);
  EXPECT_THROW(favor_errors(*backend, {.features = {}}), UsageError);
}

}  // namespace
}  // namespace roformer
