#include "training/grid_clock.h"

#include <fmt/format.h>

#include <utility>

#include "base/progress.h"

namespace roformer {

GridClock::GridClock(std::vector<double> work, std::function<double()> seconds)
    : seconds_(std::move(seconds)), start_(seconds_()) {
  for (const double amount : work) trainings_.push_back({.work = amount});
}

void GridClock::skip(size_t training) {
  const std::lock_guard lock(mutex_);
  trainings_[training].share_at_start = trainings_[training].share = 1;
}

void GridClock::finish(size_t training) {
  const std::lock_guard lock(mutex_);
  trainings_[training].share = 1;
}

std::string GridClock::update(size_t training, const StepCount& steps) {
  const std::lock_guard lock(mutex_);
  const auto all = static_cast<double>(steps.all);
  trainings_[training].share_at_start = static_cast<double>(steps.start) / all;
  trainings_[training].share = static_cast<double>(steps.done) / all;
  return text();
}

std::string GridClock::text() const {
  double done = 0, left = 0;
  for (const Training& training : trainings_) {
    done += training.work * (training.share - training.share_at_start);
    left += training.work * (1 - training.share);
  }
  const double elapsed = seconds_() - start_;
  std::string text = fmt::format("all trainings: elapsed {}", format_duration(elapsed));
  if (done > 0) text += fmt::format(", remaining {}", format_duration(elapsed * left / done));
  return text;
}

}  // namespace roformer
