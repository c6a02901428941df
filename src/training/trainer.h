// The training loop: steps (training_step.h), log, validation, saving, resuming.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "base/progress.h"
#include "base/setting.h"
#include "training/best.h"
#include "training/objective.h"
#include "training/optimizer.h"
#include "training/run_directory.h"
#include "training/schedule.h"
#include "training/training_step.h"

namespace roformer {

// Intervals in steps, which do not affect the result. The last step is always logged, validated and saved, also if it
// is step 0.
struct Intervals {
  int64_t validate_every = 100, save_every = 100, log_every = 10;  // steps
  int64_t histograms_every = 0;  // of gradients (before clipping) and weights, for TensorBoard; 0 = never
  int64_t keep = 2;              // snapshots to retain
};

template <OptionsOf<Intervals> Options>
void visit_settings(Options& options, auto& visitor) {
  visitor.integer(options.validate_every, {"validate_every", "steps between validations"}, {1});
  visitor.integer(options.save_every, {"save_every", "steps between snapshots"}, {1});
  visitor.integer(options.log_every, {"log_every", "steps between log entries"}, {1});
  visitor.integer(options.histograms_every,
                  {"histograms_every", "steps between TensorBoard histograms of all gradients and weights; 0 = none"},
                  {0});
  visitor.integer(options.keep, {"keep", "snapshots to retain"}, {1, 1'000'000});
}

// Steps of a run: done when this process took it up, done so far, and all.
struct StepCount {
  int64_t start = 0, done = 0, all = 0;
};

struct TrainerOptions {
  Schedule schedule;  // includes the number of steps
  OptimizerOptions optimizer;
  StepOptions step = {};
  std::string base_model = {};  // the weights that it starts from, as an adapter names them
  Intervals intervals;
  RandomStream random;
  int64_t stage = 0;            // of a training in stages, from 1: named in the log
  bool validate_first = false;  // also before the first step, as step 0
  // Publish the weights of the best validation instead of the last ones, and stop without progress. The result then
  // depends on when validations are.
  std::optional<BestOptions> best = {};
  // With `best`: at the end, the mean of the weights of the last so many snapshots, those of every save_every-th step
  // and of the end, is validated, too. 1: it is not.
  int64_t average_snapshots = 1;
  Progress::Output output = Progress::Output::standard_error();  // of progress and notices
  std::stop_token stop_token = {};                               // polled after each step
  // Also log tokens by CPU time: that of the whole process, so only where it does nothing else meanwhile.
  bool cpu_speed = false;
  // What progress shows in place of the speed and the times of this run alone; called after each step.
  std::function<std::string(const StepCount&)> times = nullptr;
};

struct TrainingResult {
  int64_t steps = 0;                        // total, earlier runs included
  int64_t tokens = 0;                       // total, earlier runs included
  Evaluation validation;                    // the last one; without labels if there was none
  std::optional<BestValidation> best = {};  // whose weights are published
};

// Trains from the directory's newest snapshot (else from the given model at step 0) to the last step, or until `best`
// ends it early; the model then has the last weights. Interrupted,
// after saving, if a stop is requested; DataError, with nothing overwritten, for a non-finite loss or gradient. The
// result is a function of model, objective and options, independent of thread count and interruptions.
TrainingResult train(Model& model, Objective& objective, const TrainerOptions& options, RunDirectory& directory);

}  // namespace roformer
