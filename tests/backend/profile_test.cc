#include "backend/profile.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace roformer {
namespace {

using std::chrono::milliseconds;

TEST(Profile, TimeWithinCountsOnce) {
  Profile profile;
  {
    const ScopedTimer outer(&profile, "outer", 0, 0);
    std::this_thread::sleep_for(milliseconds(10));
    const ScopedTimer inner(&profile, "inner", 0, 0);
    std::this_thread::sleep_for(milliseconds(40));
  }
  EXPECT_GE(profile.entries().at("inner").seconds, 0.040);
  EXPECT_GE(profile.entries().at("outer").seconds, 0.010);
  EXPECT_LT(profile.entries().at("outer").seconds, 0.040);
}

TEST(Profile, ThreadsThatWaitHaveTheirOwnEntry) {
  ThreadPool pool(2);
  Profile profile({.regions = true});
  pool.set_observer(&profile);
  {
    const ScopedTimer timer(&profile, "linear", 0, 0);
    pool.run(2, [](int64_t i) { std::this_thread::sleep_for(milliseconds(i == 0 ? 80 : 20)); });
  }
  // 80 ms of two threads, of which one waits for 60.
  const double waiting = profile.entries().at(std::string(Profile::kWaiting)).seconds;
  const double working = profile.entries().at("linear").seconds;
  EXPECT_GE(waiting, 0.025);
  EXPECT_GE(working, 0.049);
  EXPECT_LT(working, 0.079);
  ASSERT_EQ(profile.regions().size(), 1u);
  EXPECT_EQ(profile.regions()[0].name, "linear");
  EXPECT_GE(profile.regions()[0].tasks.at(0), 0.080);
}

TEST(Profile, ATasksTimersAreWithinThatOfItsRegion) {
  ThreadPool pool(2);
  Profile profile;
  pool.set_observer(&profile);
  {
    const ScopedTimer timer(&profile, "product", 0, 0);
    pool.run(2, [&](int64_t) {
      const ScopedTimer packing(&profile, "packing", 0, 0, 0.5);
      std::this_thread::sleep_for(milliseconds(40));
    });
  }
  EXPECT_GE(profile.entries().at("packing").seconds, 0.040);
  EXPECT_LT(profile.entries().at("product").seconds, 0.030);
}

TEST(Profile, ATasksFirstOperatorNamesARegionOfNone) {
  ThreadPool pool(1);
  Profile profile({.regions = true});
  pool.set_observer(&profile);
  pool.run(2, [&](int64_t) {
    { const ScopedTimer first(&profile, "project", 0, 0); }
    const ScopedTimer second(&profile, "norm", 0, 0);
    pool.run(3, [](int64_t) {});  // a task's own tasks are part of it
  });
  ASSERT_EQ(profile.regions().size(), 1u);
  EXPECT_EQ(profile.regions()[0].name, "project");
  EXPECT_EQ(profile.regions()[0].tasks.size(), 2u);
}

TEST(Profile, AFailingTaskLeavesNothingBehind) {
  ThreadPool pool(1);
  Profile profile({.regions = true});
  pool.set_observer(&profile);
  EXPECT_THROW(pool.run(1, [](int64_t) { throw std::runtime_error("no"); }), std::runtime_error);
  pool.run(1, [](int64_t) {});
  EXPECT_EQ(profile.regions().size(), 1u);
}

}  // namespace
}  // namespace roformer
