#include "training/side_by_side.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <set>

#include "base/error.h"

namespace roformer {
namespace {

SideBySide options(int64_t jobs, std::stop_token stop = {}) {
  return {.jobs = jobs,
          .messages = {.style = {}, .write = [](std::string_view) {}, .seconds = [] { return 0.0; }},
          .stop_token = std::move(stop)};
}

TEST(SideBySide, EachTrainingRunsOnce) {
  for (const int64_t jobs : {1, 3, 20}) {
    std::mutex mutex;
    std::multiset<int64_t> ran;
    train_side_by_side(7, options(jobs), [&](int64_t i) {
      const std::lock_guard lock(mutex);
      ran.insert(i);
    });
    EXPECT_THAT(ran, ::testing::ElementsAre(0, 1, 2, 3, 4, 5, 6)) << jobs;
  }
}

TEST(SideBySide, AfterAFailureNoneIsStarted) {
  std::vector<int64_t> ran;
  const auto train = [&](int64_t i) {
    ran.push_back(i);
    if (i == 2) throw DataError("the third");
  };
  EXPECT_THROW(train_side_by_side(7, options(1), train), DataError);
  EXPECT_THAT(ran, ::testing::ElementsAre(0, 1, 2));
}

TEST(SideBySide, AStopIsReported) {
  std::stop_source source;
  std::atomic<int> ran = 0;
  const auto train = [&](int64_t i) {
    ++ran;
    if (i == 1) source.request_stop();
  };
  EXPECT_THROW(train_side_by_side(7, options(1, source.get_token()), train), Interrupted);
  EXPECT_EQ(ran, 2);
}

TEST(SideBySide, ThreadsAreShared) {
  EXPECT_EQ(threads_of_each(8, 3), 2);
  EXPECT_EQ(threads_of_each(2, 3), 1);
  EXPECT_GE(threads_of_each(0, 1), 1);
}

}  // namespace
}  // namespace roformer
