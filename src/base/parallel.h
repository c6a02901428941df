// The thread pool that all computation runs on.
// Tasks must not depend on which thread runs them or in which order, so that results are bit-identical at any thread
// count. Signals from outside never interrupt a task (see SignalBlock in base/signal.h); they wait until run() ends at
// most.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace roformer {

// Sees the calls of ThreadPool::run(), for profiles. Thread-safe.
class PoolObserver {
 public:
  using Task = std::function<void(int64_t)>;

  virtual ~PoolObserver() = default;
  // Must call run(), once, with `task` or a task that calls it. `workers` threads do all tasks.
  virtual void observe(int64_t count, int workers, const Task& task, const std::function<void(const Task&)>& run) = 0;
};

class ThreadPool {
 public:
  // `threads` >= 1 includes the calling thread; 0 means one per CPU the process may use (base/usable_cpus.h).
  // std::system_error if more threads than cores are requested and their stacks do not fit the address space.
  // With `workers`, kernels divide their work for `threads` although only so many compute it: how work would be divided
  // on a larger machine can be seen on a smaller one.
  explicit ThreadPool(int threads = 0, int workers = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return threads_; }
  // Not owned, or null. Must not be called during run().
  void set_observer(PoolObserver* observer) { observer_ = observer; }

  // Calls task(i) once for every i in [0, count) and returns when all are done. The first exception is rethrown here.
  // Any number of threads may call it at once, and so may tasks; they share the pool's threads.
  void run(int64_t count, const std::function<void(int64_t)>& task);

 private:
  struct Implementation;
  void run_tasks(int64_t count, const std::function<void(int64_t)>& task);

  int threads_, workers_;
  PoolObserver* observer_ = nullptr;
  std::unique_ptr<Implementation> implementation_;
};

// ⌈count / size⌉.
constexpr int64_t ceil_div(int64_t count, int64_t size) { return (count + size - 1) / size; }

// Calls body(begin, end) over [0, count) in chunks of `chunk` (the last may be shorter). The chunks do not depend on
// the number of threads.
void for_chunks(ThreadPool& pool, int64_t count, int64_t chunk, const std::function<void(int64_t, int64_t)>& body);

}  // namespace roformer
