#include "base/signal.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

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
