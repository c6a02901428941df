#include "tasks/finetune_grid_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "base/file.h"
#include "base/progress.h"
#include "metrics/statistics.h"
#include "models/config.h"
#include "report/html_page.h"
#include "tasks/task_report.h"

namespace roformer {

namespace {

constexpr const char* kNone = "–";

std::string rate_text(const std::optional<double>& rate) { return rate ? fmt::format("{}", *rate) : "default"; }

std::vector<std::string> metric_names(const FinetuneGrid& grid) {
  for (const FinetuneRepetition& repetition : grid.repetitions) {
    if (!repetition.scores) continue;
    std::vector<std::string> names = {"loss"};
    for (const Score& score : repetition.scores->scores) names.push_back(score.name);
    return names;
  }
  return {};
}

Json spread_json(const std::vector<double>& values) {
  if (values.empty()) return nullptr;
  const MeanInterval interval = mean_interval(values);
  Json json = {{"mean", interval.mean}, {"values", values}, {"deviation", nullptr}, {"interval95", nullptr}};
  if (!interval.half_width) return json;
  json["deviation"] = interval.deviation;
  json["interval95"] = {interval.mean - *interval.half_width, interval.mean + *interval.half_width};
  return json;
}

Json run_json(const FinetuneRun& run) {
  Json json = {{"name", run.name}, {"finished", run.scores.has_value()}};
  if (run.learning_rate) json["learning_rate"] = *run.learning_rate;
  if (run.seed) json["seed"] = *run.seed;
  if (run.fold) json["fold"] = *run.fold;
  if (!run.scores) return json;
  json.update(score_json("", *run.scores));
  json.erase("task");
  json["loss"] = run.loss;
  return json;
}

// The metric with the interval over examples.
std::string shown_metric(const FinetuneRepetition& repetition, const std::string& metric) {
  if (!repetition.scores) return kNone;
  if (metric == "loss") return score_text({.name = metric, .value = repetition.loss}, 4);
  for (const Score& score : repetition.scores->scores) {
    if (score.name == metric) return score_text(score, 4);
  }
  return kNone;
}

std::optional<size_t> best_of_rate(const FinetuneGrid& grid, const std::vector<size_t>& repetitions) {
  std::optional<size_t> best;
  for (const size_t i : repetitions) {
    const auto value = grid.repetitions[i].metric(grid.metric);
    if (!value) continue;
    const double other = best ? *grid.repetitions[*best].metric(grid.metric) : 0;
    if (!best || (higher_is_better(grid.metric) ? *value > other : *value < other)) best = i;
  }
  return best;
}

HtmlTable html_table(std::string caption, const std::vector<std::vector<std::string>>& rows) {
  return {.caption = std::move(caption), .columns = rows[0], .rows = {rows.begin() + 1, rows.end()}};
}

// The metric of every learning rate and seed.
HtmlTable seeds_table(const FinetuneGrid& grid) {
  std::set<int64_t> seeds;
  for (const FinetuneRepetition& repetition : grid.repetitions) seeds.insert(repetition.seed.value_or(0));
  HtmlTable table{.caption = fmt::format("{} of each seed", grid.metric), .columns = {"learning rate"}, .rows = {}};
  for (const int64_t seed : seeds) table.columns.push_back(fmt::format("seed {}", seed));
  for (const auto& group : grid.by_learning_rate()) {
    std::vector<std::string>& row = table.rows.emplace_back();
    row.push_back(rate_text(grid.repetitions[group[0]].learning_rate));
    for (const int64_t seed : seeds) {
      std::string text = kNone;
      for (const size_t i : group) {
        const auto value = grid.repetitions[i].metric(grid.metric);
        if (grid.repetitions[i].seed.value_or(0) == seed && value) text = fmt::format("{:.4f}", *value);
      }
      row.push_back(std::move(text));
    }
  }
  return table;
}

}  // namespace

PredictedExamples repetition_predictions(const FinetuneGrid& grid, const FinetuneRepetition& repetition) {
  const Task& task = find_task(grid.task);
  // A fold may lack a label that is rare.
  std::vector<std::string> labels;
  for (const size_t i : repetition.runs) {
    for (const std::string& label : read_config(join_path(grid.run_directory(i), "config.json")).labels) {
      if (std::ranges::find(labels, label) == labels.end()) labels.push_back(label);
    }
  }
  PredictedExamples all{.labels = labels};
  for (const size_t i : repetition.runs) {
    all.append(read_predictions(task, join_path(grid.run_directory(i), "predictions.jsonl"), labels));
  }
  return all;
}

Json finetune_grid_json(const FinetuneGrid& grid) {
  Json runs = Json::array(), rates = Json::array();
  for (const FinetuneRun& run : grid.runs) runs.push_back(run_json(run));
  for (const auto& group : grid.by_learning_rate()) {
    Json metrics = Json::object();
    for (const std::string& name : metric_names(grid)) metrics[name] = spread_json(grid.values(group, name));
    const auto& rate = grid.repetitions[group[0]].learning_rate;
    rates.push_back({{"learning_rate", rate ? Json(*rate) : Json()},
                     {"n", grid.values(group, grid.metric).size()},
                     {"metrics", std::move(metrics)}});
  }
  Json json = {{"task", grid.task}, {"metric", grid.metric}, {"runs", runs}, {"learning_rates", rates}};
  if (!grid.best_run) return json;
  const FinetuneRepetition& best = grid.repetitions[*grid.best_repetition];
  Json scores = score_json("", *best.scores);
  scores.erase("task");
  scores["loss"] = best.loss;
  scores["run"] = grid.runs[*grid.best_run].name;
  json["best"] = std::move(scores);
  return json;
}

std::vector<std::vector<std::string>> finetune_grid_table(const FinetuneGrid& grid) {
  std::vector<std::vector<std::string>> rows = {{"learning rate", "seeds", grid.metric, "deviation",
                                                 "95 % interval over seeds", "best seed",
                                                 "its " + grid.metric + " [95 % interval over examples]"}};
  for (const auto& group : grid.by_learning_rate()) {
    const std::vector<double> values = grid.values(group, grid.metric);
    std::vector<std::string>& row = rows.emplace_back();
    row = {rate_text(grid.repetitions[group[0]].learning_rate), fmt::format("{}", values.size())};
    if (values.empty()) {
      row.insert(row.end(), 5, kNone);
      continue;
    }
    const MeanInterval interval = mean_interval(values);
    row.push_back(fmt::format("{:.4f}", interval.mean));
    row.push_back(interval.half_width ? fmt::format("{:.4f}", interval.deviation) : kNone);
    row.push_back(interval.half_width ? fmt::format("{:.4f} to {:.4f}", interval.mean - *interval.half_width,
                                                    interval.mean + *interval.half_width)
                                      : kNone);
    const FinetuneRepetition& best = grid.repetitions[*best_of_rate(grid, group)];
    row.push_back(best.seed ? fmt::format("{}", *best.seed) : kNone);
    row.push_back(shown_metric(best, grid.metric));
  }
  return rows;
}

std::string best_run_text(const FinetuneGrid& grid) {
  if (!grid.best_run) return "No run has finished yet.";
  const FinetuneRepetition& best = grid.repetitions[*grid.best_repetition];
  const std::string published = grid.runs[*grid.best_run].name;
  const std::string value = fmt::format("{} {} on {}", grid.metric, shown_metric(best, grid.metric),
                                        counted(best.scores->examples, "validation example"));
  if (best.runs.size() == 1) return fmt::format("The best run is {}: {}. Its weights are published.", published, value);
  return fmt::format("All {} folds together: {}. Published are the weights of the best fold, {}.", best.runs.size(),
                     value, published);
}

std::vector<RunGroup> finetune_run_groups(const FinetuneGrid& grid) {
  std::vector<RunGroup> groups;
  for (const auto& group : grid.by_learning_rate()) {
    RunGroup runs{.name = "learning rate " + rate_text(grid.repetitions[group[0]].learning_rate), .directories = {}};
    for (const size_t repetition : group) {
      for (const size_t i : grid.repetitions[repetition].runs) {
        if (exists(join_path(grid.run_directory(i), "log.jsonl"))) runs.directories.push_back(grid.run_directory(i));
      }
    }
    if (!runs.directories.empty()) groups.push_back(std::move(runs));
  }
  return groups;
}

std::string finetune_grid_page(const FinetuneGrid& grid, const std::string& title) {
  HtmlPage page(title);
  page.paragraph(best_run_text(grid));
  page.table(html_table(fmt::format("{} by learning rate: mean, sample deviation and Student's 95 % interval over "
                                    "seeds; the best seed with its bootstrap interval over examples",
                                    grid.metric),
                        finetune_grid_table(grid)));
  if (std::ranges::any_of(grid.repetitions, [](const auto& one) { return one.seed.has_value(); })) {
    page.table(seeds_table(grid));
  }
  if (grid.best_repetition) {
    const FinetuneRepetition& best = grid.repetitions[*grid.best_repetition];
    page.paragraph(
        "The best was chosen by these same examples, so its scores are somewhat too high: examples that no choice was "
        "made by give a fair one.");
    page.heading(best.runs.size() == 1 ? "The best run" : "All folds of the best setting");
    add_task_result(
        page, {.task = &find_task(grid.task), .scores = *best.scores, .predicted = repetition_predictions(grid, best)});
  }
  const std::vector<RunGroup> groups = finetune_run_groups(grid);
  if (!groups.empty()) {
    page.heading("Training");
    add_runs(page, groups, {.loss_unit = "loss", .wall_clock_speed = false});
  }
  return page.finish();
}

void write_finetune_grid_report(const FinetuneGrid& grid) {
  std::error_code ignored;
  const std::string name = short_name(std::filesystem::absolute(grid.directory, ignored).lexically_normal().string());
  write_file_atomically(join_path(grid.directory, "results.json"), finetune_grid_json(grid).dump(1) + "\n");
  write_file_atomically(join_path(grid.directory, "report.html"),
                        finetune_grid_page(grid, fmt::format("{}: {}", name, grid.task)));
}

}  // namespace roformer
