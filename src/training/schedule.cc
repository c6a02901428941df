#include "training/schedule.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"

namespace roformer {

const std::vector<std::string>& schedule_names() {
  static const std::vector<std::string> names = {"linear", "constant", "cosine", "inverse-sqrt"};  // as the enum
  return names;
}

ScheduleKind parse_schedule(std::string_view name) {
  const auto found = std::ranges::find(schedule_names(), name);
  if (found != schedule_names().end()) return static_cast<ScheduleKind>(found - schedule_names().begin());
  throw UsageError("{} is '{}'; expected {}", FieldName("schedule"), name, fmt::join(schedule_names(), ", "));
}

const std::string& schedule_name(ScheduleKind kind) { return schedule_names()[static_cast<size_t>(kind)]; }

int64_t Schedule::end_at(int64_t step) const {
  for (const EarlierEnd& earlier : earlier_ends) {
    if (step <= earlier.after) return earlier.steps;
  }
  return steps;
}

double Schedule::at(int64_t step) const {
  const int64_t own = step - begin;
  if (own <= warmup) return learning_rate * static_cast<double>(own) / static_cast<double>(warmup);
  const double done = static_cast<double>(own - warmup - 1);
  const double share = done / static_cast<double>(std::max<int64_t>(1, end_at(step) - begin - warmup));
  switch (kind) {
    case ScheduleKind::linear: return learning_rate * (1 - share);
    case ScheduleKind::cosine: return learning_rate * 0.5 * (1 + std::cos(std::numbers::pi * share));
    case ScheduleKind::inverse_sqrt:
      return learning_rate * std::sqrt(static_cast<double>(std::max<int64_t>(1, warmup)) / static_cast<double>(own));
    case ScheduleKind::constant: break;
  }
  return learning_rate;
}

int64_t ScheduleOptions::warmup_steps(int64_t of_steps) const {
  return std::llround(warmup < 1 ? warmup * static_cast<double>(of_steps) : warmup);
}

Schedule make_schedule(const ScheduleOptions& options, const Schedule& preset, int64_t sequences, int64_t per_step) {
  Schedule schedule{.kind = parse_schedule(options.kind),
                    .learning_rate = options.learning_rate.value_or(preset.learning_rate),
                    .warmup = 0,
                    .steps = options.steps.value_or(preset.steps)};
  if (options.epochs) {
    const double steps = std::ceil(*options.epochs * static_cast<double>(sequences) / static_cast<double>(per_step));
    if (!(steps >= 1 && steps < 1e15))
      throw UsageError("{} {} gives no number of steps", FieldName("epochs"), *options.epochs);
    schedule.steps = static_cast<int64_t>(steps);
  }
  schedule.warmup = options.warmup_steps(schedule.steps);
  if (schedule.warmup > schedule.steps) {
    throw UsageError("{} {} is longer than the run of {} steps", FieldName("warmup"), schedule.warmup, schedule.steps);
  }
  return schedule;
}

}  // namespace roformer
