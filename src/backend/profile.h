// Profile: the time of a backend's kernels by operator, or each of their calls, and the measured peaks of the machine.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

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
  using Clock = std::chrono::steady_clock;
  // A call of an operator, or the part of it that a task of the thread has done.
  struct Event {
    const std::string& name;
    int64_t thread;  // numbered as they appear
    Clock::time_point begin, end;
  };

  explicit Profile(bool keeps_events = false) : keeps_events_(keeps_events) {}

  // Thread-safe.
  void add(std::string_view name, const Entry& entry, Clock::time_point begin, Clock::time_point end) {
    const std::lock_guard lock(mutex_);
    auto found = entries_.find(name);
    if (found == entries_.end()) found = entries_.emplace(name, Entry{}).first;
    Entry& sum = found->second;
    sum.calls += entry.calls;
    sum.seconds += entry.seconds;
    sum.operations += entry.operations;
    sum.bytes += entry.bytes;
    if (!keeps_events_) return;
    const auto thread = threads_.emplace(std::this_thread::get_id(), static_cast<int64_t>(threads_.size())).first;
    events_.push_back({found->first, thread->second, begin, end});
  }
  const Entries& entries() const { return entries_; }
  const std::vector<Event>& events() const { return events_; }

 private:
  bool keeps_events_;
  std::mutex mutex_;
  Entries entries_;
  std::map<std::thread::id, int64_t> threads_;
  std::vector<Event> events_;
};

// Adds the time until the end of its scope. Costs one branch without a profile.
class ScopedTimer {
 public:
  using Clock = Profile::Clock;

  // `share` of the wall time is this thread's: 1/threads within a task.
  ScopedTimer(Profile* profile, std::string_view name, double operations, double bytes, double share = 1)
      : profile_(profile), name_(name), entry_{1, share, operations, bytes} {
    if (profile_ != nullptr) begin_ = Clock::now();
  }
  ~ScopedTimer() {
    if (profile_ == nullptr) return;
    const auto end = Clock::now();
    entry_.seconds *= std::chrono::duration<double>(end - begin_).count();
    profile_->add(name_, entry_, begin_, end);
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
