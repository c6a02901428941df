#include "metrics/bootstrap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "metrics/classification.h"
#include "metrics/regression.h"

namespace roformer {
namespace {

MetricSet mean_of(const std::vector<double>& values) { return mean_metrics({"mean"}, {values}); }

std::vector<double> normal_numbers(int64_t count, uint64_t seed) {
  Generator random({.seed = seed});
  std::vector<double> numbers;
  for (int64_t i = 0; i < count; ++i) numbers.push_back(random.normal());
  return numbers;
}

TEST(Bootstrap, TheIntervalOfAMeanIsTheNormalOne) {
  ThreadPool pool(1);
  const std::vector<double> values = normal_numbers(400, 1);
  const MeanInterval expected = mean_interval(values);
  const auto intervals = bootstrap_intervals(mean_of(values), {.resamples = 10'000}, pool);
  ASSERT_TRUE(intervals.at(0));
  // The ends of 10,000 resamples are off by about 0.027 standard errors each.
  EXPECT_NEAR((*intervals[0])[0], expected.mean - *expected.half_width, 0.1 * *expected.half_width);
  EXPECT_NEAR((*intervals[0])[1], expected.mean + *expected.half_width, 0.1 * *expected.half_width);
}

// Every example is drawn equally often, and a resample has as many draws as there are examples.
TEST(Bootstrap, DrawsWithReplacement) {
  constexpr int64_t kExamples = 7, kResamples = 7'000;
  std::vector<int64_t> drawn(kExamples);
  int64_t distinct = 0;
  const MetricSet counting{.examples = kExamples, .names = {"draws"}, .values = [&](std::span<const int32_t> times) {
                             int64_t all = 0;
                             for (size_t i = 0; i < times.size(); ++i) {
                               drawn[i] += times[i];
                               all += times[i];
                               distinct += times[i] > 0;
                             }
                             return std::vector<double>{static_cast<double>(all)};
                           }};
  ThreadPool pool(1);
  const auto intervals = bootstrap_intervals(counting, {.resamples = kResamples}, pool);
  EXPECT_EQ((*intervals.at(0))[0], kExamples);
  EXPECT_EQ((*intervals.at(0))[1], kExamples);
  const double deviation = std::sqrt(kResamples * kExamples * (1.0 / 7) * (6.0 / 7));
  for (const int64_t count : drawn) EXPECT_NEAR(static_cast<double>(count), kResamples, 4 * deviation);
  const double expected_distinct = kExamples * (1 - std::pow(6.0 / 7, 7));
  EXPECT_NEAR(static_cast<double>(distinct) / kResamples, expected_distinct, 0.05);
}

TEST(Bootstrap, TheSameBitsAtAnyNumberOfThreadsAndOthersWithAnotherSeed) {
  const std::vector<double> x = normal_numbers(50, 1), y = normal_numbers(50, 2);
  const MetricSet metrics = regression_metrics(x, y);
  ThreadPool one(1), four(4);
  const auto intervals = bootstrap_intervals(metrics, {.resamples = 200, .seed = 5}, one);
  ASSERT_EQ(intervals.size(), 6u);
  EXPECT_EQ(bootstrap_intervals(metrics, {.resamples = 200, .seed = 5}, four), intervals);
  EXPECT_NE(bootstrap_intervals(metrics, {.resamples = 200, .seed = 6}, one), intervals);
}

TEST(Bootstrap, WhatIsUndefinedHasNoInterval) {
  ThreadPool pool(1);
  EXPECT_FALSE(bootstrap_intervals(mean_of({1}), {}, pool).at(0));
  EXPECT_FALSE(bootstrap_intervals(mean_of({}), {}, pool).at(0));
  const std::vector<double> constant(5, 1), x = {1, 2, 3, 4, 5};
  const auto intervals = bootstrap_intervals(regression_metrics(x, constant), {.resamples = 50}, pool);
  EXPECT_FALSE(intervals.at(0));  // Pearson
  EXPECT_TRUE(intervals.at(3));   // MSE
  EXPECT_THROW(bootstrap_intervals(mean_of({1, 2}), {.resamples = 0}, pool), ShapeError);
}

TEST(Bootstrap, DifferencesOfTwoModels) {
  ThreadPool pool(1);
  // The second model has 24 of 300 examples right that the first one has not, and 10 the other way.
  std::vector<double> first(300, 1), second(300, 1);
  for (size_t i = 0; i < 24; ++i) first[i] = 0;
  for (size_t i = 24; i < 34; ++i) second[i] = 0;
  const auto differences =
      bootstrap_differences(mean_metrics({"loss", "accuracy"}, {first, first}),
                            mean_metrics({"accuracy", "f1"}, {second, second}), {.resamples = 10'000}, pool);
  ASSERT_EQ(differences.size(), 1u);
  const MetricDifference& difference = differences[0];
  EXPECT_EQ(difference.name, "accuracy");
  EXPECT_NEAR(difference.first, 0.92, 1e-12);
  EXPECT_NEAR(difference.second, 290.0 / 300, 1e-12);
  const double mean = 14.0 / 300, error = std::sqrt((34.0 / 300 - mean * mean) / 300);
  ASSERT_TRUE(difference.interval && difference.p);
  EXPECT_NEAR((*difference.interval)[0], mean - 1.96 * error, 0.15 * error);
  EXPECT_NEAR((*difference.interval)[1], mean + 1.96 * error, 0.15 * error);
  // Twice the normal tail below half an example, as differences of 0 count.
  const double z = (mean - 0.5 / 300) / error;
  EXPECT_NEAR(*difference.p, std::erfc(z / std::sqrt(2)), 0.004);
}

TEST(Bootstrap, EqualModelsDoNotDiffer) {
  ThreadPool pool(1);
  const MetricSet metrics = mean_of(normal_numbers(30, 1));
  const MetricDifference difference = bootstrap_differences(metrics, metrics, {.resamples = 100}, pool).at(0);
  EXPECT_EQ(*difference.interval, (Bounds{0, 0}));
  EXPECT_EQ(*difference.p, 1);
  EXPECT_THROW(bootstrap_differences(metrics, mean_of({1, 2}), {}, pool), ShapeError);
}

// sacrebleu.significance's definition, on the same resamples.
TEST(Bootstrap, CenteredPCountsSizesAboveTheirMean) {
  ThreadPool pool(1);
  const std::vector<double> first = normal_numbers(40, 1);
  std::vector<double> second = normal_numbers(40, 2), differences;
  for (double& value : second) value += 0.2;
  const MetricSet other = mean_of(second);
  const auto recorded = [&](std::span<const int32_t> times) {
    const double value = other.values(times).at(0);
    differences.push_back(std::abs(value - mean_of(first).values(times).at(0)));
    return std::vector<double>{value};
  };
  const BootstrapOptions options{.resamples = 400, .p = PValue::centered};
  const MetricDifference found =
      bootstrap_differences(mean_of(first), {.examples = 40, .names = {"mean"}, .values = recorded}, options, pool)
          .at(0);
  ASSERT_EQ(differences.size(), 401u);  // the first is that of the sample itself
  double mean = 0, above = 0;
  for (size_t i = 1; i < differences.size(); ++i) mean += differences[i] / 400;
  for (size_t i = 1; i < differences.size(); ++i) above += differences[i] - mean > differences[0];
  EXPECT_DOUBLE_EQ(*found.p, (above + 1) / 401);
  EXPECT_GT(above, 0);
  EXPECT_EQ(*bootstrap_differences(other, other, options, pool).at(0).p, 1);
}

}  // namespace
}  // namespace roformer
