// The training loop: steps (training_step.h), log, validation, saving, resuming.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>

#include "base/progress.h"
#include "base/setting.h"
#include "training/objective.h"
#include "training/optimizer.h"
#include "training/run_directory.h"
#include "training/schedule.h"

namespace roformer {

// What happens how often; of no effect on the result. The last step is always logged, validated and saved.
struct Intervals {
  int64_t validate_every = 100, save_every = 100, log_every = 10;  // steps
  int64_t histograms_every = 0;  // steps; 0 = none. Of every gradient (before clipping) and weight, for TensorBoard
  int64_t keep = 2;              // snapshots
};

template <OptionsOf<Intervals> Options>
void visit_settings(Options& options, auto& visitor) {
  visitor.integer(options.validate_every, {"validate_every", "steps"}, {1});
  visitor.integer(options.save_every, {"save_every", "steps"}, {1});
  visitor.integer(options.log_every, {"log_every", "steps"}, {1});
  visitor.integer(options.histograms_every,
                  {"histograms_every", "steps between TensorBoard histograms of all gradients and weights; 0 = none"},
                  {0});
  visitor.integer(options.keep, {"keep", "snapshots to keep"}, {1, 1'000'000});
}

// Steps of a run: done when this process took it up, done so far, and all.
struct StepCount {
  int64_t start = 0, done = 0, all = 0;
};

struct TrainerOptions {
  Schedule schedule;  // says how many steps there are
  OptimizerOptions optimizer;
  Intervals intervals;
  RandomStream random;
  Progress::Output output = Progress::Output::standard_error();  // of progress and notices
  std::stop_token stop_token = {};                               // looked at after each step
  // Also log tokens by CPU time: that of the whole process, so only where it does nothing else meanwhile.
  bool cpu_speed = false;
  // What progress shows in place of the speed and the times of this run alone; called after each step.
  std::function<std::string(const StepCount&)> times = nullptr;
};

struct TrainingResult {
  int64_t steps = 0;   // done in all
  int64_t tokens = 0;  // seen in all
  Evaluation validation;
};

// Trains from the directory's newest snapshot (or the model as it is, at step 0) to the last step. Interrupted after
// saving when the token asks to stop; DataError, with nothing overwritten, when a loss or gradient is not finite. The
// result is a function of model, objective and options: no thread count, no interruption shows.
TrainingResult train(Model& model, Objective& objective, const TrainerOptions& options, RunDirectory& directory);

}  // namespace roformer
