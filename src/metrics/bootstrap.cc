#include "metrics/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <utility>

#include "base/error.h"
#include "base/random.h"

namespace roformer {
namespace {

// How often each of `count` examples is drawn in `count` draws with replacement, without bias (Lemire 2019).
std::vector<int32_t> draw_times(RandomStream stream, uint32_t count) {
  std::vector<int32_t> times(count);
  const uint32_t first_unbiased = (0 - count) % count;
  for (uint64_t block = 0, drawn = 0; drawn < count; ++block) {
    for (const uint32_t word : philox4x32(stream, block)) {
      const uint64_t product = uint64_t{word} * count;
      if (static_cast<uint32_t>(product) < first_unbiased || drawn == count) continue;
      ++times[product >> 32];
      ++drawn;
    }
  }
  return times;
}

using Statistic = std::function<std::vector<double>(std::span<const int32_t>)>;

// By statistic, then by resample.
std::vector<std::vector<double>> resampled(int64_t examples, size_t statistics, const Statistic& statistic,
                                           const BootstrapOptions& options, ThreadPool& pool) {
  if (examples > std::numeric_limits<int32_t>::max()) throw ShapeError("a bootstrap of {} examples", examples);
  if (options.resamples < 1) throw ShapeError("a bootstrap of {} resamples", options.resamples);
  const auto resamples = static_cast<size_t>(options.resamples);
  std::vector<std::vector<double>> values(statistics, std::vector<double>(resamples));
  if (examples < 2) return std::vector<std::vector<double>>(statistics);
  pool.run(options.resamples, [&](int64_t r) {
    const RandomStream stream = substream({.seed = options.seed}, static_cast<uint64_t>(r));
    const std::vector<double> of_sample = statistic(draw_times(stream, static_cast<uint32_t>(examples)));
    for (size_t s = 0; s < statistics; ++s) values[s][static_cast<size_t>(r)] = of_sample[s];
  });
  for (std::vector<double>& of_statistic : values) {
    std::erase_if(of_statistic, [](double value) { return !std::isfinite(value); });
    std::ranges::sort(of_statistic);
  }
  return values;
}

double percentile(const std::vector<double>& sorted, double share) {
  const double at = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(at);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], at - static_cast<double>(below));
}

std::optional<Bounds> interval_of(const std::vector<double>& sorted) {
  if (sorted.empty()) return std::nullopt;
  return Bounds{percentile(sorted, 0.025), percentile(sorted, 0.975)};
}

double two_sided_p(const std::vector<double>& sorted_differences) {
  const auto at_most_0 = std::ranges::count_if(sorted_differences, [](double d) { return d <= 0; });
  const auto at_least_0 = std::ranges::count_if(sorted_differences, [](double d) { return d >= 0; });
  const auto all = static_cast<double>(sorted_differences.size());
  return std::min(1.0, 2 * static_cast<double>(std::min(at_most_0, at_least_0) + 1) / (all + 1));
}

double centered_p(const std::vector<double>& differences, double difference) {
  const auto all = static_cast<double>(differences.size());
  double mean = 0;
  for (const double one : differences) mean += std::abs(one) / all;
  if (mean == 0) return 1;
  const auto above =
      std::ranges::count_if(differences, [&](double one) { return std::abs(one) - mean > std::abs(difference); });
  return static_cast<double>(above + 1) / (all + 1);
}

}  // namespace

std::vector<std::optional<Bounds>> bootstrap_intervals(const MetricSet& metrics, const BootstrapOptions& options,
                                                       ThreadPool& pool) {
  std::vector<std::optional<Bounds>> intervals;
  for (const auto& values : resampled(metrics.examples, metrics.names.size(), metrics.values, options, pool)) {
    intervals.push_back(interval_of(values));
  }
  return intervals;
}

std::vector<MetricDifference> bootstrap_differences(const MetricSet& first, const MetricSet& second,
                                                    const BootstrapOptions& options, ThreadPool& pool) {
  if (first.examples != second.examples) {
    throw ShapeError("metrics of {} and of {} examples", first.examples, second.examples);
  }
  const std::vector<double> values = first.once(), other_values = second.once();
  std::vector<MetricDifference> result;
  std::vector<std::pair<size_t, size_t>> pairs;  // where each metric is in the two sets
  for (size_t i = 0; i < first.names.size(); ++i) {
    const auto found = std::ranges::find(second.names, first.names[i]);
    if (found == second.names.end()) continue;
    pairs.emplace_back(i, static_cast<size_t>(found - second.names.begin()));
    result.push_back({.name = first.names[i],
                      .first = values[i],
                      .second = other_values[pairs.back().second],
                      .interval = {},
                      .p = {}});
  }
  const Statistic difference = [&](std::span<const int32_t> times) {
    const std::vector<double> of_first = first.values(times), of_second = second.values(times);
    std::vector<double> differences;
    for (const auto& [one, other] : pairs) differences.push_back(of_second[other] - of_first[one]);
    return differences;
  };
  const auto differences = resampled(first.examples, pairs.size(), difference, options, pool);
  for (size_t i = 0; i < result.size(); ++i) {
    result[i].interval = interval_of(differences[i]);
    if (differences[i].empty()) continue;
    result[i].p = options.p == PValue::two_sided ? two_sided_p(differences[i])
                                                 : centered_p(differences[i], result[i].second - result[i].first);
  }
  return result;
}

}  // namespace roformer
