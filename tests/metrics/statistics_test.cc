#include "metrics/statistics.h"

#include <gtest/gtest.h>

#include <map>

namespace roformer {
namespace {

// Abramowitz & Stegun, table 26.10, A = 0.95 and 0.99.
TEST(Statistics, StudentsTIsThatOfTheTable) {
  const std::map<int64_t, double> at_95 = {{1, 12.706}, {2, 4.303},  {3, 3.182},  {4, 2.776},  {5, 2.571},  {9, 2.262},
                                           {10, 2.228}, {29, 2.045}, {30, 2.042}, {60, 2.000}, {120, 1.980}};
  for (const auto& [degrees, t] : at_95) EXPECT_NEAR(student_t(0.95, degrees), t, 5.1e-4) << degrees;
  EXPECT_NEAR(student_t(0.99, 1), 63.657, 5.1e-4);
  EXPECT_NEAR(student_t(0.99, 2), 9.925, 5.1e-4);
  EXPECT_NEAR(student_t(0.99, 7), 3.499, 5.1e-4);
}

TEST(Statistics, TheIntervalOfAMean) {
  const MeanInterval interval = mean_interval({1, 2, 3, 6});  // deviation √(14/3), standard error half of it
  EXPECT_EQ(interval.mean, 3);
  EXPECT_EQ(interval.count, 4);
  EXPECT_NEAR(interval.deviation, 2.160247, 1e-6);
  ASSERT_TRUE(interval.half_width);
  EXPECT_NEAR(*interval.half_width, 3.182446 * 1.080123, 1e-5);
  EXPECT_FALSE(mean_interval({5}).half_width);
  EXPECT_EQ(mean_interval({5}).deviation, 0);
  EXPECT_EQ(*mean_interval({5, 5, 5}).half_width, 0);
}

TEST(Statistics, Texts) {
  EXPECT_EQ(interval_text({}, 3), "–");
  EXPECT_EQ(interval_text({2}, 2), "2.00");
  EXPECT_EQ(interval_text({2, 4}, 1), "3.0 ± 12.7");
}

TEST(Statistics, Median) {
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 3, 2}), 3);
}

}  // namespace
}  // namespace roformer
