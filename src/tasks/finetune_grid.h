// Several fine-tunings that differ in learning rate, seed and fold, and what they say together. Its directory:
//   runs/grid.json      what was asked for
//   runs/NAME/          a training directory each, named by what varies: learning-rate-2e-05-seed-1
//   the model, evaluation.json and predictions.jsonl of the best run
//   results.json, report.html
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "metrics/score_table.h"
#include "metrics/statistics.h"
#include "tasks/finetune.h"

namespace roformer {

struct FinetuneGridOptions {
  // Of every run but for what varies; `output` is the grid's directory. With `folds` and without `fold`, each fold is a
  // run.
  FinetuneOptions training;
  std::vector<double> learning_rates;  // empty: that of `training`
  std::optional<int64_t> seeds;        // how many, from training.seed on; empty: that one
  // Choose the learning rate on the first seed, and run the others with that one only.
  bool rate_on_first_seed = false;
  int64_t jobs = 1;  // concurrent trainings; the results are bit-identical
  std::string device = "cpu";
  int64_t threads = 0;  // of all jobs together; 0 = one for each CPU that may be used
  Precision precision = Precision::float32;
};

// Whether these are several runs.
bool is_grid_of_runs(const FinetuneGridOptions& options);

struct FinetuneRun {
  std::string name;  // its directory is runs/NAME
  std::optional<double> learning_rate;
  std::optional<int64_t> seed, fold;
  std::optional<ScoreTable> scores = {};  // once it is finished
  double loss = 0;                        // of the validation examples
};

// The runs of one learning rate and seed: one, or all folds, whose predictions are scored together.
struct FinetuneRepetition {
  std::vector<size_t> runs;  // indices
  std::optional<double> learning_rate;
  std::optional<int64_t> seed;
  std::optional<ScoreTable> scores = {};  // once all are finished
  double loss = 0;                        // mean over examples

  std::optional<double> metric(const std::string& name) const;  // or "loss"; empty where it is undefined
};

struct FinetuneGrid {
  std::string directory, task;
  std::string metric;  // that chooses
  std::vector<FinetuneRun> runs;
  std::vector<FinetuneRepetition> repetitions;  // in the order of learning rates, then seeds
  std::optional<size_t> best_repetition, best_run;

  std::string run_directory(size_t run) const;
  // The learning rates in order, each with its repetitions.
  std::vector<std::vector<size_t>> by_learning_rate() const;
  // Of those repetitions that have it.
  std::vector<double> values(const std::vector<size_t>& of, const std::string& name) const;
};

// Trains what is not finished, publishes the best run by its validation, and writes the results and the page. Each run
// checks for itself that its directory was started with the same settings. When a run fails, those beside it finish, no
// other is started, and its error is thrown, with its name. UsageError for options that do not fit together; errors of
// finetune(). Interrupted after all running trainings are saved.
FinetuneGrid finetune_grid(const FinetuneGridOptions& options);

bool is_finetune_grid(const std::string& directory);
// Also of an unfinished grid. `pool` computes intervals of pooled folds.
FinetuneGrid read_finetune_grid(const std::string& directory, ThreadPool& pool);

}  // namespace roformer
