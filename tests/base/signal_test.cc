#include "base/signal.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>

namespace roformer {
namespace {

void ignore(int) {}

TEST(InterruptGuard, TurnsSignalsIntoAFlagAndRestoresTheHandlers) {
  struct sigaction mine {};
  mine.sa_handler = ignore;
  struct sigaction before {
  }, after{};
  ::sigaction(SIGTERM, &mine, &before);
  {
    InterruptGuard guard;
    EXPECT_FALSE(interrupted());
    ::raise(SIGTERM);
    EXPECT_TRUE(interrupted());
    ::raise(SIGTERM);
  }
  {
    InterruptGuard guard;
    EXPECT_FALSE(interrupted());
    ::raise(SIGINT);
    EXPECT_TRUE(interrupted());
  }
  ::sigaction(SIGTERM, &before, &after);
  EXPECT_EQ(after.sa_handler, ignore);
}

TEST(InterruptGuard, OfSeveralTheFirstCatchesAndTheLastRestores) {
  struct sigaction before {
  }, during{}, after{};
  ::sigaction(SIGTERM, nullptr, &before);
  auto first = std::make_unique<InterruptGuard>();
  ::raise(SIGTERM);
  auto second = std::make_unique<InterruptGuard>();
  EXPECT_TRUE(interrupted());
  first.reset();
  ::sigaction(SIGTERM, nullptr, &during);
  EXPECT_NE(during.sa_handler, before.sa_handler);
  second.reset();
  ::sigaction(SIGTERM, nullptr, &after);
  EXPECT_EQ(after.sa_handler, before.sa_handler);
}

TEST(InterruptGuard, ASecondInterruptQuitsWith130) {
  const pid_t child = ::fork();
  if (child == 0) {
    InterruptGuard guard;
    ::raise(SIGINT);
    ::raise(SIGINT);
    ::_exit(1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 130);
}

}  // namespace
}  // namespace roformer
