// Learning rate as a function of the step. training/ turns a model, an objective and a directory into a trained model:
// loop, optimizers, schedule, log, crash-safe state. It knows no command line. A callback framework was rejected: what
// happens at a step is one function one can read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/setting.h"

namespace roformer {

enum class ScheduleKind { linear, constant, cosine, inverse_sqrt };

const std::vector<std::string>& schedule_names();    // linear, constant, cosine, inverse-sqrt
ScheduleKind parse_schedule(std::string_view name);  // UsageError for others

struct Schedule {
  ScheduleKind kind = ScheduleKind::linear;
  double learning_rate = 1e-3;  // the peak, reached at the end of the warm-up
  int64_t warmup = 0;           // steps of linear rise from 0
  int64_t steps = 1;            // all steps, the warm-up included

  // For step 1 … steps. After the warm-up: linear and cosine fall to 0 at the step after the last; inverse-sqrt is
  // learning_rate · √(warmup / step) (Vaswani et al. 2017, with the peak given).
  double at(int64_t step) const;
};

// How long a run is and how fast it learns, as people say it.
struct ScheduleOptions {
  std::optional<int64_t> steps = {};
  std::optional<double> epochs = {};  // instead
  std::optional<double> learning_rate = {};
  double warmup = 0.1;  // a share of the steps below 1, else steps
  std::string kind = "linear";
};

template <OptionsOf<ScheduleOptions> Options>
void visit_settings(Options& options, auto& visitor) {
  visitor.integer(options.steps, {"steps", "updates (default: the preset's)", Effect::resolved},
                  {1, 1'000'000'000'000});
  visitor.real(options.epochs, {"epochs", "instead, passes over the data"}, {0, 1e9, true, false});
  visitor.real(options.learning_rate, {"learning_rate", "peak (default: the preset's)", Effect::resolved}, {0, 1000});
  visitor.real(options.warmup, {"warmup", "steps of rising rate; below 1 a share of all steps", Effect::resolved},
               {0, 1e12});
  visitor.choice(options.kind, {"schedule", "the rate after the warm-up", Effect::result}, schedule_names());
}

// What is left open is `preset`'s. `sequences` is the size of an epoch, read only where epochs are asked for, and
// `per_step` how many of them a step takes. UsageError for epochs of no number of steps, and a warm-up longer than all.
Schedule make_schedule(const ScheduleOptions& options, const Schedule& preset, int64_t sequences, int64_t per_step);

}  // namespace roformer
