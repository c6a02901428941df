#include "metrics/score_table.h"

#include <fmt/format.h>

#include <cmath>
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

std::string score_text(const Score& score, int decimals) {
  if (!std::isfinite(score.value)) return "–";
  std::string text = fmt::format("{:.{}f}", score.value, decimals);
  if (score.interval) {
    text += fmt::format(" [{:.{}f}, {:.{}f}]", (*score.interval)[0], decimals, (*score.interval)[1], decimals);
  }
  return text;
}

}  // namespace roformer
