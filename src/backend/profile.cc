#include "backend/profile.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace roformer {

namespace {

// What a thread is doing.
struct Doing {
  ScopedTimer* timer = nullptr;         // the innermost one, also of the thread whose task this is
  std::string_view* unnamed = nullptr;  // the name of the region whose task this is, to be set by the first timer
  bool task = false;
};
thread_local Doing doing;

double seconds_between(Profile::Clock::time_point begin, Profile::Clock::time_point end) {
  return std::chrono::duration<double>(end - begin).count();
}

}  // namespace

void ScopedTimer::start() {
  outer_ = std::exchange(doing.timer, this);
  if (doing.unnamed != nullptr) *std::exchange(doing.unnamed, nullptr) = name_;
  begin_ = Clock::now();
}

void ScopedTimer::stop() {
  const auto end = Clock::now();
  doing.timer = outer_;
  const double seconds = entry_.seconds * seconds_between(begin_, end);
  if (outer_ != nullptr) outer_->subtract(seconds);
  entry_.seconds = std::max(0.0, seconds - within_.load(std::memory_order_relaxed));
  profile_->add(name_, entry_, begin_, end);
}

Profile::Entry& Profile::entry(std::string_view name) {
  const auto found = entries_.find(name);
  return found != entries_.end() ? found->second : entries_.emplace(name, Entry{}).first->second;
}

void Profile::add(std::string_view name, const Entry& entry, Clock::time_point begin, Clock::time_point end) {
  const std::lock_guard lock(mutex_);
  Entry& sum = this->entry(name);
  sum.calls += entry.calls;
  sum.seconds += entry.seconds;
  sum.operations += entry.operations;
  sum.bytes += entry.bytes;
  if (!keeps_.events) return;
  const auto thread = threads_.emplace(std::this_thread::get_id(), static_cast<int64_t>(threads_.size())).first;
  events_.push_back({entries_.find(name)->first, thread->second, begin, end});
}

void Profile::observe(int64_t count, int workers, const Task& task, const std::function<void(const Task&)>& run) {
  if (doing.task) return run(task);
  ScopedTimer* const caller = doing.timer;
  // The first task names a region that no operator has made.
  std::string_view name = caller != nullptr ? caller->name_ : "everything else";
  Region region{.name = {}, .seconds = 0, .tasks = std::vector<double>(static_cast<size_t>(count))};
  const auto begin = Clock::now();
  run([&](int64_t i) {
    const Doing before = std::exchange(doing, {caller, caller == nullptr && i == 0 ? &name : nullptr, true});
    const auto start = Clock::now();
    const auto done = [&] {
      region.tasks[static_cast<size_t>(i)] = seconds_between(start, Clock::now());
      doing = before;
    };
    try {
      task(i);
    } catch (...) {
      done();
      throw;
    }
    done();
  });
  const auto end = Clock::now();
  region.name = name;
  region.seconds = seconds_between(begin, end);
  const double busy = std::accumulate(region.tasks.begin(), region.tasks.end(), 0.0) / workers;
  const double waiting = std::max(0.0, region.seconds - busy);
  if (caller != nullptr) caller->subtract(waiting);
  const std::lock_guard lock(mutex_);
  Entry& sum = entry(kWaiting);
  ++sum.calls;
  sum.seconds += waiting;
  if (keeps_.regions) regions_.push_back(std::move(region));
}

}  // namespace roformer
