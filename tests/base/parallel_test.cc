#include "base/parallel.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/signal.h"
#include "base/usable_cpus.h"

namespace roformer {
namespace {

class Pools : public testing::TestWithParam<int> {
 protected:
  ThreadPool pool_{GetParam()};
};

TEST_P(Pools, RunEveryTaskOnce) {
  for (const int64_t count : {0, 1, 2, 1000}) {
    std::vector<std::atomic<int>> seen(static_cast<size_t>(count));
    pool_.run(count, [&](int64_t i) { ++seen[static_cast<size_t>(i)]; });
    for (const auto& times : seen) EXPECT_EQ(times, 1);
  }
}

TEST_P(Pools, RethrowAndGoOn) {
  for (int round = 0; round < 3; ++round) {
    EXPECT_THROW(pool_.run(100,
                           [](int64_t i) {
                             if (i == 57) throw std::runtime_error("57");
                           }),
                 std::runtime_error);
    std::atomic<int> done{0};
    pool_.run(10, [&](int64_t) { ++done; });
    EXPECT_EQ(done, 10);
  }
}

TEST_P(Pools, ServeManyThreadsAtOnce) {
  std::atomic<int64_t> sum{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 6; ++caller) {
    callers.emplace_back([&] {
      for (int round = 0; round < 50; ++round) pool_.run(20, [&](int64_t i) { sum += i; });
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(sum, 6 * 50 * 190);
}

TEST_P(Pools, LetTasksHaveTasks) {
  std::vector<std::atomic<int>> seen(24);
  pool_.run(4, [&](int64_t i) {
    for (int round = 0; round < 20; ++round) {
      pool_.run(6, [&](int64_t j) { ++seen[static_cast<size_t>(6 * i + j)]; });
    }
  });
  for (const auto& times : seen) EXPECT_EQ(times, 20);
  EXPECT_THROW(pool_.run(3, [&](int64_t) { pool_.run(3, [](int64_t) { throw std::runtime_error("inner"); }); }),
               std::runtime_error);
}

bool blocked(int signal) {
  sigset_t mask;
  ::pthread_sigmask(SIG_BLOCK, nullptr, &mask);
  return sigismember(&mask, signal) == 1;
}

TEST_P(Pools, NoSignalFromOutsideInterruptsATask) {
  std::atomic<int> open{0}, deaf{0};
  for (const int64_t count : {1, 64}) {
    pool_.run(count, [&](int64_t) {
      for (const int signal : {SIGINT, SIGTERM, SIGALRM, SIGPROF, SIGCHLD, SIGUSR1, SIGWINCH}) open += !blocked(signal);
      for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) deaf += blocked(signal);
      std::this_thread::sleep_for(std::chrono::microseconds(100));  // so that every thread participates
    });
  }
  EXPECT_EQ(open, 0);
  EXPECT_EQ(deaf, 0);
  EXPECT_FALSE(blocked(SIGALRM));
  EXPECT_THROW(pool_.run(1, [](int64_t) { throw std::runtime_error(""); }), std::runtime_error);
  EXPECT_FALSE(blocked(SIGALRM));
}

std::atomic<int> handled{0};

TEST_P(Pools, ASignalThatComesMeanwhileIsHandledAfterwards) {
  struct sigaction action {
  }, before{};
  action.sa_handler = [](int) { ++handled; };
  ::sigaction(SIGUSR1, &action, &before);
  handled = 0;
  int during = -1;
  pool_.run(1, [&](int64_t) {
    ::kill(::getpid(), SIGUSR1);
    during = handled;
  });
  EXPECT_EQ(during, 0);
  EXPECT_EQ(handled, 1);
  ::sigaction(SIGUSR1, &before, nullptr);
}

INSTANTIATE_TEST_SUITE_P(Threads, Pools, testing::Values(1, 2, 5));

TEST(ThreadPool, OneThreadPerUsableCpuByDefault) {
  EXPECT_EQ(ThreadPool().threads(), usable_cpus());
  EXPECT_EQ(ThreadPool(3).threads(), 3);
}

// A small pool must not take threads away from a large one.
TEST(ThreadPool, PoolsAreIndependent) {
  const ThreadPool one(1);
  ThreadPool two(2), four(4);
  std::atomic<int> together{0}, most{0};
  two.run(8, [](int64_t) {});
  for (int attempt = 0; attempt < 100 && most < 4; ++attempt) {
    four.run(4, [&](int64_t) {
      const int now = ++together;
      for (int before = most; before < now && !most.compare_exchange_weak(before, now);) {
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      --together;
    });
  }
  EXPECT_EQ(most, 4);
}

}  // namespace
}  // namespace roformer
