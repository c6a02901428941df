// roformer finetune: a model and labeled files → a model with a head, or for sentence vectors, by one training or the
// best of several.
#include "tasks/finetune.h"

#include <fmt/format.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/inapplicable_error.h"
#include "base/json.h"
#include "base/signal.h"
#include "cli/aligned.h"
#include "cli/engine.h"
#include "cli/registry.h"
#include "cli/score_lines.h"
#include "cli/setting_options.h"
#include "tasks/finetune_grid.h"
#include "tasks/finetune_grid_page.h"

namespace roformer {
namespace {

const std::vector<std::string> kSelections = {"all", "first-seed"};

struct FinetuneCommand {
  FinetuneGridOptions grid;
  std::string select_rate = kSelections[0];
  EngineOptions engine;
  bool json = false;
};

void describe(OptionSet& set, FinetuneCommand& options) {
  FinetuneOptions& task = options.grid.training;
  set.section("Data");
  SettingOptions settings(set);
  visit_data_settings(task, settings);
  set.add("--output", task.output, "training directory; running the same command again resumes it", "DIR");
  set.require("--output");
  set.section("Model");
  visit_model_settings(task, settings);
  set.section("Sentence vectors");
  visit_similarity_settings(task.vectors, task.task, settings);
  set.section("Several runs, each a directory in OUTPUT/runs; the best by validation is published in OUTPUT");
  set.add("--seeds", options.grid.seeds, "runs per learning rate, with consecutive seeds from --seed on", {1, 10'000});
  set.add("--learning-rates", options.grid.learning_rates, "learning rates to try, each with all seeds",
          {0, 1e3, true, false});
  set.add_choice("--select-rate", options.select_rate, kSelections,
                 "run all seeds with every learning rate, or choose one on the first seed and run the others with it");
  set.add("--jobs", options.grid.jobs, "concurrent runs; they share the threads", {1, 1024});
  set.section("Run");
  visit_run_settings(task, settings);
  add_json(set, options.json);
  add_engine(set, options.engine, true);
}

void run_one(const FinetuneCommand& options, const FinetuneOptions& task) {
  const Engine engine(options.engine);
  const FinetuneResult result = finetune(task, *engine.backend);
  if (options.json) {
    std::cout << dump_json(JsonObject::read(join_path(task.output, "evaluation.json")).value()) << "\n";
    return;
  }
  if (result.already_finished) {
    std::cout << fmt::format("{}: already finished after step {}\n", task.output, result.training.steps);
    return;
  }
  const std::string best =
      result.training.best ? fmt::format(", best weights of step {}", result.training.best->step) : "";
  std::cout << fmt::format("{}: step {}{}; {} validation examples\n{}", task.output, result.training.steps, best,
                           result.scores->examples, score_lines(*result.scores));
}

void run_grid(const FinetuneCommand& options, FinetuneGridOptions grid_options) {
  grid_options.rate_on_first_seed = options.select_rate == kSelections[1];
  grid_options.device = options.engine.device;
  grid_options.threads = options.engine.threads;
  grid_options.precision = parse_precision(options.engine.dtype);
  const FinetuneGrid grid = finetune_grid(grid_options);
  if (options.json) {
    std::cout << dump_json(finetune_grid_json(grid)) << "\n";
  } else {
    const bool one = grid.repetitions.size() == 1;  // all folds of one setting
    std::cout << (one ? score_lines(*grid.repetitions[0].scores) : aligned(finetune_grid_table(grid)))
              << best_run_text(grid) << "\n";
  }
  std::cerr << fmt::format("roformer: wrote {}\n", join_path(grid.directory, "report.html"));
}

void run(const FinetuneCommand& options) {
  const StopOnSignal stop;
  FinetuneGridOptions grid = options.grid;
  grid.training.stop_token = stop.token();
  grid.training.warned = print_warning;
  if (is_grid_of_runs(grid)) return run_grid(options, grid);
  if (grid.jobs > 1 || options.select_rate != kSelections[0]) {
    throw InapplicableError("{} is for several runs, expected {} or {}",
                            FieldName(grid.jobs > 1 ? "jobs" : "select_rate"), FieldName("seeds"),
                            FieldName("learning_rates"));
  }
  run_one(options, grid.training);
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
