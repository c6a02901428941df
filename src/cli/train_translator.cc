// roformer train-translator: parallel text → a translator.
#include "tasks/translation/train_translator.h"

#include <fmt/format.h>

#include <iostream>

#include "base/signal.h"
#include "cli/engine.h"
#include "cli/long_work.h"
#include "cli/registry.h"
#include "cli/setting_options.h"

namespace roformer {
namespace {

struct TrainTranslatorCommand {
  TrainTranslatorOptions task;
  EngineOptions engine;
  bool yes = false;
};

void describe(OptionSet& set, TrainTranslatorCommand& options) {
  // What is for models of one half, and for unscaled embeddings.
  SettingOptions settings(set, {"freeze", "fgm_epsilon", "lora_rank", "lora_alpha", "lora_targets", "lora_save",
                                "layer_decay", "sinusoidal_scale"});
  set.section("Data");
  visit_data_settings(options.task, settings);
  set.add("--output", options.task.output, "training directory; running the same command again resumes it", "DIR");
  set.require("--output");
  set.section("Model");
  visit_model_settings(options.task, settings);
  set.section("Run");
  visit_run_settings(options.task, settings);
  add_engine(set, options.engine, true);
  set.add("--yes", options.yes, "start without confirmation even if estimated to take more than 24 hours");
}

void run(const TrainTranslatorCommand& options) {
  const Engine engine(options.engine);
  const StopOnSignal stop;
  TrainTranslatorOptions task = options.task;
  task.stop_token = stop.token();
  task.warned = print_warning;
  task.confirm = confirm_long_work(options.yes, options.engine.device);
  const TrainTranslatorResult result = train_translator(task, *engine.backend);
  if (result.already_finished) {
    std::cout << fmt::format("{}: already finished after step {}\n", task.output, result.training.steps);
    return;
  }
  std::string text = fmt::format("{}: step {}", task.output, result.training.steps);
  if (const auto& best = result.training.best) {
    text += fmt::format("; published are the weights of step {}, validation loss {:.4f}", best->step,
                        best->evaluation.loss);
    for (const auto& [name, value] : best->evaluation.metrics) text += fmt::format(", {} {:.2f}", name, value);
  }
  std::cout << text << "\n";
}

}  // namespace

Command train_translator_command() {
  return {.name = "train-translator",
          .summary = "Train a translator from parallel text",
          .group = "Train",
          .example =
              "roformer train-translator --source train.en --target train.de --validation-source valid.en "
              "--validation-target valid.de --output en-de",
          .prepare = prepare_with<TrainTranslatorCommand>(describe, run)};
}

}  // namespace roformer
