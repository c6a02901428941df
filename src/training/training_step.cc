#include "training/training_step.h"

#include <cmath>
#include <vector>

#include "base/error.h"

namespace roformer {

void check_finite(int64_t step, double value, const std::string& what, const std::string& on_failure) {
  if (std::isfinite(value)) return;
  throw DataError("step {}: the {} is {}; {}", step, what, std::isnan(value) ? "not a number" : "infinite", on_failure);
}

TrainingStep::TrainingStep(const Model& model, const OptimizerOptions& optimizer, const Schedule& schedule,
                           RandomStream random)
    : model_(model), optimizer_(make_optimizer(model, optimizer)), schedule_(schedule), random_(random) {}

TrainingStep::Result TrainingStep::run(int64_t step, MicroBatches& batches, const Options& options) {
  optimizer_->zero_gradients();
  Result result{.loss = pass(step, batches, options),
                .gradient_norm = optimizer_->gradient_norm(),
                .learning_rate = schedule_.at(step)};
  check_finite(step, result.gradient_norm,
               fmt::format("gradient norm after micro-batch {}", batches.micro_batches() - 1), options.on_failure);
  optimizer_->step(step, result.learning_rate, result.gradient_norm, options.keep_gradients);
  return result;
}

// Accumulates the gradients and returns the loss, waiting for the backend once.
double TrainingStep::pass(int64_t step, MicroBatches& batches, const Options& options) {
  const RandomStream random = substream(random_, static_cast<uint64_t>(step));
  const double scale = batches.labels() > 0 ? 1.0 / static_cast<double>(batches.labels()) : 0;
  const auto context_of = [&](int64_t i) {
    return Context{.backend = model_.backend(),
                   .random = substream(random, static_cast<uint64_t>(i)),
                   .training = true,
                   .step = step,
                   .stop = options.stop};
  };
  batches.before_pass(context_of);
  std::vector<Loss> losses;
  for (int64_t i = 0; i < batches.micro_batches(); ++i) {
    Tape tape;
    Context context = context_of(i);
    context.tape = &tape;
    losses.push_back(batches.forward(context, i, scale));
    tape.backward();
  }
  double loss = 0;
  for (size_t i = 0; i < losses.size(); ++i) {
    const double part = losses[i].read().sum * scale;
    check_finite(step, part, fmt::format("loss of micro-batch {}", i), options.on_failure);
    loss += part;
  }
  return loss;
}

}  // namespace roformer
