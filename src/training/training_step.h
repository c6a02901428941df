// One update of a model: forward and backward of each micro-batch, checks, clipping, schedule, optimizer. The trainer
// makes long runs of it, the library the steps that a program asks for.
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>

#include "training/objective.h"
#include "training/optimizer.h"
#include "training/schedule.h"

namespace roformer {

class TrainingStep {
 public:
  struct Result {
    double loss = 0;  // before the update, a mean over the step's labels
    double gradient_norm = 0, learning_rate = 0;
  };

  struct Options {
    std::string kept;             // what a person has left when the step fails: the end of that message
    bool keep_gradients = false;  // else they are zero afterwards
    std::stop_token stop = {};
  };

  // Of this model, which is trainable and stays with its owner. `random` is that of all steps.
  TrainingStep(const Model& model, const OptimizerOptions& optimizer, const Schedule& schedule, RandomStream random);

  // Step 1 is the first. The loss counts every label alike, however the batches are cut. DataError when the loss or the
  // gradient is not finite, Interrupted when the token asks to stop: the model is then as it was.
  Result run(int64_t step, MicroBatches& batches, const Options& options);

  Optimizer& optimizer() { return *optimizer_; }
  const Optimizer& optimizer() const { return *optimizer_; }

 private:
  double pass(int64_t step, MicroBatches& batches, const Options& options);

  const Model& model_;
  std::unique_ptr<Optimizer> optimizer_;
  Schedule schedule_;
  RandomStream random_;
};

// DataError "step 3: the WHAT is infinite; KEPT" unless the value is finite.
void check_finite(int64_t step, double value, const std::string& what, const std::string& kept);

}  // namespace roformer
