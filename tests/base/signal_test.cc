#include "base/signal.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <thread>

namespace roformer {
namespace {

void ignore(int) {}

// No signal is pending and the stop has been requested.
bool stopped(const std::stop_token& token) {
  const auto waits = [] {
    sigset_t pending;
    ::sigpending(&pending);
    return sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1;
  };
  for (int i = 0; i < 5000 && (waits() || !token.stop_requested()); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return token.stop_requested();
}

// Sent to the process, whose receiving thread handles it.
bool stops(const std::stop_token& token, int signal) {
  ::kill(::getpid(), signal);
  return stopped(token);
}

TEST(StopOnSignal, TurnsSignalsIntoARequestAndRestoresTheHandlers) {
  struct sigaction mine {};
  mine.sa_handler = ignore;
  struct sigaction before {
  }, after{};
  ::sigaction(SIGTERM, &mine, &before);
  {
    const StopOnSignal stop;
    EXPECT_FALSE(stop.token().stop_requested());
    EXPECT_TRUE(stops(stop.token(), SIGTERM));
    EXPECT_TRUE(stops(stop.token(), SIGTERM));
  }
  {
    const StopOnSignal stop;
    EXPECT_FALSE(stop.token().stop_requested());
    EXPECT_TRUE(stops(stop.token(), SIGINT));
  }
  ::sigaction(SIGTERM, &before, &after);
  EXPECT_EQ(after.sa_handler, ignore);
}

TEST(StopOnSignal, OneSignalStopsAllAndTheLastRestores) {
  struct sigaction before {
  }, during{}, after{};
  ::sigaction(SIGTERM, nullptr, &before);
  auto first = std::make_unique<StopOnSignal>();
  auto second = std::make_unique<StopOnSignal>();
  EXPECT_TRUE(stops(first->token(), SIGTERM));
  EXPECT_TRUE(stopped(second->token()));
  first.reset();
  ::sigaction(SIGTERM, nullptr, &during);
  EXPECT_NE(during.sa_handler, before.sa_handler);
  second.reset();
  ::sigaction(SIGTERM, nullptr, &after);
  EXPECT_EQ(after.sa_handler, before.sa_handler);
}

TEST(StopOnSignal, ASecondInterruptQuitsWith130) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // a process of its own, with its own receiving thread
  EXPECT_EXIT(
      {
        const StopOnSignal stop;
        if (!stops(stop.token(), SIGINT)) ::_exit(1);
        ::kill(::getpid(), SIGINT);
        std::this_thread::sleep_for(std::chrono::seconds(5));
        ::_exit(2);
      },
      testing::ExitedWithCode(130), "");
}

}  // namespace
}  // namespace roformer
