// roformer finetune: a model and labeled files → a model with a head, or for sentence vectors.
#include "tasks/finetune.h"

#include <fmt/format.h>

#include <iostream>

#include "base/signal.h"
#include "cli/engine.h"
#include "cli/registry.h"
#include "cli/score_lines.h"
#include "cli/setting_options.h"

namespace roformer {
namespace {

struct FinetuneCommand {
  FinetuneOptions task;
  EngineOptions engine;
};

void describe(OptionSet& set, FinetuneCommand& options) {
  set.section("Data");
  SettingOptions settings(set);
  visit_data_settings(options.task, settings);
  set.add("--output", options.task.output, "training directory; running the same command again resumes it", "DIR");
  set.require("--output");
  set.section("Model");
  visit_model_settings(options.task, settings);
  set.section("Sentence vectors");
  visit_similarity_settings(options.task.vectors, options.task.task, settings);
  set.section("Run");
  visit_run_settings(options.task, settings);
  add_engine(set, options.engine, true);
}

void run(const FinetuneCommand& options) {
  const Engine engine(options.engine);
  const StopOnSignal stop;
  FinetuneOptions task = options.task;
  task.stop_token = stop.token();
  task.warned = print_warning;
  const FinetuneResult result = finetune(task, *engine.backend);
  if (result.already_finished) {
    std::cout << fmt::format("{}: already finished after step {}\n", task.output, result.training.steps);
    return;
  }
  const std::string best =
      result.training.best ? fmt::format(", best weights of step {}", result.training.best->step) : "";
  std::cout << fmt::format("{}: step {}{}; {} validation examples\n{}", task.output, result.training.steps, best,
                           result.scores->examples, score_lines(*result.scores));
}

}  // namespace

Command finetune_command() {
  return {.name = "finetune",
          .summary = "Train on labeled files: classification, tagging, answers, choices, numbers, sentence vectors",
          .group = "Train",
          .example = "roformer finetune --model model --task mrpc --train train.tsv --validation dev.tsv --output mrpc",
          .prepare = prepare_with<FinetuneCommand>(describe, run)};
}

}  // namespace roformer
