#include "lab/grid_results.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/file.h"
#include "lab/grid_differences.h"
#include "lab/varied_settings.h"
#include "metrics/statistics.h"
#include "report/metrics_log.h"
#include "training/unigram_baseline.h"

namespace roformer {

namespace {

constexpr const char *kPlan = "grid.json", *kMeasure = "measured.json";

std::vector<int64_t> read_integers(const JsonObject& json, const std::string& key) {
  const Json list = json.value().value(key, Json());
  const auto is_integer = [](const Json& value) { return value.is_number_integer(); };
  if (!list.is_array() || !std::ranges::all_of(list, is_integer)) json.reject(key, "a list of whole numbers");
  return list.get<std::vector<int64_t>>();
}

GridPlan read_plan(const std::string& directory) {
  const JsonObject json = JsonObject::read(join_path(directory, kPlan));
  GridPlan plan{.objective = json.get_string("objective", std::nullopt),
                .positions = json.get_strings("positions", std::nullopt),
                .seeds = read_integers(json, "seeds"),
                .max_length = json.get_int("max-length", std::nullopt, 1),
                .lengths = read_integers(json, "lengths"),
                .settings = {},
                .reference = json.get_string("reference", "")};
  if (!std::ranges::all_of(plan.positions, is_variant_name)) json.reject("positions", "names of variants");
  const JsonObject varied = json.get_object("settings");
  for (const auto& [name, settings] : varied.value().items()) {
    if (!settings.is_object()) json.reject("settings", "an object of settings for each variant");
    plan.settings[name] = settings;
  }
  if (!plan.reference.empty() && std::ranges::find(plan.positions, plan.reference) == plan.positions.end()) {
    json.reject("reference", "one of the variants");
  }
  return plan;
}

GridRun read_run(const std::string& directory, int64_t seed) {
  GridRun run{.directory = directory, .seed = seed, .validation = {}, .measure = {}, .lengths = {}};
  const auto records = read_metrics_log(join_path(directory, "log.jsonl"));
  const JsonObject settings = JsonObject::read(join_path(directory, "training/settings.json"));
  run.steps = settings.get_int("steps", std::nullopt, 0);
  run.max_length = settings.get_int("max-length", std::nullopt, 1);
  if (!records.empty()) run.step = records.back().step;
  const auto losses = metrics_curve(records, "validation", "loss");
  const auto accuracies = metrics_curve(records, "validation", "accuracy");
  run.finished = !losses.empty() && !accuracies.empty() && losses.back().x == static_cast<double>(run.steps);
  if (run.finished) {
    run.validation.loss = losses.back().y;
    run.validation.accuracy = accuracies.back().y;
    const auto perplexities = metrics_curve(records, "validation", "perplexity");
    if (!perplexities.empty()) run.validation.perplexity = perplexities.back().y;
  }
  std::vector<double> speeds;
  for (const PlotPoint& point : metrics_curve(records, "train", "tokens_per_cpu_second")) speeds.push_back(point.y);
  if (!speeds.empty()) run.tokens_per_cpu_second = median(speeds);
  run.measure = read_measure(directory);
  run.unigram_loss = read_unigram_loss(directory);
  run.lengths = read_length_scores(directory);
  return run;
}

const LengthScore* find_score(const GridRun& run, const std::string& scaling, int64_t length) {
  for (const LengthScore& score : run.lengths) {
    if (score.scaling == scaling && score.length == length) return &score;
  }
  return nullptr;
}

// A value of each finished run, where it has one.
std::vector<double> collect(const std::vector<GridRun>& runs,
                            const std::function<std::optional<double>(const GridRun&)>& value) {
  std::vector<double> values;
  for (const GridRun& run : runs) {
    if (!run.finished) continue;
    if (const auto found = value(run)) values.push_back(*found);
  }
  return values;
}

Json interval_json(const std::vector<double>& values) {
  if (values.empty()) return nullptr;
  const MeanInterval interval = mean_interval(values);
  return {{"mean", interval.mean},
          {"interval95", interval.half_width ? Json(*interval.half_width) : Json()},
          {"runs", interval.count}};
}

// Settings that determine what is predicted, or in which text.
std::vector<std::string> settings_of_the_loss(const Grid& grid) {
  static const std::set<std::string> deciding = {"objective", "data",      "validation-data", "validation-fraction",
                                                 "documents", "tokenizer", "max-length",      "mask-probability",
                                                 "whole-word"};
  std::set<std::string> found;
  for (const auto& [variant, settings] : grid.plan.settings) {
    for (const auto& [name, value] : settings.items()) {
      if (deciding.contains(name)) found.insert(name);
    }
  }
  return {found.begin(), found.end()};
}

// Of the finished variants, those whose mean loss is not clearly below that of predicting tokens by their frequencies.
std::string plateau_note(const std::vector<GridPosition>& positions) {
  std::vector<std::string> names;
  size_t known = 0;
  for (const GridPosition& position : positions) {
    const std::vector<double> losses = position.losses(), unigram = position.unigram_losses();
    if (losses.empty() || unigram.size() != losses.size()) continue;
    ++known;
    const double below = mean_interval(unigram).mean - mean_interval(losses).mean;
    if (below < kUnigramPrecision) names.push_back(position.position);
  }
  if (names.empty()) return "";
  const std::string baseline = fmt::format(
      "the unigram baseline, the loss of predicting each token by its frequency (by at least {})", kUnigramPrecision);
  if (names.size() < known) return fmt::format("Not below {}: {}.", baseline, fmt::join(names, ", "));
  return fmt::format(
      "No variant is below {}: none has learned to use context yet, and differences between them say nothing about "
      "that. Train for more steps.",
      baseline);
}

std::string memory_text(const std::vector<double>& bytes) {
  return bytes.empty() ? "–" : fmt::format("{:.0f}", *std::ranges::max_element(bytes) / 1e6);
}

}  // namespace

std::string GridPlan::run_name(const std::string& position, int64_t seed) const {
  return fmt::format("{}-{}", variant_file_name(position), seed);
}

void write_grid_plan(const GridPlan& plan, const std::string& directory) {
  Json json = {{"objective", plan.objective},
               {"positions", plan.positions},
               {"seeds", plan.seeds},
               {"max-length", plan.max_length},
               {"lengths", plan.lengths}};
  if (!plan.settings.empty()) json["settings"] = plan.settings;
  if (!plan.reference.empty()) json["reference"] = plan.reference;
  write_file_atomically(join_path(directory, kPlan), json.dump(2) + "\n");
}

bool is_grid(const std::string& directory) { return exists(join_path(directory, kPlan)); }

RunMeasure read_measure(const std::string& run) {
  const std::string path = join_path(run, kMeasure);
  if (!exists(path)) return {};
  const JsonObject json = JsonObject::read(path);
  RunMeasure measure{.jobs = json.get_int("jobs", std::nullopt, 1), .peak_memory = {}};
  if (json.has("peak_memory")) measure.peak_memory = json.get_int("peak_memory", std::nullopt, 0);
  return measure;
}

void write_measure(const RunMeasure& measure, const std::string& run) {
  Json json = {{"jobs", measure.jobs}};
  if (measure.peak_memory) json["peak_memory"] = *measure.peak_memory;
  write_file_atomically(join_path(run, kMeasure), dump_json(json) + "\n");
}

std::vector<double> GridPosition::losses() const {
  return collect(runs, [](const GridRun& run) { return std::optional(run.validation.loss); });
}

std::vector<double> GridPosition::accuracies() const {
  return collect(runs, [](const GridRun& run) { return run.validation.accuracy; });
}

std::vector<double> GridPosition::perplexities() const {
  return collect(runs, [](const GridRun& run) { return run.validation.perplexity; });
}

std::vector<double> GridPosition::speeds() const {
  const auto alone = [](const GridRun& run) { return run.measure.jobs == 1 && run.tokens_per_cpu_second > 0; };
  if (!std::ranges::all_of(runs, alone)) return {};
  return collect(runs, [](const GridRun& run) { return std::optional(run.tokens_per_cpu_second); });
}

std::vector<double> GridPosition::memories() const {
  return collect(runs, [](const GridRun& run) -> std::optional<double> {
    if (!run.measure.peak_memory) return {};
    return static_cast<double>(*run.measure.peak_memory);
  });
}

std::vector<double> GridPosition::unigram_losses() const {
  return collect(runs, [](const GridRun& run) { return run.unigram_loss; });
}

std::vector<double> GridPosition::length_losses(const std::string& scaling, int64_t length) const {
  return collect(runs, [&](const GridRun& run) -> std::optional<double> {
    const LengthScore* score = find_score(run, scaling, length);
    if (score == nullptr || !score->reason.empty()) return {};
    return score->evaluation.loss;
  });
}

std::vector<double> GridPosition::length_accuracies(const std::string& scaling, int64_t length) const {
  return collect(runs, [&](const GridRun& run) -> std::optional<double> {
    const LengthScore* score = find_score(run, scaling, length);
    if (score == nullptr || !score->reason.empty()) return {};
    return score->evaluation.accuracy;
  });
}

std::vector<double> GridPosition::part_losses(const std::string& scaling, int64_t length) const {
  std::vector<double> sums, counts;
  for (const GridRun& run : runs) {
    const LengthScore* score = find_score(run, scaling, length);
    if (!run.finished || score == nullptr) continue;
    sums.resize(std::max(sums.size(), score->position_loss.size()));
    counts.resize(sums.size());
    for (size_t i = 0; i < score->position_loss.size(); ++i) {
      if (score->position_loss[i] == 0) continue;  // no predicted token in this part
      sums[i] += score->position_loss[i];
      counts[i] += 1;
    }
  }
  for (size_t i = 0; i < sums.size(); ++i) sums[i] /= std::max(counts[i], 1.0);
  return sums;
}

std::string GridPosition::reason(const std::string& scaling, int64_t length) const {
  for (const GridRun& run : runs) {
    const LengthScore* score = find_score(run, scaling, length);
    if (score != nullptr && !score->reason.empty()) return score->reason;
  }
  return "";
}

std::vector<std::string> GridPosition::scalings() const {
  std::vector<std::string> names = {""};
  for (const GridRun& run : runs) {
    for (const LengthScore& score : run.lengths) {
      if (std::ranges::find(names, score.scaling) == names.end()) names.push_back(score.scaling);
    }
  }
  return names;
}

std::optional<int64_t> Grid::base_parameters() const {
  std::optional<int64_t> fewest;
  for (const GridPosition& position : positions) {
    if (!position.parameters) continue;
    if (position.position == "none") return position.parameters;
    fewest = std::min(fewest.value_or(std::numeric_limits<int64_t>::max()), *position.parameters);
  }
  return fewest;
}

std::optional<int64_t> Grid::common_max_length() const {
  std::optional<int64_t> common;
  for (const GridPosition& position : positions) {
    if (common && *common != position.max_length) return {};
    common = position.max_length;
  }
  return common;
}

std::vector<std::string> Grid::notes() const {
  std::vector<std::string> notes;
  size_t begun = 0, finished = 0;
  int64_t most = 0;  // finished seeds of one encoding
  bool side_by_side = false;
  for (const GridPosition& position : positions) {
    const auto done = std::ranges::count_if(position.runs, [](const GridRun& run) { return run.finished; });
    begun += position.runs.size();
    finished += static_cast<size_t>(done);
    most = std::max<int64_t>(most, done);
    for (const GridRun& run : position.runs) side_by_side = side_by_side || run.measure.jobs > 1;
  }
  if (most < 2) {
    notes.emplace_back(
        "One seed: no interval, so differences smaller than the variation between seeds cannot be detected.");
  } else {
    const bool all = most == std::ssize(plan.seeds);
    notes.push_back(fmt::format("Mean ± 95 % interval over {}{} seeds (Student's t).", all ? "" : "up to ", most));
  }
  if (std::string note = plateau_note(positions); !note.empty()) notes.push_back(std::move(note));
  const size_t wanted = plan.positions.size() * plan.seeds.size();
  if (finished < wanted) {
    notes.push_back(fmt::format("{} of {} trainings are finished, {} have started; the others are not included.",
                                finished, wanted, begun));
  }
  if (side_by_side) {
    notes.emplace_back("Speed and memory are not reported for runs trained concurrently (jobs above 1).");
  }
  if (const std::vector<std::string> names = settings_of_the_loss(*this); !names.empty()) {
    notes.push_back(fmt::format(
        "Variants differ in {}: their losses are of different predictions or texts and not directly comparable.",
        fmt::join(names, ", ")));
  }
  if (plan.lengths.empty()) {
    notes.emplace_back(
        "Other lengths were not evaluated: that requires a separate validation text (validation_data), as longer "
        "sequences of the training text would overlap what was learned.");
  }
  return notes;
}

Grid read_grid(const std::string& directory) {
  Grid grid{.directory = directory, .plan = read_plan(directory), .positions = {}};
  for (const std::string& name : grid.plan.positions) {
    GridPosition position{.position = name, .parameters = {}, .runs = {}, .max_length = grid.plan.max_length};
    if (const auto found = grid.plan.settings.find(name); found != grid.plan.settings.end()) {
      position.settings = found->second;
    }
    for (const int64_t seed : grid.plan.seeds) {
      const std::string run = join_path(directory, grid.plan.run_name(name, seed));
      if (!exists(join_path(run, "log.jsonl"))) continue;
      position.runs.push_back(read_run(run, seed));
      position.parameters = read_config(join_path(run, "config.json")).parameters();
      position.max_length = position.runs.back().max_length;
    }
    grid.positions.push_back(std::move(position));
  }
  return grid;
}

Json position_json(const Grid& grid, const GridPosition& position) {
  Json runs = Json::array(), lengths = Json::array();
  for (const GridRun& run : position.runs) {
    Json json = {{"seed", run.seed}, {"step", run.step}, {"steps", run.steps}, {"finished", run.finished}};
    if (run.finished) {
      json.update({{"loss", run.validation.loss}, {"accuracy", *run.validation.accuracy}});
      if (run.unigram_loss) json["unigram_loss"] = *run.unigram_loss;
      if (run.validation.perplexity) json["perplexity"] = *run.validation.perplexity;
    }
    if (run.measure.jobs == 1 && run.tokens_per_cpu_second > 0) {
      json["tokens_per_cpu_second"] = run.tokens_per_cpu_second;
    }
    if (run.measure.peak_memory) json["peak_memory"] = *run.measure.peak_memory;
    runs.push_back(std::move(json));
  }
  for (const std::string& scaling : position.scalings()) {
    for (const int64_t length : grid.plan.lengths) {
      const std::vector<double> losses = position.length_losses(scaling, length);
      const std::string reason = position.reason(scaling, length);
      if (losses.empty() && reason.empty()) continue;
      Json json = {{"scaling", scaling}, {"length", length}, {"loss", interval_json(losses)}};
      if (losses.empty()) {
        json["reason"] = reason;
      } else {
        json["accuracy"] = interval_json(position.length_accuracies(scaling, length));
        json["position_loss"] = position.part_losses(scaling, length);
      }
      lengths.push_back(std::move(json));
    }
  }
  const auto base = grid.base_parameters();
  Json json = {{"position", position.position},
               {"loss", interval_json(position.losses())},
               {"accuracy", interval_json(position.accuracies())},
               {"perplexity", interval_json(position.perplexities())},
               {"tokens_per_cpu_second", interval_json(position.speeds())},
               {"parameters", position.parameters ? Json(*position.parameters) : Json()},
               {"added_parameters", position.parameters ? Json(*position.parameters - *base) : Json()},
               {"runs", std::move(runs)},
               {"lengths", std::move(lengths)}};
  const std::vector<double> memories = position.memories(), unigram = position.unigram_losses();
  json["unigram_loss"] = unigram.empty() ? Json() : Json(mean_interval(unigram).mean);
  const GridPosition& reference = reference_of(grid);
  json["difference"] =
      position.position == reference.position ? Json() : difference_json(loss_difference(position, reference));
  if (grid.sweeps()) json["settings"] = position.settings;
  json["peak_memory"] = memories.empty() ? Json() : Json(*std::ranges::max_element(memories));
  return json;
}

Json grid_json(const Grid& grid) {
  Json positions = Json::array();
  for (const GridPosition& position : grid.positions) positions.push_back(position_json(grid, position));
  return {{"objective", grid.plan.objective},         {"seeds", grid.plan.seeds},
          {"max-length", grid.plan.max_length},       {"lengths", grid.plan.lengths},
          {"reference", reference_of(grid).position}, {"notes", grid.notes()},
          {"positions", std::move(positions)}};
}

std::vector<std::vector<std::string>> grid_table(const Grid& grid) {
  const auto has_perplexity = [](const GridPosition& position) { return !position.perplexities().empty(); };
  const bool causal = grid.plan.objective == "clm" || std::ranges::any_of(grid.positions, has_perplexity);
  const bool unigram = std::ranges::any_of(
      grid.positions, [](const GridPosition& position) { return !position.unigram_losses().empty(); });
  std::vector<std::vector<std::string>> rows = {{grid.sweeps() ? "variant" : "position", "runs", "validation loss"}};
  if (unigram) rows[0].emplace_back("unigram");
  rows[0].emplace_back("accuracy, %");
  if (causal) rows[0].emplace_back("perplexity");
  for (const char* name : {"tokens/CPU s", "peak MB", "parameters", "added"}) rows[0].emplace_back(name);
  const auto base = grid.base_parameters();
  for (const GridPosition& position : grid.positions) {
    std::vector<double> percent = position.accuracies();
    for (double& value : percent) value *= 100;
    std::vector<std::string> row = {position.position, std::to_string(position.losses().size()),
                                    interval_text(position.losses(), 3)};
    const std::vector<double> baselines = position.unigram_losses();
    if (unigram) row.push_back(baselines.empty() ? "–" : fmt::format("{:.3f}", mean_interval(baselines).mean));
    row.push_back(interval_text(percent, 2));
    if (causal) row.push_back(interval_text(position.perplexities(), 2));
    row.push_back(interval_text(position.speeds(), 0));
    row.push_back(memory_text(position.memories()));
    row.push_back(position.parameters ? std::to_string(*position.parameters) : "–");
    row.push_back(position.parameters ? std::to_string(*position.parameters - *base) : "–");
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace roformer
