#include "lab/grid_differences.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace roformer {

namespace {

// With its sign, unless it rounds to 0.
std::string show_difference(double loss) {
  const std::string text = fmt::format("{:+.3f}", loss);
  return text == "-0.000" || text == "+0.000" ? "0.000" : text;
}

std::string signed_interval(const MeanInterval& interval) {
  std::string text = show_difference(interval.mean);
  if (interval.half_width) text += fmt::format(" ± {:.3f}", *interval.half_width);
  return text;
}

const GridRun* find_finished(const GridPosition& position, int64_t seed) {
  const auto found =
      std::ranges::find_if(position.runs, [&](const GridRun& run) { return run.finished && run.seed == seed; });
  return found == position.runs.end() ? nullptr : &*found;
}

}  // namespace

std::string verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::better: return "better";
    case Verdict::worse: return "worse";
    case Verdict::indistinguishable: return "statistically indistinguishable";
    case Verdict::untested: break;
  }
  return "not tested (takes two seeds of both)";
}

LossDifference loss_difference(const GridPosition& variant, const GridPosition& reference) {
  LossDifference result;
  std::vector<double> differences;
  for (const GridRun& run : variant.runs) {
    const GridRun* other = find_finished(reference, run.seed);
    if (!run.finished || other == nullptr) continue;
    differences.push_back(run.validation.loss - other->validation.loss);
    result.pairs.push_back({run.seed, differences.back()});
  }
  if (differences.empty()) return result;
  result.interval = mean_interval(differences);
  const double mean = result.interval->mean;
  if (!result.interval->half_width) return result;
  if (std::abs(mean) <= *result.interval->half_width) {
    result.verdict = Verdict::indistinguishable;
  } else {
    result.verdict = mean < 0 ? Verdict::better : Verdict::worse;
  }
  return result;
}

const GridPosition& reference_of(const Grid& grid) {
  const auto found = std::ranges::find(grid.positions, grid.plan.reference, &GridPosition::position);
  return found == grid.positions.end() ? grid.positions.front() : *found;
}

std::vector<std::vector<std::string>> difference_table(const Grid& grid) {
  constexpr size_t kMaxSeedsShown = 5;
  if (grid.positions.size() < 2) return {};
  const GridPosition& reference = reference_of(grid);
  const bool by_seed = grid.plan.seeds.size() > 1 && grid.plan.seeds.size() <= kMaxSeedsShown;
  std::vector<std::vector<std::string>> rows = {{"difference to " + reference.position}};
  for (const int64_t seed : grid.plan.seeds) {
    if (by_seed) rows[0].push_back(fmt::format("seed {}", seed));
  }
  rows[0].insert(rows[0].end(), {"validation loss", "verdict"});
  bool any = false;
  for (const GridPosition& position : grid.positions) {
    if (&position == &reference) continue;
    const LossDifference difference = loss_difference(position, reference);
    any = any || difference.interval;
    std::vector<std::string> row = {position.position};
    for (const int64_t seed : grid.plan.seeds) {
      if (!by_seed) break;
      const auto found = std::ranges::find(difference.pairs, seed, &LossDifference::Pair::seed);
      row.push_back(found == difference.pairs.end() ? "–" : show_difference(found->loss));
    }
    row.push_back(difference.interval ? signed_interval(*difference.interval) : "–");
    row.push_back(verdict_name(difference.verdict));
    rows.push_back(std::move(row));
  }
  if (!any) rows.clear();
  return rows;
}

Json difference_json(const LossDifference& difference) {
  if (!difference.interval) return nullptr;
  Json seeds = Json::array();
  for (const auto& [seed, loss] : difference.pairs) seeds.push_back({{"seed", seed}, {"loss", loss}});
  const MeanInterval& interval = *difference.interval;
  return {{"mean", interval.mean},
          {"interval95", interval.half_width ? Json(*interval.half_width) : Json()},
          {"runs", interval.count},
          {"seeds", std::move(seeds)},
          {"verdict", difference.verdict == Verdict::untested ? Json() : Json(verdict_name(difference.verdict))}};
}

}  // namespace roformer
