// One update of a model: forward and backward of each micro-batch, checks, clipping, schedule, optimizer. Used by the
// trainer and by the library's step-wise API.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "training/lora.h"
#include "training/objective.h"
#include "training/optimizer.h"
#include "training/schedule.h"
#include "training/step_options.h"
#include "training/weight_average.h"

namespace roformer {

class TrainingStep {
 public:
  struct Result {
    double loss = 0;  // before the update, mean over the step's labels
    double gradient_norm = 0, learning_rate = 0;
  };

  struct Options {
    std::string on_failure;       // what state remains after a failed step: ends the error message
    bool keep_gradients = false;  // else they are zeroed
    std::stop_token stop = {};
  };

  // `model` is trainable, has the gradients that freeze() leaves with these options, and must outlive this. `random` is
  // common to all steps.
  TrainingStep(const Model& model, const OptimizerOptions& optimizer, const Schedule& schedule, RandomStream random,
               const StepOptions& options = {});

  // Step 1 is the first. The loss weighs all labels equally, regardless of micro-batches. DataError if the loss or
  // gradient is not finite, Interrupted if a stop is requested; the model is then unchanged.
  Result run(int64_t step, MicroBatches& batches, const Options& options);

  // What a snapshot needs beside the weights, as named views for saving and loading: the optimizer's state, averages,
  // and the matrices of LoRA.
  std::vector<std::pair<std::string, Tensor>> state() const;

  // Null unless weights are averaged.
  WeightAverage* average() { return average_ ? &*average_ : nullptr; }
  // Null without LoRA.
  const LoraAdapters* lora() const { return lora_ ? &*lora_ : nullptr; }

 private:
  double pass(RandomStream random, int64_t step, MicroBatches& batches, const Options& options);
  void adversarial_pass(RandomStream random, int64_t step, MicroBatches& batches, const Options& options);

  const Model& model_;
  Schedule schedule_;
  RandomStream random_;
  StepOptions options_;
  std::optional<LoraAdapters> lora_;
  std::unique_ptr<Optimizer> optimizer_;
  std::optional<WeightAverage> average_;
};

// Throws DataError "step 3: the WHAT is infinite; ON_FAILURE" unless the value is finite.
void check_finite(int64_t step, double value, const std::string& what, const std::string& on_failure);

}  // namespace roformer
