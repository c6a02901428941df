// roformer pretrain: a masked or causal language model from plain text.
#include "training/pretrain.h"

#include <fmt/format.h>

#include <iostream>

#include "base/inapplicable_error.h"
#include "base/signal.h"
#include "cli/long_work.h"
#include "cli/registry.h"
#include "cli/stage_file.h"
#include "cli/training_options.h"

namespace roformer {
namespace {

struct PretrainCommand {
  TrainingCommand training;
  std::string stages;  // a file; empty: one stage
};

// Not the length of a training whose stages have their own.
void fill_shown_defaults(PretrainCommand& options) {
  PretrainOptions& task = options.training.task;
  const ScheduleOptions given = task.schedule;
  fill_defaults(task);
  if (options.stages.empty()) return;
  task.schedule.steps = given.steps;
  task.schedule.warmup = given.warmup;
}

void describe(OptionSet& set, PretrainCommand& options) {
  TrainingCommand& training = options.training;
  describe_training_data(set, training.task, "training directory; running the same command again resumes it");
  describe_training_shape(set, training.task, true);
  describe_training_run(set, training);
  set.add("--stages", options.stages,
          "train in stages, one after the other: a TOML file with a table [[stage]] for each, whose keys are steps "
          "(required), max-length, batch (sequences) or batch-tokens, accumulate, learning-rate, warmup, schedule, "
          "mask-probability, whole-word, data and validation-data",
          "FILE");
  set.before_dump([&options] { fill_shown_defaults(options); });
}

std::vector<PretrainOptions> stages_of(const PretrainCommand& options, const PretrainOptions& task) {
  if (options.stages.empty()) return {task};
  const ScheduleOptions& schedule = task.schedule;
  for (const auto& [given, name] :
       {std::pair(schedule.steps.has_value(), "steps"), std::pair(schedule.epochs.has_value(), "epochs"),
        std::pair(schedule.extend, "extend")}) {
    if (given)
      throw InapplicableError("{} does not go with {}, where each stage has its steps", FieldName(name),
                              FieldName("stages"));
  }
  return read_stages(options.stages, task);
}

void run(const PretrainCommand& options) {
  const TrainingCommand& training = options.training;
  const Engine engine(training.engine);
  const StopOnSignal stop;
  PretrainOptions task = training.task;
  task.stop_token = stop.token();
  task.undivided = print_undivided;
  task.warned = print_warning;
  task.confirm = confirm_long_work(training.yes, training.engine.device);
  const PretrainResult result = pretrain(stages_of(options, task), *engine.backend);
  if (result.already_finished) {
    std::cout << fmt::format("{}: already finished after step {}\n", task.output, result.training.steps);
    return;
  }
  const Evaluation& validation = result.training.validation;
  std::string text = fmt::format("{}: step {}", task.output, result.training.steps);
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
          .prepare = prepare_with<PretrainCommand>(describe, run)};
}

}  // namespace roformer
