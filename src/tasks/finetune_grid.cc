#include "tasks/finetune_grid.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/inapplicable_error.h"
#include "base/json.h"
#include "checkpoint/snapshots.h"
#include "data/labeled/tasks.h"
#include "tasks/finetune_grid_page.h"
#include "training/grid_clock.h"
#include "training/side_by_side.h"

namespace roformer {

namespace {

constexpr const char* kGridPlan = "runs/grid.json";

std::string run_name(const FinetuneRun& run) {
  std::vector<std::string> parts;
  if (run.learning_rate) parts.push_back(fmt::format("learning-rate-{}", *run.learning_rate));
  if (run.seed) parts.push_back(fmt::format("seed-{}", *run.seed));
  if (run.fold) parts.push_back(fmt::format("fold-{}", *run.fold));
  return fmt::format("{}", fmt::join(parts, "-"));
}

Json optional_json(const auto& value) { return value ? Json(*value) : Json(); }

bool all_folds(const FinetuneOptions& training) { return training.folds && !training.fold; }

void check_options(const FinetuneGridOptions& options) {
  const FinetuneOptions& training = options.training;
  if (training.output.empty()) throw UsageError("{} is empty, expected a directory", FieldName("output"));
  if (options.jobs < 1) throw UsageError("{} is {}, expected at least 1", FieldName("jobs"), options.jobs);
  if (options.seeds && *options.seeds < 1) {
    throw UsageError("{} is {}, expected at least 1", FieldName("seeds"), *options.seeds);
  }
  if (!options.learning_rates.empty() && training.schedule.learning_rate) {
    throw InapplicableError("use either {} or {}", FieldName("learning_rate"), FieldName("learning_rates"));
  }
  std::set<double> rates;
  for (const double rate : options.learning_rates) {
    if (!std::isfinite(rate) || rate <= 0) {
      throw UsageError("{} has {}, expected numbers above 0", FieldName("learning_rates"), rate);
    }
    if (!rates.insert(rate).second) throw UsageError("{} has {} twice", FieldName("learning_rates"), rate);
  }
  if (options.rate_on_first_seed && (rates.size() < 2 || options.seeds.value_or(1) < 2)) {
    throw InapplicableError("{} is first-seed: expected several {} and several {}", FieldName("select_rate"),
                            FieldName("learning_rates"), FieldName("seeds"));
  }
  if (!is_finetune_grid(training.output) &&
      (exists(join_path(training.output, "config.json")) || exists(join_path(training.output, "model.safetensors")))) {
    throw FileError("{} holds a model and is no grid of fine-tunings; use another {}", FilePath(training.output),
                    FieldName("output"));
  }
}

// The learning rates with the seeds from `first` to `last`, counted from 0.
std::vector<FinetuneRun> runs_of(const FinetuneGridOptions& options, const std::vector<double>& rates, int64_t first,
                                 int64_t last) {
  std::vector<std::optional<double>> all_rates(rates.begin(), rates.end());
  if (all_rates.empty()) all_rates.emplace_back();
  const int64_t folds = all_folds(options.training) ? *options.training.folds : 0;
  std::vector<FinetuneRun> runs;
  for (int64_t seed = first; seed < last; ++seed) {
    for (const auto& rate : all_rates) {
      for (int64_t fold = folds > 0 ? 1 : 0; fold <= folds; ++fold) {
        FinetuneRun run{.name = {}, .learning_rate = rate, .seed = {}, .fold = {}};
        if (options.seeds) run.seed = options.training.seed + seed;
        if (fold > 0) run.fold = fold;
        run.name = run_name(run);
        runs.push_back(std::move(run));
      }
    }
  }
  return runs;
}

// Trains runs, and remembers them in the grid's directory once the first is known to be possible.
class FinetuneGridWork {
 public:
  FinetuneGridWork(const FinetuneGridOptions& options, std::string metric)
      : options_(options), metric_(std::move(metric)) {}

