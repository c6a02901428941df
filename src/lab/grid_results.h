// The results of a grid of trainings (lab/compare.h), read from its directory:
//   grid.json                    what was asked for: variants (grid_variant.h, varied_settings.h), seeds, lengths
//   VARIANT-SEED/                a training directory each, with measured.json and lengths.json beside its own files
//   results.json, report.html    made from these
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "lab/length_evaluation.h"

namespace roformer {

// What was asked for.
struct GridPlan {
  std::string objective;
  std::vector<std::string> positions;  // names of variants
  std::vector<int64_t> seeds;
  int64_t max_length = 0;        // of the training's sequences
  std::vector<int64_t> lengths;  // evaluated at; empty: there was no separate validation text
  // Of variants that differ in other settings: these, {"learning-rate": 0.001}.
  std::map<std::string, Json> settings = {};
  std::string reference = {};  // the variant that the others are compared with; empty: the first

  std::string run_name(const std::string& position, int64_t seed) const;
};
void write_grid_plan(const GridPlan& plan, const std::string& directory);
bool is_grid(const std::string& directory);

// How a run was measured: how many trainings the process ran concurrently, and its peak resident size meanwhile, in
// bytes, where there was one at a time.
struct RunMeasure {
  int64_t jobs = 0;  // 0 = not known
  std::optional<int64_t> peak_memory;
};
RunMeasure read_measure(const std::string& run);
void write_measure(const RunMeasure& measure, const std::string& run);

struct GridRun {
  std::string directory;
  int64_t seed = 0;
  int64_t step = 0, steps = 0;  // logged last; planned
  int64_t max_length = 0;
  bool finished = false;
  Evaluation validation;             // at the last step; labels are not known
  double tokens_per_cpu_second = 0;  // median of the log; 0 = not known
  RunMeasure measure;
  std::optional<double> unigram_loss = {};  // training/unigram_baseline.h
  std::vector<LengthScore> lengths;
};

struct GridPosition {
  std::string position;
  std::optional<int64_t> parameters;
  std::vector<GridRun> runs;       // that have started, by seed
  int64_t max_length = 0;          // of its training's sequences
  Json settings = Json::object();  // as in the plan

  // Of the finished runs, those that have it.
  std::vector<double> losses() const;
  std::vector<double> accuracies() const;
  std::vector<double> perplexities() const;
  std::vector<double> speeds() const;  // tokens per CPU second; none unless all runs trained one at a time
  std::vector<double> memories() const;
  std::vector<double> unigram_losses() const;
  std::vector<double> length_losses(const std::string& scaling, int64_t length) const;
  std::vector<double> length_accuracies(const std::string& scaling, int64_t length) const;
  // The mean over runs of each part's loss; empty where there is none.
  std::vector<double> part_losses(const std::string& scaling, int64_t length) const;
  std::string reason(const std::string& scaling, int64_t length) const;  // why there is no score; empty if not known
  std::vector<std::string> scalings() const;                             // "" first
};

struct Grid {
  std::string directory;
  GridPlan plan;
  std::vector<GridPosition> positions;  // in the order asked for

  // Parameters that the others are counted from: those of `none`, or else the fewest.
  std::optional<int64_t> base_parameters() const;
  // Whether variants differ in other settings than position encoding and attention.
  bool sweeps() const { return !plan.settings.empty(); }
  // The one length that all were trained at, if it is one.
  std::optional<int64_t> common_max_length() const;
  // Notes to print with the numbers: too few seeds, no loss below the unigram baseline, speeds that cannot be compared,
  // what is missing.
  std::vector<std::string> notes() const;
};

// Runs that have not started are left out. FileError without a grid.json; DataError for damaged files.
Grid read_grid(const std::string& directory);

// One object per encoding, with all its numbers; the lines of `compare --json`.
Json position_json(const Grid& grid, const GridPosition& position);
// All of it: results.json.
Json grid_json(const Grid& grid);

// The results as columns of texts, the first row their names.
std::vector<std::vector<std::string>> grid_table(const Grid& grid);

}  // namespace roformer
