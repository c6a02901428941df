// Learning-rate schedules. training/ has the training loop, optimizers, schedules, logging and crash-safe state,
// independent of the command line. A callback framework was rejected: a step is one readable function.
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
  int64_t warmup = 0;           // steps of linear increase from 0
  int64_t steps = 1;            // total, warm-up included

  // For step 1 … steps. After the warm-up: linear and cosine decay to 0 at the step after the last; inverse-sqrt is
  // learning_rate · √(warmup / step) (Vaswani et al. 2017, with the peak given).
  double at(int64_t step) const;
};

// User-facing options of length and learning rate.
struct ScheduleOptions {
  std::optional<int64_t> steps = {};
  std::optional<double> epochs = {};  // instead
  std::optional<double> learning_rate = {};
  double warmup = 0.1;  // below 1: a fraction of the steps, else steps
  std::string kind = "linear";
};

template <OptionsOf<ScheduleOptions> Options>
void visit_settings(Options& options, auto& visitor) {
  visitor.integer(options.steps, {"steps", "optimizer steps (default: the preset's)", Effect::resolved},
                  {1, 1'000'000'000'000});
  visitor.real(options.epochs, {"epochs", "instead, passes over the data"}, {0, 1e9, true, false});
  visitor.real(options.learning_rate, {"learning_rate", "peak learning rate (default: the preset's)", Effect::resolved},
               {0, 1000});
  visitor.real(options.warmup, {"warmup", "warm-up steps; below 1 a fraction of all steps", Effect::resolved},
               {0, 1e12});
  visitor.choice(options.kind, {"schedule", "learning rate after the warm-up", Effect::result}, schedule_names());
}

// Missing values are taken from `preset`. `sequences` is the size of an epoch, used only with `epochs`, and `per_step`
// the sequences per step. UsageError for an invalid number of epochs or a warm-up longer than the run.
Schedule make_schedule(const ScheduleOptions& options, const Schedule& preset, int64_t sequences, int64_t per_step);

}  // namespace roformer
