#include "lab/rope_figures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "position/decay.h"
#include "tests/report/xml.h"

namespace roformer {
namespace {

using testing::HasSubstr;

TEST(RopeFigures, QueryAndKeyKeepTheirAngle) {
  const std::string svg = rope_rotation_figure();
  expect_well_formed(svg);
  EXPECT_EQ(count(svg, "<circle"), 3);
  EXPECT_EQ(count(svg, "<polygon"), 8 + 4 + 4);
  EXPECT_EQ(count(svg, ">41°<"), 2);  // −30° − 15° + 3 · 0.5
  for (const char* text : {">7<", ">q at 2<", ">k at 5<", ">q at 6<", ">k at 9<"}) EXPECT_THAT(svg, HasSubstr(text));
}

TEST(RopeFigures, ClocksAreFromTheFirstPairToTheLast) {
  const std::string svg = rope_clock_figure({});
  expect_well_formed(svg);
  EXPECT_EQ(count(svg, "<circle"), 7 * 8);
  for (const char* text : {">pair 0<", ">6.3<", ">pair 63<", ">54410<", ">position 1000<"}) {
    EXPECT_THAT(svg, HasSubstr(text));
  }
  for (const int64_t dim : {2, 4, 14, 18}) {
    const std::string small = rope_clock_figure({.dim = dim});
    EXPECT_THAT(small, HasSubstr("pair " + std::to_string(dim / 2 - 1)));
    EXPECT_EQ(count(small, "<circle"), 7 * std::min<int64_t>(8, dim / 2));
  }
}

TEST(RopeFigures, DecayStartsAtOneAndFalls) {
  const RotaryFrequencies frequencies(Rotary{128});
  const Plot plot = rope_decay_plot({.max_distance = 200});
  ASSERT_EQ(plot.series.size(), 2u);
  for (const PlotSeries& series : plot.series) {
    ASSERT_EQ(series.points.size(), 201u);
    EXPECT_DOUBLE_EQ(series.points[0].y, 1);
    EXPECT_LT(series.points[200].y, 0.5);
  }
  EXPECT_NEAR(plot.series[0].points[50].y, rotary_decay(frequencies, 50) / 32.5, 1e-12);
  // The mean score of a vector with itself is the mean of the cosines.
  double mean = 0;
  for (int64_t pair = 0; pair < 64; ++pair) mean += frequencies.angle(50, pair).cos / 64;
  EXPECT_NEAR(plot.series[1].points[50].y, mean, 0.03);
  EXPECT_LT(plot.series[1].low[50].y, mean);
  EXPECT_GT(plot.series[1].high[50].y, mean);
}

TEST(RopeFigures, AddedSinusoidsGiveOneDistanceManyScores) {
  const Plot plot = rope_scores_plot({.dim = 32, .max_distance = 40});
  ASSERT_EQ(plot.series.size(), 2u);
  EXPECT_TRUE(plot.series[0].low.empty());
  ASSERT_EQ(plot.series[1].points.size(), 41u);
  for (size_t i = 0; i <= 40; ++i) {
    EXPECT_LT(plot.series[1].low[i].y + 0.5, plot.series[1].high[i].y) << i;
    EXPECT_LT(plot.series[1].low[i].y, plot.series[1].points[i].y) << i;
    EXPECT_LT(plot.series[1].points[i].y, plot.series[1].high[i].y) << i;
  }
  const Plot again = rope_scores_plot({.dim = 32, .max_distance = 40}),
             other = rope_scores_plot({.dim = 32, .seed = 2});
  EXPECT_EQ(plot.series[0].points[7].y, again.series[0].points[7].y);
  EXPECT_NE(plot.series[0].points[7].y, other.series[0].points[7].y);
}

TEST(RopeFigures, ScalingSlowsTheSlowestPairByTheFactor) {
  const Plot plot = rope_scaling_plot({.dim = 64, .factor = 4});
  ASSERT_EQ(plot.series.size(), 4u);
  for (const PlotSeries& series : plot.series) {
    ASSERT_EQ(series.points.size(), 32u) << series.name;
    double before = 1 + 1e-12;
    for (const PlotPoint& point : series.points) {
      EXPECT_LE(point.y, before) << series.name << ", " << point.x;
      EXPECT_GE(point.y, 0.25 - 1e-12) << series.name << ", " << point.x;
      before = point.y + 1e-12;
    }
    EXPECT_NEAR(series.points[0].y, series.name == "position interpolation" ? 0.25 : 1, 1e-12) << series.name;
    EXPECT_NEAR(series.points[31].y, 0.25, 1e-12) << series.name;
  }
}

TEST(RopeFigures, OddDimensionsAreRefused) {
  EXPECT_THROW(rope_clock_figure({.dim = 7}), UsageError);
  EXPECT_THROW(rope_decay_plot({.dim = 7}), UsageError);
  EXPECT_THROW(rope_scores_plot({.dim = 7}), UsageError);
  EXPECT_THROW(rope_scaling_plot({.dim = 7}), UsageError);
}

}  // namespace
}  // namespace roformer
