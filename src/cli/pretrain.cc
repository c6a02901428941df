// roformer pretrain: a masked or causal language model from plain text.
#include "training/pretrain.h"

#include <fmt/format.h>

#include <iostream>

#include "base/signal.h"
#include "cli/long_work.h"
#include "cli/registry.h"
#include "cli/training_options.h"

namespace roformer {
namespace {

void describe(OptionSet& set, TrainingCommand& options) {
  describe_training_data(set, options.task, "training directory; running the same command again resumes it");
  describe_training_shape(set, options.task, true);
  describe_training_run(set, options);
  set.before_dump([&options] { fill_defaults(options.task); });
}

void run(const TrainingCommand& options) {
  const Engine engine(options.engine);
  const StopOnSignal stop;
  PretrainOptions task = options.task;
  task.stop_token = stop.token();
  task.undivided = print_undivided;
  task.warned = print_warning;
  task.confirm = confirm_long_work(options.yes, options.engine.device);
  const PretrainResult result = pretrain(task, *engine.backend);
  if (result.already_finished) {
    std::cout << fmt::format("{}: already finished after step {}\n", options.task.output, result.training.steps);
    return;
  }
  const Evaluation& validation = result.training.validation;
  std::string text = fmt::format("{}: step {}", options.task.output, result.training.steps);
  if (validation.labels > 0) {
    text += fmt::format(", validation loss {:.4f}", validation.loss);
    if (validation.accuracy) text += fmt::format(", accuracy {:.1f} %", 100 * *validation.accuracy);
  }
  if (validation.perplexity) text += fmt::format(", perplexity {:.4g}", *validation.perplexity);
  if (validation.bits_per_character) text += fmt::format(", {:.4f} bits per character", *validation.bits_per_character);
  if (result.training.best) text += fmt::format("; the best validation was at step {}", result.training.best->step);
  std::cout << text << "\n";
}

}  // namespace

Command pretrain_command() {
  return {.name = "pretrain",
          .summary = "Train a masked or causal language model from plain text",
          .group = "Train",
          .example = "roformer pretrain --data text.txt --tokenizer tokenizer --steps 400 --output model",
          .prepare = prepare_with<TrainingCommand>(describe, run)};
}

}  // namespace roformer
