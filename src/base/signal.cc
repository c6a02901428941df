#include "base/signal.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <vector>

namespace roformer {

namespace {

// A signal handler can reach nothing but a global.
std::atomic<bool> signaled{false};
static_assert(std::atomic<bool>::is_always_lock_free);

// The stop sources of all instances; process-wide, as signal handlers are.
struct Stops {
  std::mutex mutex;
  std::vector<std::stop_source> sources;
  struct sigaction old_interrupt {
  }, old_terminate{};
};
Stops stops;

extern "C" void note_signal(int signal) {
  const bool again = signaled.exchange(true);
  if (again && signal == SIGINT) ::_exit(130);
}

// request_stop() takes a lock, so it is called by the receiving thread, not by a handler.
void request_stops() {
  if (!signaled) return;
  std::vector<std::stop_source> sources;
  {
    const std::lock_guard lock(stops.mutex);
    sources = stops.sources;
  }
  for (std::stop_source& source : sources) source.request_stop();
}

// All signals except synchronous faults: if blocked, those would kill the process without running its handler.
sigset_t signals_from_outside() {
  sigset_t signals;
  sigfillset(&signals);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) sigdelset(&signals, fault);
  return signals;
}

thread_local int64_t blocks = 0;  // of this thread; system calls cost as much as a small kernel

}  // namespace

SignalBlock::SignalBlock() {
  if (blocks++ > 0) return;
  const sigset_t signals = signals_from_outside();
  ::pthread_sigmask(SIG_BLOCK, &signals, &before_);
}

SignalBlock::~SignalBlock() {
  if (--blocks == 0) ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

void block_signals() {
  if (blocks > 0) return;
  ++blocks;
  const sigset_t signals = signals_from_outside();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

StopOnSignal::StopOnSignal() {
  if (!receive_signals_in_own_thread()) return;
  const std::lock_guard lock(stops.mutex);
  stops.sources.push_back(source_);
  if (stops.sources.size() > 1) return;
  signaled = false;
  struct sigaction action {};
  action.sa_handler = note_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, &stops.old_interrupt);
  ::sigaction(SIGTERM, &action, &stops.old_terminate);
}

StopOnSignal::~StopOnSignal() {
  const std::lock_guard lock(stops.mutex);
  if (std::erase(stops.sources, source_) == 0 || !stops.sources.empty()) return;
  ::sigaction(SIGINT, &stops.old_interrupt, nullptr);
  ::sigaction(SIGTERM, &stops.old_terminate, nullptr);
}

bool receive_signals_in_own_thread() {
  static const bool started = [] {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // threads inherit it
    const auto wait = [](void*) -> void* {
      sigset_t none;
      sigemptyset(&none);
      while (true) {
        ::sigsuspend(&none);
        request_stops();
      }
    };
    pthread_t thread;
    if (::pthread_create(&thread, nullptr, wait, nullptr) == 0) {
      ::pthread_detach(thread);
      return true;
    }
    ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);  // better than no Ctrl-C
    return false;
  }();
  return started;
}

void ignore_file_size_signal() { ::signal(SIGXFSZ, SIG_IGN); }

}  // namespace roformer
