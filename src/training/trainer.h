// The training loop: micro-batches, backward, clipping, AdamW, validation, saving, resuming.
#pragma once

#include <cstdint>
#include <stop_token>

#include "base/progress.h"
#include "training/objective.h"
#include "training/optimizer.h"
#include "training/run_directory.h"
#include "training/schedule.h"

namespace roformer {

struct TrainerOptions {
  Schedule schedule;  // says how many steps there are
  AdamWOptions optimizer;
  int64_t validate_every = 100;  // steps; the last step is always validated
  int64_t save_every = 100;      // steps; the last step is always saved
  int64_t log_every = 10;
  int64_t histograms_every = 0;  // steps; 0 = none. Of every gradient (before clipping) and weight, for TensorBoard
  int keep = 2;                  // snapshots
  RandomStream random;
  Progress::Output output = Progress::Output::standard_error();  // of progress and notices
  std::stop_token stop_token = {};                               // looked at after each step
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
