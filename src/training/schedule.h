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
const std::string& schedule_name(ScheduleKind kind);

struct Schedule {
  ScheduleKind kind = ScheduleKind::linear;
  double learning_rate = 1e-3;  // the peak, reached at the end of the warm-up
  int64_t warmup = 0;           // steps of linear increase from 0
  int64_t steps = 1;            // total, warm-up included: the number of the last step
  int64_t begin = 0;            // steps before the first, of schedules before this one

  // Of a run that was given another end under way: up to step `after` the total was `steps`. Ascending.
  struct EarlierEnd {
    int64_t after = 0, steps = 0;
    bool operator==(const EarlierEnd&) const = default;
  };
  std::vector<EarlierEnd> earlier_ends = {};

  // For step begin + 1 … steps. After the warm-up: linear and cosine decay to 0 at the step after the last;
  // inverse-sqrt is learning_rate · √(warmup / (step − begin)) (Vaswani et al. 2017, with the peak given).
  double at(int64_t step) const;
  int64_t end_at(int64_t step) const;  // the total that `step` was or is taken with
};

// User-facing options of length and learning rate.
struct ScheduleOptions {
  std::optional<int64_t> steps = {};
  std::optional<double> epochs = {};  // instead
  std::optional<double> learning_rate = {};
  double warmup = 0.1;  // below 1: a fraction of the steps, else steps
  std::string kind = "linear";
  bool extend = false;  // continue a run with another number of steps though its learning rates depend on it

  int64_t warmup_steps(int64_t of_steps) const;
};

template <OptionsOf<ScheduleOptions> Options>
void visit_settings(Options& options, auto& visitor) {
  visitor.integer(options.steps,
                  {"steps",
                   "optimizer steps (default: the preset's); more than a run was started with: see `extend`. 0 = only "
                   "validate and save the model of `init_from`",
                   Effect::resolved},
                  {0, 1'000'000'000'000});
  visitor.real(options.epochs, {"epochs", "instead, passes over the data"}, {0, 1e9, true, false});
  visitor.real(options.learning_rate,
               {"learning_rate", "peak learning rate (default: the preset's; with `init_from` 5e-5)", Effect::resolved},
               {0, 1000});
  visitor.real(options.warmup, {"warmup", "warm-up steps; below 1 a fraction of all steps", Effect::resolved},
               {0, 1e12});
  visitor.choice(options.kind, {"schedule", "learning rate after the warm-up", Effect::result}, schedule_names());
  visitor.flag(options.extend,
               {"extend",
                "continue a run to another number of steps even if its learning rates depend on it: the optimizer "
                "keeps its state, the schedule gets a new end"});
}

// Missing values are taken from `preset`. `sequences` is the size of an epoch, used only with `epochs`, and `per_step`
// the sequences per step. UsageError for an invalid number of epochs or a warm-up longer than the run.
Schedule make_schedule(const ScheduleOptions& options, const Schedule& preset, int64_t sequences, int64_t per_step);

}  // namespace roformer
