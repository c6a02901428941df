#include "training/training_step.h"

#include <cmath>
#include <vector>

#include "base/error.h"
#include "training/scaled.h"

namespace roformer {

void check_finite(int64_t step, double value, const std::string& what, const std::string& on_failure) {
  if (std::isfinite(value)) return;
  throw DataError("step {}: the {} is {}; {}", step, what, std::isnan(value) ? "not a number" : "infinite", on_failure);
}

TrainingStep::TrainingStep(const Model& model, const OptimizerOptions& optimizer, const Schedule& schedule,
                           RandomStream random, const StepOptions& options)
    : model_(model), schedule_(schedule), random_(random), options_(options) {
  const double layer_decay = optimizer.layer_decay.value_or(1);
  std::vector<TrainedParameter> trained = trained_parameters(model, layer_decay);
  if (options.lora.rank) {
    constexpr uint64_t kLora = uint64_t{1} << 62;  // no step
    lora_.emplace(model, options.lora, layer_decay, substream(random, kLora));
    trained = lora_->replace(std::move(trained));
  }
  optimizer_ = make_optimizer(model.backend(), trained, optimizer);
  if (options.ema_decay) average_.emplace(model, *options.ema_decay);
}

TrainingStep::Result TrainingStep::run(int64_t step, MicroBatches& batches, const Options& options) {
  optimizer_->zero_gradients();
  if (lora_) lora_->zero_gradients();
  const RandomStream random = substream(random_, static_cast<uint64_t>(step));
  Result result{.loss = pass(random, step, batches, options), .learning_rate = schedule_.at(step)};
  if (options_.fgm_epsilon) adversarial_pass(random, step, batches, options);
  if (lora_) lora_->collect_gradients();
  result.gradient_norm = optimizer_->gradient_norm();
  check_finite(step, result.gradient_norm,
               fmt::format("gradient norm after micro-batch {}", batches.micro_batches() - 1), options.on_failure);
  optimizer_->step(step, result.learning_rate, result.gradient_norm, options.keep_gradients);
  if (lora_) lora_->merge();
  if (average_) average_->update(step);
  return result;
}

std::vector<std::pair<std::string, Tensor>> TrainingStep::state() const {
  auto all = optimizer_->state();
  const auto add = [&](auto more) { all.insert(all.end(), more.begin(), more.end()); };
  if (lora_) add(lora_->state());
  if (average_) add(average_->state());
  return all;
}

// A pass at w + ε · g / ‖g‖ of the word embeddings w, with their gradient g so far; they are then what they were.
void TrainingStep::adversarial_pass(RandomStream random, int64_t step, MicroBatches& batches, const Options& options) {
  Backend& backend = model_.backend();
  const Parameter& words = model_.trunk().word_embeddings();
  const double norm = std::sqrt(backend.squared_norm({&words.gradient, 1}));
  if (!(norm > 0) || !std::isfinite(norm)) return;
  const Tensor before = copy_of(backend, words.value);
  add_scaled(backend, *options_.fgm_epsilon / norm, words.gradient, words.value);
  constexpr uint64_t kAdversarial = uint64_t{1} << 62;  // no micro-batch: dropout of its own
  try {
    pass(substream(random, kAdversarial), step, batches, options);
  } catch (...) {
    backend.copy(before, words.value);
    throw;
  }
  backend.copy(before, words.value);
}

// Accumulates the gradients and returns the loss, waiting for the backend once.
double TrainingStep::pass(RandomStream random, int64_t step, MicroBatches& batches, const Options& options) {
  const double scale = batches.labels() > 0 ? 1.0 / static_cast<double>(batches.labels()) : 0;
  const auto context_of = [&](int64_t i) {
    return Context{.backend = model_.backend(),
                   .random = substream(random, static_cast<uint64_t>(i)),
                   .training = true,
                   .step = step,
                   .stop = options.stop,
                   .checkpointing = options_.gradient_checkpointing};
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
