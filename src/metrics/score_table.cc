#include "metrics/score_table.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace roformer {

ScoreTable score_table(const MetricSet& metrics, const BootstrapOptions& options, ThreadPool& pool) {
  const std::vector<double> values = metrics.once();
  const std::vector<std::optional<Bounds>> intervals = bootstrap_intervals(metrics, options, pool);
  ScoreTable table{.examples = metrics.examples};
  for (size_t i = 0; i < values.size(); ++i) {
    table.scores.push_back({.name = metrics.names[i], .value = values[i], .interval = intervals[i]});
  }
  return table;
}

Json score_json(std::string_view task, const ScoreTable& table) {
  Json metrics = Json::object(), intervals = Json::object();
  for (const Score& score : table.scores) {
    metrics[score.name] = std::isfinite(score.value) ? Json(score.value) : Json();
    intervals[score.name] = score.interval ? Json(*score.interval) : Json();
  }
  return {{"task", task}, {"n", table.examples}, {"metrics", std::move(metrics)}, {"interval95", std::move(intervals)}};
}

Json difference_json(const std::vector<MetricDifference>& differences) {
  const auto finite = [](double value) { return std::isfinite(value) ? Json(value) : Json(); };
  Json metrics = Json::object(), values = metrics, intervals = metrics, ps = metrics;
  for (const MetricDifference& one : differences) {
    metrics[one.name] = {finite(one.first), finite(one.second)};
    values[one.name] = finite(one.second - one.first);
    intervals[one.name] = one.interval ? Json(*one.interval) : Json();
    ps[one.name] = one.p ? Json(*one.p) : Json();
  }
  return {{"metrics", metrics}, {"difference", values}, {"interval95", intervals}, {"p", ps}};
}

ScoreTable read_scores(const JsonObject& json) {
  ScoreTable table{.examples = json.get_int("n", std::nullopt, 0)};
  const JsonObject metrics = json.get_object("metrics"), intervals = json.get_object("interval95");
  for (const auto& [name, value] : metrics.value().items()) {
    Score& score = table.scores.emplace_back();
    score = {.name = name, .value = metrics.get_double(name, std::numeric_limits<double>::quiet_NaN())};
    if (!intervals.has(name)) continue;
    const Json& bounds = intervals.value().at(name);
    const bool right = bounds.is_array() && bounds.size() == 2 && bounds[0].is_number() && bounds[1].is_number();
    if (!right) intervals.reject(name, "two numbers");
    score.interval = Bounds{bounds[0].get<double>(), bounds[1].get<double>()};
  }
  return table;
}

std::string score_text(const Score& score, int decimals) {
  if (!std::isfinite(score.value)) return "–";
  std::string text = fmt::format("{:.{}f}", score.value, decimals);
  if (score.interval) {
    text += fmt::format(" [{:.{}f}, {:.{}f}]", (*score.interval)[0], decimals, (*score.interval)[1], decimals);
  }
  return text;
}

}  // namespace roformer
