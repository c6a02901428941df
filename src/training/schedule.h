// Learning rate as a function of the step. training/ turns a model, an objective and a directory into a trained model:
// loop, optimiser, schedule, log, crash-safe state. It knows no command line. A callback framework was rejected: what
// happens at a step is one function one can read.
#pragma once

#include <cstdint>
#include <string_view>

namespace roformer {

enum class ScheduleKind { linear, constant, cosine, inverse_sqrt };

ScheduleKind parse_schedule(std::string_view name);  // linear, constant, cosine, inverse-sqrt; UsageError for others

struct Schedule {
  ScheduleKind kind = ScheduleKind::linear;
  double learning_rate = 1e-3;  // the peak, reached at the end of the warm-up
  int64_t warmup = 0;           // steps of linear rise from 0
  int64_t steps = 1;            // all steps, the warm-up included

  // For step 1 … steps. After the warm-up: linear and cosine fall to 0 at the step after the last; inverse-sqrt is
  // learning_rate · √(warmup / step) (Vaswani et al. 2017, with the peak given).
  double at(int64_t step) const;
};

}  // namespace roformer
