// roformer compare: position encodings, or any other settings, under one budget.
#include "lab/compare.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/signal.h"
#include "cli/aligned.h"
#include "cli/long_work.h"
#include "cli/registry.h"
#include "cli/training_options.h"
#include "lab/grid_differences.h"
#include "lab/grid_variant.h"

namespace roformer {
namespace {

constexpr const char* kAll = "all";
const std::vector<std::string> kUsual = {"rotary", "sinusoidal", "learned", "none"};

struct CompareCommand {
  TrainingCommand training;
  std::vector<std::string> positions, attentions, sweeps, variants;
  std::string reference;
  int64_t seeds = 3, jobs = 1;
  std::vector<int64_t> lengths;
  bool json = false;
};

void describe(OptionSet& set, CompareCommand& options) {
  set.section("Comparison");
  std::vector<std::string> names(position_names().begin(), position_names().end());
  names.insert(names.begin(), kAll);
  set.add_words("--positions", options.positions,
                fmt::format("encodings to compare (default: {}; with --vary or --variant the model's own)",
                            fmt::join(kUsual, ",")),
                names);
  set.add_words(
      "--attention", options.attentions,
      "kinds of attention to compare with each encoding; -before: rotated before the feature map (default: the "
      "preset's)",
      compared_attentions());
  set.add("--vary", options.sweeps,
          "values of another option of pretrain to combine with each encoding: learning-rate=1e-3,2e-3; several lists "
          "give all combinations",
          "NAME=LIST");
  set.add("--variant", options.variants,
          "an additional variant, beside those of the lists: 'name=wide hidden-size=512 layers=2'", "SETTINGS");
  set.add("--reference", options.reference,
          "the variant that the others are compared with, seed by seed (default: the first)", "NAME");
  set.add("--seeds", options.seeds, "trainings per variant, with consecutive seeds from --seed on", {1, 10'000});
  set.add(
      "--lengths", options.lengths,
      "sequence lengths at which to evaluate the finished models on --validation-data (default: 1, 2, 4 and 8 times "
      "--max-length)",
      {3, 1 << 20});
  set.add("--jobs", options.jobs, "concurrent trainings; they share the threads", {1, 1024});
  add_json(set, options.json);
  describe_training_data(set, options.training.task,
                         "directory of the trainings; running the same command again resumes unfinished ones");
  describe_training_shape(set, options.training.task, false);
  describe_training_run(set, options.training);
  set.before_dump([&options] {
    // What varies may be the preset, and so these defaults.
    if (options.sweeps.empty() && options.variants.empty()) fill_defaults(options.training.task);
  });
}

void run(const CompareCommand& options) {
  const EngineOptions& engine = options.training.engine;
  std::vector<std::string> positions = options.positions;
  if (positions == std::vector<std::string>{kAll}) positions = {position_names().begin(), position_names().end()};
  if (positions.empty() && options.sweeps.empty() && options.variants.empty()) positions = kUsual;
  const StopOnSignal stop;
  PretrainOptions training = options.training.task;
  training.stop_token = stop.token();
  training.undivided = print_undivided;
  training.warned = print_warning;
  training.confirm = confirm_long_work(options.training.yes, engine.device);
  const Grid grid = compare({.training = training,
                             .positions = positions,
                             .attentions = options.attentions,
                             .sweeps = options.sweeps,
                             .variants = options.variants,
                             .reference = options.reference,
                             .seeds = options.seeds,
                             .lengths = options.lengths,
                             .jobs = options.jobs,
                             .device = engine.device,
                             .threads = engine.threads,
                             .precision = parse_precision(engine.dtype)});
  if (options.json) {
    for (const GridPosition& position : grid.positions) {
      std::cout << dump_json(position_json(grid, position)) << "\n";
    }
  } else {
    std::cout << aligned(grid_table(grid));
    if (const auto rows = difference_table(grid); !rows.empty()) {
      std::cout << "\n" << aligned(rows) << "(negative is better; " << kDifferenceTest << ")\n\n";
    }
    for (const std::string& note : grid.notes()) std::cout << note << "\n";
  }
  std::cerr << fmt::format("roformer: wrote {}\n", join_path(grid.directory, "report.html"));
}

}  // namespace

Command compare_command() {
  return {.name = "compare",
          .summary = "Train one model with several position encodings, settings and seeds, and compare them",
          .group = "Train",
          .example =
              "roformer compare --positions rotary,sinusoidal,none --seeds 3 --data text.txt "
              "--validation-data held-out.txt --tokenizer tokenizer --output grid",
          .prepare = prepare_with<CompareCommand>(describe, run)};
}

}  // namespace roformer
