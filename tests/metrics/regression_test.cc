#include "metrics/regression.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/error.h"
#include "base/random.h"

// Right values: scipy 1.17.1 and scikit-learn 1.9.1.
namespace roformer {
namespace {

constexpr double kTolerance = 1e-12;

const std::vector<double> kX = {0.5, 2.0, 3.5, 1.0, 4.0, 2.0, 5.0, 2.5};
const std::vector<double> kY = {1.0, 2.0, 3.0, 2.0, 4.5, 1.5, 4.0, 2.0};

void expect_values(const std::vector<double>& values, const std::vector<double>& expected) {
  ASSERT_EQ(values.size(), expected.size());
  for (size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(values[i], expected[i], kTolerance) << i;
}

TEST(Regression, CorrelationsAndErrorsOfASample) {
  const MetricSet metrics = regression_metrics(kX, kY);
  EXPECT_THAT(metrics.names, testing::ElementsAre("pearson", "spearman", "kendall", "mse", "mae", "r2"));
  expect_values(metrics.once(),
                {0.9003980117163223, 0.8835852486128687, 0.769800358919501, 0.40625, 0.5625, 0.7996146435452793});
  expect_values(metrics.values(std::vector<int32_t>{2, 0, 1, 3, 0, 1, 2, 1}),
                {0.934331459958054, 0.8847790053297434, 0.8058066296105563, 0.625, 0.75, 0.7735507246376812});
}

// Kendall's tau by its definition, over all pairs.
TEST(Regression, KendallsTauOfManyTies) {
  Generator random({.seed = 3});
  std::vector<double> x, y;
  for (int i = 0; i < 200; ++i) {
    x.push_back(static_cast<double>(random.below(12)));
    y.push_back(x.back() + static_cast<double>(random.below(9)));
  }
  double agreement = 0, distinct_x = 0, distinct_y = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      const double dx = x[i] - x[j], dy = y[i] - y[j];
      agreement += dx * dy > 0 ? 1 : dx * dy < 0 ? -1 : 0;
      distinct_x += dx != 0;
      distinct_y += dy != 0;
    }
  }
  EXPECT_NEAR(regression_metrics(x, y).once().at(2), agreement / std::sqrt(distinct_x * distinct_y), kTolerance);
}

TEST(Regression, UndefinedIsNotANumber) {
  const std::vector<double> constant(8, 0.1);
  for (size_t correlation = 0; correlation < 3; ++correlation) {
    EXPECT_TRUE(std::isnan(regression_metrics(kX, constant).once()[correlation]));
    EXPECT_TRUE(std::isnan(regression_metrics(constant, kX).once()[correlation]));
    EXPECT_NEAR(regression_metrics(kX, kX).once()[correlation], 1, kTolerance);
  }
  EXPECT_TRUE(std::isnan(regression_metrics(constant, kX).once()[5]));
  for (const double value : regression_metrics({}, {}).once()) EXPECT_TRUE(std::isnan(value));
  for (const double strange : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    std::vector<double> broken = kX;
    broken[3] = strange;
    for (const double value : regression_metrics(broken, kY).once()) EXPECT_TRUE(std::isnan(value));
  }
  EXPECT_THROW(regression_metrics(kX, std::vector<double>(3)), ShapeError);
}

}  // namespace
}  // namespace roformer
