// The one seam between this project and threads: a pool that runs numbered tasks.
// Tasks must not depend on which thread runs them or in which order; then results are the same bits at any thread
// count. No signal from outside interrupts a task (SignalBlock in base/signal.h says why); it waits for the end of
// run() at most.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace roformer {

class ThreadPool {
 public:
  // `threads` >= 1 counts the calling thread; 0 means one for each CPU that the process may use (base/usable_cpus.h).
  // std::system_error if so many, more than there are cores, have no room in the process.
  explicit ThreadPool(int threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return threads_; }

  // Calls task(i) once for every i in [0, count) and returns when all are done. The first exception is rethrown here.
  // Any number of threads may call it at once; they share the pool's threads.
  void run(int64_t count, const std::function<void(int64_t)>& task);

 private:
  struct Implementation;
  int threads_;
  std::unique_ptr<Implementation> implementation_;
};

// How many pieces of at most `size` make `count`.
constexpr int64_t ceil_div(int64_t count, int64_t size) { return (count + size - 1) / size; }

// Calls body(begin, end) over [0, count) in chunks of `chunk` (the last may be shorter). Chunks depend on the count
// only.
void for_chunks(ThreadPool& pool, int64_t count, int64_t chunk, const std::function<void(int64_t, int64_t)>& body);

}  // namespace roformer
