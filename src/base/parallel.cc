#include "base/parallel.h"

#include <algorithm>
#include <string>

#include "base/signal.h"
#include "base/usable_cpus.h"

#ifdef ROFORMER_STD_THREADS
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>
#else
#include <pthread.h>
#include <sys/mman.h>

#include <cerrno>
#include <system_error>

#include <tbb/global_control.h>
#include <tbb/info.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>
#endif

namespace roformer {

#ifdef ROFORMER_STD_THREADS

// Stands in for oneTBB under the thread sanitizer, which cannot see inside Debian's oneTBB.
struct ThreadPool::Implementation {
  explicit Implementation(int threads) {
    const SignalBlock no_signals;  // threads inherit it
    for (int i = 1; i < threads; ++i) workers.emplace_back([this] { work(); });
  }
  ~Implementation() {
    {
      std::lock_guard lock(mutex);
      stop = true;
    }
    wake.notify_all();
    for (auto& worker : workers) worker.join();
  }

  void work() {
    uint64_t seen = 0;
    for (;;) {
      {
        std::unique_lock lock(mutex);
        wake.wait(lock, [&] { return stop || generation != seen; });
        if (stop) return;
        seen = generation;
      }
      drain();
      std::lock_guard lock(mutex);
      if (--busy == 0) done.notify_all();
    }
  }

  void drain() {
    const Implementation* const before = std::exchange(within, this);
    for (;;) {
      const int64_t i = next.fetch_add(1);
      if (i >= count) break;
      try {
        (*task)(i);
      } catch (...) {
        std::lock_guard lock(mutex);
        if (!error) error = std::current_exception();
      }
    }
    within = before;
  }

  void run(int64_t n, const std::function<void(int64_t)>& body) {
    if (within == this) {  // a task's own tasks
      for (int64_t i = 0; i < n; ++i) body(i);
      return;
    }
    std::lock_guard one_at_a_time(entry);
    {
      std::lock_guard lock(mutex);
      count = n;
      task = &body;
      next = 0;
      error = nullptr;
      busy = static_cast<int>(workers.size());
      ++generation;
    }
    wake.notify_all();
    drain();
    std::unique_lock lock(mutex);
    done.wait(lock, [&] { return busy == 0; });
    if (error) std::rethrow_exception(error);
  }

  static inline thread_local const Implementation* within = nullptr;  // whose task this thread runs
  std::vector<std::thread> workers;
  std::mutex entry, mutex;
  std::condition_variable wake, done;
  std::atomic<int64_t> next{0};
  int64_t count = 0;
  const std::function<void(int64_t)>* task = nullptr;
  std::exception_ptr error;
  uint64_t generation = 0;
  int busy = 0;
  bool stop = false;
};

#else

namespace {

// A oneTBB worker that cannot allocate ends the process. So before starting more threads than cores, check that their
// stacks fit the address space (ulimit -v).
void check_stack_space(int threads) {
  pthread_attr_t attributes;
  size_t stack = 0;
  pthread_attr_init(&attributes);
  pthread_attr_getstacksize(&attributes, &stack);
  pthread_attr_destroy(&attributes);
  const size_t bytes = stack * static_cast<size_t>(threads);
  void* const stacks = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (stacks == MAP_FAILED) {
    throw std::system_error(errno, std::generic_category(),
                            "not enough address space for the stacks of " + std::to_string(threads) + " threads");
  }
  munmap(stacks, bytes);
}

}  // namespace

struct ThreadPool::Implementation {
  // Without this limit oneTBB starts no more threads than cores and prints a warning. It is process-wide and the
  // smallest one applies, so it must not be below the need of any pool.
  explicit Implementation(int threads)
      : limit(threads > tbb::info::default_concurrency()
                  ? std::make_unique<tbb::global_control>(tbb::global_control::max_allowed_parallelism, kLimit)
                  : nullptr),
        arena(threads) {
    if (limit) check_stack_space(threads);
  }

  void run(int64_t count, const std::function<void(int64_t)>& task) {
    const auto all = [&] {
      tbb::parallel_for(
          tbb::blocked_range<int64_t>(0, count, 1),
          [&](const tbb::blocked_range<int64_t>& range) {
            // Workers may have been started by the host program; the caller's signal mask is restored after run().
            // (A task_scheduler_observer would do, but the leak sanitizer reports it at exit.)
            thread_local const bool quiet = (block_signals(), true);
            static_cast<void>(quiet);
            for (int64_t i = range.begin(); i != range.end(); ++i) task(i);
          },
          tbb::simple_partitioner());
    };
    // Isolated: a task that waits for tasks of its own takes no other than these.
    arena.execute([&] { tbb::this_task_arena::isolate(all); });
  }

  static constexpr size_t kLimit = 4096;
  std::unique_ptr<tbb::global_control> limit;
  tbb::task_arena arena;
};

#endif

ThreadPool::ThreadPool(int threads, int workers)
    : threads_(threads > 0 ? threads : usable_cpus()),
      workers_(workers > 0 ? workers : threads_),
      implementation_(workers_ > 1 ? std::make_unique<Implementation>(workers_) : nullptr) {}

ThreadPool::~ThreadPool() = default;

void ThreadPool::run(int64_t count, const std::function<void(int64_t)>& task) {
  if (count <= 0) return;
  const SignalBlock no_signals;
  if (observer_ == nullptr) return run_tasks(count, task);
  observer_->observe(count, workers_, task, [&](const PoolObserver::Task& seen) { run_tasks(count, seen); });
}

void ThreadPool::run_tasks(int64_t count, const std::function<void(int64_t)>& task) {
  if (count == 1 || workers_ == 1) {
    for (int64_t i = 0; i < count; ++i) task(i);
    return;
  }
  implementation_->run(count, task);
}

void for_chunks(ThreadPool& pool, int64_t count, int64_t chunk, const std::function<void(int64_t, int64_t)>& body) {
  pool.run(ceil_div(count, chunk), [&](int64_t i) { body(i * chunk, std::min(count, (i + 1) * chunk)); });
}

}  // namespace roformer
