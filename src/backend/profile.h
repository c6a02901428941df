// Profile: the time of a backend's kernels by operator, or each of their calls, what threads lose by waiting for each
// other, and how work is divided into tasks; the measured peaks of the machine.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/parallel.h"

namespace roformer {

// Measured peaks of all threads of a pool together; 0 where the backend measures none or the CPU lacks such products.
struct MachinePeaks {
  double float32 = 0, bfloat16 = 0, int8 = 0;  // multiplications and additions per second, in matrix products
  double registers = 0;                        // the same of float32 instructions that read no memory
  double bandwidth = 0;                        // bytes read and written per second by a copy larger than the caches
};

class ScopedTimer;

class Profile final : public PoolObserver {
 public:
  struct Entry {
    int64_t calls = 0;
    double seconds =
        0;  // wall time without that of operators and waiting within: what one of n threads does counts 1/n
    double operations = 0;  // multiplications and additions of its matrix products
    double bytes = 0;       // read and written, each tensor once, by an operator without products
  };

  using Entries = std::map<std::string, Entry, std::less<>>;
  using Clock = std::chrono::steady_clock;
  // A call of an operator, or the part of it that a task of the thread has done.
  struct Event {
    const std::string& name;
    int64_t thread;  // numbered as they appear
    Clock::time_point begin, end;
  };
  // A call of ThreadPool::run() by what was no task itself.
  struct Region {
    std::string name;           // of the operator that made it, or of the first one within
    double seconds;             // wall time
    std::vector<double> tasks;  // seconds of each, in the order of their numbers
  };
  struct Keeps {
    bool events = false, regions = false;
  };

  // The entry of threads that wait for others, at the end of a region.
  static constexpr std::string_view kWaiting = "waiting for other threads";

  Profile() = default;
  explicit Profile(const Keeps& keeps) : keeps_(keeps) {}

  // Thread-safe.
  void add(std::string_view name, const Entry& entry, Clock::time_point begin, Clock::time_point end);
  void observe(int64_t count, int workers, const Task& task, const std::function<void(const Task&)>& run) override;
  const Entries& entries() const { return entries_; }
  const std::vector<Event>& events() const { return events_; }
  const std::vector<Region>& regions() const { return regions_; }

 private:
  Entry& entry(std::string_view name);

  Keeps keeps_;
  std::mutex mutex_;
  Entries entries_;
  std::map<std::thread::id, int64_t> threads_;
  std::vector<Event> events_;
  std::vector<Region> regions_;
};

// Adds the time until the end of its scope, without that of timers within and of waiting. Costs one branch without a
// profile.
class ScopedTimer {
 public:
  using Clock = Profile::Clock;

  // `share` of the wall time is this thread's: 1/threads within a task.
  ScopedTimer(Profile* profile, std::string_view name, double operations, double bytes, double share = 1)
      : profile_(profile), name_(name), entry_{1, share, operations, bytes} {
    if (profile_ != nullptr) start();
  }
  ~ScopedTimer() {
    if (profile_ != nullptr) stop();
  }
  ScopedTimer(const ScopedTimer&) = delete;
  ScopedTimer& operator=(const ScopedTimer&) = delete;

 private:
  friend class Profile;
  void start();
  void stop();
  void subtract(double seconds) { within_.fetch_add(seconds, std::memory_order_relaxed); }

  Profile* profile_;
  std::string_view name_;
  Profile::Entry entry_;
  Clock::time_point begin_;
  ScopedTimer* outer_ = nullptr;
  std::atomic<double> within_ = 0;  // seconds of other entries; tasks of several threads add to it
};

}  // namespace roformer
