// The metrics of one evaluation by name, with intervals.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/parallel.h"
#include "metrics/bootstrap.h"

namespace roformer {

struct Score {
  std::string name;
  double value = 0;                  // NaN: undefined
  std::optional<Bounds> interval{};  // 95 %
};

struct ScoreTable {
  int64_t examples = 0;
  std::vector<Score> scores{};
};

ScoreTable score_table(const MetricSet& metrics, const BootstrapOptions& options, ThreadPool& pool);

// {"task": …, "n": …, "metrics": {name: value}, "interval95": {name: [low, high]}}; null where there is none.
Json score_json(std::string_view task, const ScoreTable& table);

// {"metrics": {name: [first, second]}, "difference": {name: second - first}, "interval95": {…}, "p": {…}}; null where
// there is none.
Json difference_json(const std::vector<MetricDifference>& differences);

// The table that score_json() wrote, by name. DataError for another object.
ScoreTable read_scores(const JsonObject& json);

// "0.846 [0.831, 0.861]"; "–" for what is undefined.
std::string score_text(const Score& score, int decimals = 3);

}  // namespace roformer
