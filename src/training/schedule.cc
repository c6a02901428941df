#include "training/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"

namespace roformer {

ScheduleKind parse_schedule(std::string_view name) {
  if (name == "linear") return ScheduleKind::linear;
  if (name == "constant") return ScheduleKind::constant;
  if (name == "cosine") return ScheduleKind::cosine;
  if (name == "inverse-sqrt") return ScheduleKind::inverse_sqrt;
  throw UsageError("unknown schedule '{}'; expected linear, constant, cosine or inverse-sqrt", name);
}

double Schedule::at(int64_t step) const {
  if (step <= warmup) return learning_rate * static_cast<double>(step) / static_cast<double>(warmup);
  const double done = static_cast<double>(step - warmup - 1);
  const double share = done / static_cast<double>(std::max<int64_t>(1, steps - warmup));
  switch (kind) {
    case ScheduleKind::linear: return learning_rate * (1 - share);
    case ScheduleKind::cosine: return learning_rate * 0.5 * (1 + std::cos(std::numbers::pi * share));
    case ScheduleKind::inverse_sqrt:
      return learning_rate * std::sqrt(static_cast<double>(std::max<int64_t>(1, warmup)) / static_cast<double>(step));
    case ScheduleKind::constant: break;
  }
  return learning_rate;
}

}  // namespace roformer
