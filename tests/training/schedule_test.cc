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

TEST(Schedule, AfterOthersItBeginsAnew) {
  for (const char* kind : {"linear", "cosine", "inverse-sqrt", "constant"}) {
    const Schedule first = make(kind, 3, 10);
    Schedule second = make(kind, 3, 17);
    second.begin = 7;
    for (int64_t step = 1; step <= 10; ++step) EXPECT_DOUBLE_EQ(second.at(7 + step), first.at(step)) << kind << step;
  }
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

TEST(Schedule, OptionsLeaveToThePresetWhatTheyDoNotSay) {
  const Schedule preset{.learning_rate = 0.5, .steps = 200};
  const Schedule all = make_schedule({}, preset, 0, 1);
  EXPECT_EQ(all.kind, ScheduleKind::linear);
  EXPECT_EQ(all.learning_rate, 0.5);
  EXPECT_EQ(all.steps, 200);
  EXPECT_EQ(all.warmup, 20);  // a tenth
  const Schedule own = make_schedule({.steps = 50, .learning_rate = 0.1, .warmup = 7, .kind = "cosine"}, preset, 0, 1);
  EXPECT_EQ(own.kind, ScheduleKind::cosine);
  EXPECT_EQ(own.learning_rate, 0.1);
  EXPECT_EQ(own.steps, 50);
  EXPECT_EQ(own.warmup, 7);
  EXPECT_EQ(make_schedule({.epochs = 1.5}, preset, 9, 4).steps, 4);  // 3.375, rounded up
  EXPECT_THROW(make_schedule({.epochs = 1}, preset, 0, 4), UsageError);
  EXPECT_THROW(make_schedule({.steps = 6, .warmup = 7}, preset, 0, 1), UsageError);
}

TEST(Schedule, StepsBeforeAnotherEndKeepTheirRates) {
  Schedule schedule = make("linear", 2, 30);
  schedule.earlier_ends = {{.after = 5, .steps = 10}, {.after = 8, .steps = 20}};
  for (int64_t step = 1; step <= 30; ++step) {
    EXPECT_EQ(schedule.end_at(step), step <= 5 ? 10 : step <= 8 ? 20 : 30) << step;
    EXPECT_EQ(schedule.at(step), make("linear", 2, schedule.end_at(step)).at(step)) << step;
  }
}

TEST(Schedule, UnknownNames) { EXPECT_THROW(parse_schedule("linaer"), UsageError); }

}  // namespace
}  // namespace roformer