  // Also run what `runs` has; those before were planned, too.
  void train(const std::vector<FinetuneRun>& runs) {
    const auto first = planned_.size();
    planned_.insert(planned_.end(), runs.begin(), runs.end());
    if (first > 0) write_plan();
    const int64_t jobs = std::min<int64_t>(options_.jobs, std::ssize(runs));
    GridClock clock(std::vector<double>(runs.size(), 1), options_.training.messages.seconds);
    train_side_by_side(
        std::ssize(runs),
        {.jobs = jobs, .messages = options_.training.messages, .stop_token = options_.training.stop_token},
        [&](int64_t i) { train_one(runs, static_cast<size_t>(i), jobs, clock); });
  }

 private:
  void write_plan() const {
    Json list = Json::array();
    for (const FinetuneRun& run : planned_) {
      list.push_back({{"name", run.name},
                      {"learning_rate", optional_json(run.learning_rate)},
                      {"seed", optional_json(run.seed)},
                      {"fold", optional_json(run.fold)}});
    }
    const Json plan = {{"task", find_task(options_.training.task).name}, {"metric", metric_}, {"runs", list}};
    write_file_atomically(join_path(options_.training.output, kGridPlan), plan.dump(1) + "\n");
  }

  void accept() {
    lock_.emplace(join_path(options_.training.output, "runs"));
    write_plan();
  }

  void warn(const std::string& warning) {
    const std::lock_guard lock(mutex_);
    if (options_.training.warned && warned_.insert(warning).second) options_.training.warned(warning);
  }

  void train_one(const std::vector<FinetuneRun>& runs, size_t number, int64_t jobs, GridClock& clock) {
    const FinetuneRun& run = runs[number];
    FinetuneOptions training = options_.training;
    training.output = join_path(join_path(training.output, "runs"), run.name);
    if (run.learning_rate) training.schedule.learning_rate = run.learning_rate;
    if (run.seed) training.seed = *run.seed;
    if (run.fold) training.fold = run.fold;
    if (jobs > 1) training.messages = named_lines(training.messages, run.name);
    training.times = [&clock, number](const StepCount& steps) { return clock.update(number, steps); };
    training.warned = [this](const std::string& warning) { warn(warning); };
    bool accepted = false;
    training.accepted = [&](bool already_finished) {
      std::call_once(accepted_, [this] { accept(); });
      accepted = true;
      training.messages.write(fmt::format("{}, {} of {}{}\n", jobs == 1 ? run.name : "training", number + 1,
                                          runs.size(), already_finished ? ": already finished" : ""));
    };
    ThreadPool pool(threads_of_each(options_.threads, jobs));
    const auto backend = make_backend(options_.device, pool, options_.precision);
    const auto named = [&](const auto& error) { return accepted ? error.prefixed(run.name + ": ") : error; };
    try {
      if (finetune(training, *backend).already_finished) {
        clock.skip(number);
      } else {
        clock.finish(number);
      }
    } catch (const DataError& error) {
      throw named(error);
    } catch (const FileError& error) {
      throw named(error);
    }
  }

