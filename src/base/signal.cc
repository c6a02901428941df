#include "base/signal.h"

#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <mutex>

namespace roformer {

namespace {

// A signal handler can reach nothing but a global.
std::atomic<bool> stop_requested{false};
static_assert(std::atomic<bool>::is_always_lock_free);

// All guards of the process: its handlers are one thing, too.
struct Guards {
  std::mutex mutex;
  int count = 0;
  struct sigaction old_interrupt {
  }, old_terminate{};
};
Guards guards;

extern "C" void request_stop(int signal) {
  const bool again = stop_requested.exchange(true);
  if (again && signal == SIGINT) ::_exit(130);
}

// All signals but those that the kernel raises for what a thread itself has done: blocked, these would kill the process
// without its handler.
sigset_t signals_from_outside() {
  sigset_t signals;
  sigfillset(&signals);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) sigdelset(&signals, fault);
  return signals;
}

}  // namespace

SignalBlock::SignalBlock() {
  const sigset_t signals = signals_from_outside();
  ::pthread_sigmask(SIG_BLOCK, &signals, &before_);
}

SignalBlock::~SignalBlock() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

void block_signals() {
  const sigset_t signals = signals_from_outside();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

InterruptGuard::InterruptGuard() {
  const std::lock_guard lock(guards.mutex);
  if (guards.count++ > 0) return;
  stop_requested = false;
  struct sigaction action {};
  action.sa_handler = request_stop;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, &guards.old_interrupt);
  ::sigaction(SIGTERM, &action, &guards.old_terminate);
}

InterruptGuard::~InterruptGuard() {
  const std::lock_guard lock(guards.mutex);
  if (--guards.count > 0) return;
  ::sigaction(SIGINT, &guards.old_interrupt, nullptr);
  ::sigaction(SIGTERM, &guards.old_terminate, nullptr);
}

bool interrupted() { return stop_requested; }

void receive_signals_in_own_thread() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // threads inherit it
  const auto wait = [](void*) -> void* {
    sigset_t none;
    sigemptyset(&none);
    while (true) ::sigsuspend(&none);
  };
  pthread_t thread;
  if (::pthread_create(&thread, nullptr, wait, nullptr) == 0) {
    ::pthread_detach(thread);
  } else {
    ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);  // no threads to be had: better than no Ctrl-C
  }
}

void ignore_file_size_signal() { ::signal(SIGXFSZ, SIG_IGN); }

}  // namespace roformer
