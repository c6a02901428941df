// Profile: the time of a backend's kernels by operator, and the measured peaks of the machine.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace roformer {

// Measured peaks of all threads of a pool together; 0 where the backend measures none or the CPU lacks such products.
struct MachinePeaks {
  double float32 = 0, bfloat16 = 0, int8 = 0;  // multiplications and additions per second, in matrix products
  double bandwidth = 0;                        // bytes read and written per second by a copy larger than the caches
};

class Profile {
 public:
  struct Entry {
    int64_t calls = 0;
    double seconds = 0;     // wall time: what one of n threads does counts 1/n
    double operations = 0;  // multiplications and additions of its matrix products
    double bytes = 0;       // read and written, each tensor once, by an operator without products
  };

  using Entries = std::map<std::string, Entry, std::less<>>;

  // Thread-safe.
  void add(std::string_view name, const Entry& entry) {
    const std::lock_guard lock(mutex_);
    auto found = entries_.find(name);
    if (found == entries_.end()) found = entries_.emplace(name, Entry{}).first;
    Entry& sum = found->second;
    sum.calls += entry.calls;
    sum.seconds += entry.seconds;
    sum.operations += entry.operations;
    sum.bytes += entry.bytes;
  }
  const Entries& entries() const { return entries_; }

 private:
  std::mutex mutex_;
  Entries entries_;
};

// Adds the time until the end of its scope. Costs one branch without a profile.
class ScopedTimer {
 public:
  using Clock = std::chrono::steady_clock;

  // `share` of the wall time is this thread's: 1/threads within a task.
  ScopedTimer(Profile* profile, std::string_view name, double operations, double bytes, double share = 1)
      : profile_(profile), name_(name), entry_{1, share, operations, bytes} {
    if (profile_ != nullptr) begin_ = Clock::now();
  }
  ~ScopedTimer() {
    if (profile_ == nullptr) return;
    entry_.seconds *= std::chrono::duration<double>(Clock::now() - begin_).count();
    profile_->add(name_, entry_);
  }
  ScopedTimer(const ScopedTimer&) = delete;
  ScopedTimer& operator=(const ScopedTimer&) = delete;

 private:
  Profile* profile_;
  std::string_view name_;
  Profile::Entry entry_;
  Clock::time_point begin_;
};

}  // namespace roformer