  const FinetuneGridOptions& options_;
  std::string metric_;
  std::vector<FinetuneRun> planned_;
  std::once_flag accepted_;
  std::optional<DirectoryLock> lock_;
  std::mutex mutex_;
  std::set<std::string> warned_;
};

// Everything a model directory needs, and what was measured; the weights last.
void publish_best(const FinetuneGrid& grid) {
  const std::filesystem::path run = grid.run_directory(*grid.best_run);
  const std::string weights = "model.safetensors";
  const std::set<std::string> own = {"log.jsonl", "report.html", ".lock", "training", "tensorboard"};
  std::set<std::string> names;
  for (auto entry = std::filesystem::recursive_directory_iterator(run); entry != end(entry); ++entry) {
    const std::string name = entry->path().lexically_relative(run).string();
    if (own.contains(name)) entry.disable_recursion_pending();
    const bool wanted = entry->is_regular_file() && !own.contains(name) && name != weights;
    if (wanted && !is_temporary_name(entry->path().filename().string())) names.insert(name);
  }
  for (const std::string& name : names) {
    make_directories(parent_directory(join_path(grid.directory, name)));
    publish((run / name).string(), join_path(grid.directory, name));
  }
  publish((run / weights).string(), join_path(grid.directory, weights));
}

std::optional<double> number(const JsonObject& json, const std::string& key) {
  return json.has(key) ? std::optional<double>(json.get_double(key, std::nullopt)) : std::nullopt;
}

std::optional<int64_t> integer(const JsonObject& json, const std::string& key) {
  return json.has(key) ? std::optional<int64_t>(json.get_int(key, std::nullopt)) : std::nullopt;
}

FinetuneRun read_run(const JsonObject& json, const std::string& directory) {
  FinetuneRun run{.name = json.get_string("name", std::nullopt),
                  .learning_rate = number(json, "learning_rate"),
                  .seed = integer(json, "seed"),
                  .fold = integer(json, "fold")};
  if (!is_plain_filename(run.name)) json.reject("name", "the name of a directory");
  const std::string evaluation = join_path(directory, join_path("runs/" + run.name, "evaluation.json"));
  if (!exists(evaluation)) return run;
  const JsonObject scores = JsonObject::read(evaluation);
  run.scores = read_scores(scores);
  run.loss = scores.get_double("loss", 0);
  return run;
}

// The runs in groups of equal learning rate and seed, by learning rate.
std::vector<FinetuneRepetition> repetitions_of(const std::vector<FinetuneRun>& runs) {
  std::vector<size_t> order(runs.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, {}, [&](size_t i) { return runs[i].learning_rate; });
  std::vector<FinetuneRepetition> repetitions;
  for (const size_t i : order) {
    const auto same = [&](const FinetuneRepetition& other) {
      return other.learning_rate == runs[i].learning_rate && other.seed == runs[i].seed;
    };
    auto found = std::ranges::find_if(repetitions, same);
    if (found == repetitions.end()) {
      repetitions.push_back({.runs = {}, .learning_rate = runs[i].learning_rate, .seed = runs[i].seed});
      found = std::prev(repetitions.end());
    }
    found->runs.push_back(i);
  }
  return repetitions;
}

// Predictions of all folds are scored as those of one model.
void score(FinetuneRepetition& repetition, const FinetuneGrid& grid, ThreadPool& pool) {
  double loss = 0, examples = 0;
  for (const size_t i : repetition.runs) {
    if (!grid.runs[i].scores) return;
    const auto count = static_cast<double>(grid.runs[i].scores->examples);
    loss += grid.runs[i].loss * count;
    examples += count;
  }
  repetition.loss = examples > 0 ? loss / examples : 0;
  if (repetition.runs.size() == 1) {
    repetition.scores = grid.runs[repetition.runs[0]].scores;
    return;
  }
  const PredictedExamples pooled = repetition_predictions(grid, repetition);
  const Task& task = find_task(grid.task);
  repetition.scores = scores_of(task_metrics(task, pooled.labels, pooled.examples, pooled.predictions), pool);
}

std::optional<double> metric_of(const std::optional<ScoreTable>& scores, double loss, const std::string& name) {
  if (!scores) return std::nullopt;
  if (name == "loss") return loss;
  for (const Score& score : scores->scores) {
    if (score.name == name && std::isfinite(score.value)) return score.value;
  }
  return std::nullopt;
}

// The index of the best of those that have a value, the first among equals.
std::optional<size_t> best_of(const std::vector<std::optional<double>>& values, bool higher) {
  std::optional<size_t> best;
  for (size_t i = 0; i < values.size(); ++i) {
    if (!values[i]) continue;
    if (!best || (higher ? *values[i] > *values[*best] : *values[i] < *values[*best])) best = i;
  }
  return best;
}

void choose_best(FinetuneGrid& grid) {
  std::vector<std::optional<double>> values;
  for (const FinetuneRepetition& repetition : grid.repetitions) values.push_back(repetition.metric(grid.metric));
  grid.best_repetition = best_of(values, higher_is_better(grid.metric));
  if (!grid.best_repetition) return;
  const std::vector<size_t>& folds = grid.repetitions[*grid.best_repetition].runs;
  values.clear();
  for (const size_t i : folds) values.push_back(metric_of(grid.runs[i].scores, grid.runs[i].loss, grid.metric));
  const auto best = best_of(values, higher_is_better(grid.metric));
  grid.best_run = folds[best.value_or(0)];
}

}  // namespace

bool is_grid_of_runs(const FinetuneGridOptions& options) {
  return options.seeds.has_value() || !options.learning_rates.empty() || all_folds(options.training);
}

std::optional<double> FinetuneRepetition::metric(const std::string& name) const {
  return metric_of(scores, loss, name);
}

std::string FinetuneGrid::run_directory(size_t run) const { return join_path(directory, "runs/" + runs[run].name); }

std::vector<std::vector<size_t>> FinetuneGrid::by_learning_rate() const {
  std::vector<std::vector<size_t>> groups;
  for (size_t i = 0; i < repetitions.size(); ++i) {
    if (i == 0 || repetitions[i].learning_rate != repetitions[i - 1].learning_rate) groups.emplace_back();
    groups.back().push_back(i);
  }
  return groups;
}

std::vector<double> FinetuneGrid::values(const std::vector<size_t>& of, const std::string& name) const {
  std::vector<double> values;
  for (const size_t i : of) {
    if (const auto value = repetitions[i].metric(name)) values.push_back(*value);
  }
  return values;
}

FinetuneGrid finetune_grid(const FinetuneGridOptions& options) {
  check_options(options);
  const std::string& directory = options.training.output;
  const std::string metric =
      options.training.metric.empty() ? find_task(options.training.task).metrics.front() : options.training.metric;
  const int64_t seeds = options.seeds.value_or(1);
  ThreadPool pool(threads_of_each(options.threads, 1));
  FinetuneGridWork work(options, metric);
  if (options.rate_on_first_seed) {
    work.train(runs_of(options, options.learning_rates, 0, 1));
    const FinetuneGrid first = read_finetune_grid(directory, pool);
    if (!first.best_run) {
      throw DataError("{}: no run has a finite {} to choose a learning rate by", FilePath(directory), metric);
    }
    const double rate = *first.runs[*first.best_run].learning_rate;
    options.training.messages.write(fmt::format("learning rate {} is the best of the first seed\n", rate));
    work.train(runs_of(options, {rate}, 1, seeds));
  } else {
    work.train(runs_of(options, options.learning_rates, 0, seeds));
  }
  FinetuneGrid grid = read_finetune_grid(directory, pool);
  if (!grid.best_run) throw DataError("{}: no run has a finite {} to choose by", FilePath(directory), metric);
  publish_best(grid);
  write_finetune_grid_report(grid);
  return grid;
}

bool is_finetune_grid(const std::string& directory) { return exists(join_path(directory, kGridPlan)); }

FinetuneGrid read_finetune_grid(const std::string& directory, ThreadPool& pool) {
  const JsonObject plan = JsonObject::read(join_path(directory, kGridPlan));
  FinetuneGrid grid{.directory = directory,
                    .task = plan.get_string("task", std::nullopt),
                    .metric = plan.get_string("metric", std::nullopt),
                    .runs = {},
                    .repetitions = {},
                    .best_repetition = {},
                    .best_run = {}};
  const Json runs = plan.value().value("runs", Json());
  if (!runs.is_array()) plan.reject("runs", "a list of objects");
  for (const Json& run : runs) grid.runs.push_back(read_run(JsonObject(run, plan.source()), directory));
  grid.repetitions = repetitions_of(grid.runs);
  for (FinetuneRepetition& repetition : grid.repetitions) score(repetition, grid, pool);
  choose_best(grid);
  return grid;
}

}  // namespace roformer
