#include "training/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"

namespace roformer {
namespace {

Schedule make(const char* kind, int64_t warmup, int64_t steps) {
  return {.kind = parse_schedule(kind), .learning_rate = 2, .warmup = warmup, .steps = steps};
}

TEST(Schedule, RisesToThePeakThenFallsLinearly) {
  const Schedule schedule = make("linear", 4, 10);
  const double expected[] = {0.5, 1, 1.5, 2, 2, 2 * 5. / 6, 2 * 4. / 6, 1, 2 * 2. / 6, 2 * 1. / 6};
  for (int64_t step = 1; step <= 10; ++step) EXPECT_DOUBLE_EQ(schedule.at(step), expected[step - 1]) << step;
}

TEST(Schedule, Cosine) {
  const Schedule schedule = make("cosine", 2, 6);
  EXPECT_DOUBLE_EQ(schedule.at(1), 1);
  EXPECT_DOUBLE_EQ(schedule.at(2), 2);
  EXPECT_DOUBLE_EQ(schedule.at(3), 2);
  EXPECT_NEAR(schedule.at(4), 1 + std::sqrt(0.5), 1e-12);
  EXPECT_NEAR(schedule.at(5), 1, 1e-12);
  EXPECT_NEAR(schedule.at(6), 1 - std::sqrt(0.5), 1e-12);
}

TEST(Schedule, InverseSquareRoot) {
  const Schedule schedule = make("inverse-sqrt", 4, 100);
  EXPECT_DOUBLE_EQ(schedule.at(2), 1);
  EXPECT_DOUBLE_EQ(schedule.at(4), 2);
  EXPECT_DOUBLE_EQ(schedule.at(16), 1);
  EXPECT_DOUBLE_EQ(schedule.at(64), 0.5);
}

TEST(Schedule, Constant) {
  const Schedule schedule = make("constant", 2, 9);
  EXPECT_DOUBLE_EQ(schedule.at(1), 1);
  for (int64_t step = 2; step <= 9; ++step) EXPECT_DOUBLE_EQ(schedule.at(step), 2);
}

TEST(Schedule, WithoutWarmUpTheFirstStepHasThePeak) {
  for (const char* kind : {"linear", "cosine", "inverse-sqrt", "constant"}) {
    EXPECT_DOUBLE_EQ(make(kind, 0, 5).at(1), 2) << kind;
  }
  EXPECT_DOUBLE_EQ(make("inverse-sqrt", 0, 5).at(4), 1);
}

TEST(Schedule, NothingButWarmUp) {
  for (const char* kind : {"linear", "cosine", "inverse-sqrt", "constant"}) {
    EXPECT_DOUBLE_EQ(make(kind, 4, 4).at(4), 2) << kind;
  }
}

TEST(Schedule, UnknownNames) { EXPECT_THROW(parse_schedule("linaer"), UsageError); }

}  // namespace
}  // namespace roformer
