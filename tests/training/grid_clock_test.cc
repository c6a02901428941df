#include "training/grid_clock.h"

#include <gtest/gtest.h>

namespace roformer {
namespace {

TEST(GridClock, OneTimeForAllTrainings) {
  double now = 1000;
  GridClock clock({1, 1, 2}, [&] { return now; });
  EXPECT_EQ(clock.update(0, {.start = 0, .done = 0, .all = 100}), "all trainings: elapsed 0:00");
  now += 10;
  EXPECT_EQ(clock.update(0, {.start = 0, .done = 50, .all = 100}), "all trainings: elapsed 0:10, remaining 1:10");
  now += 10;
  clock.finish(0);
  EXPECT_EQ(clock.update(1, {.start = 0, .done = 0, .all = 100}), "all trainings: elapsed 0:20, remaining 1:00");
}

// What an earlier process did says nothing about how fast this one is.
TEST(GridClock, WhatWasDoneBeforeDoesNotCount) {
  double now = 0;
  GridClock clock({1, 1}, [&] { return now; });
  clock.skip(0);
  now += 10;
  EXPECT_EQ(clock.update(1, {.start = 50, .done = 60, .all = 100}), "all trainings: elapsed 0:10, remaining 0:40");
}

}  // namespace
}  // namespace roformer
