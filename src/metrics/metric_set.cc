#include "metrics/metric_set.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/error.h"

namespace roformer {

std::vector<double> MetricSet::once() const { return values(std::vector<int32_t>(static_cast<size_t>(examples), 1)); }

MetricSet mean_metrics(std::vector<std::string> names, std::vector<std::vector<double>> values) {
  const bool alike = std::ranges::all_of(values, [&](const auto& of) { return of.size() == values.front().size(); });
  if (names.size() != values.size() || !alike) {
    throw ShapeError("{} names of metrics for {} lists of values, or lists of different lengths", names.size(),
                     values.size());
  }
  const int64_t examples = values.empty() ? 0 : std::ssize(values.front());
  return {.examples = examples, .names = std::move(names), .values = [values = std::move(values)](auto times) {
            int64_t count = 0;
            for (const int32_t t : times) count += t;
            std::vector<double> means;
            for (const std::vector<double>& of : values) {
              double sum = 0;
              for (size_t i = 0; i < times.size(); ++i) {
                if (times[i] > 0) sum += times[i] * of[i];
              }
              means.push_back(count == 0 ? std::numeric_limits<double>::quiet_NaN() : sum / static_cast<double>(count));
            }
            return means;
          }};
}

MetricSet join(MetricSet first, MetricSet second) {
  if (first.examples != second.examples) {
    throw ShapeError("metrics of {} and of {} examples", first.examples, second.examples);
  }
  std::vector<std::string> names = std::move(first.names);
  std::ranges::move(second.names, std::back_inserter(names));
  return {.examples = first.examples,
          .names = std::move(names),
          .values = [one = std::move(first.values), other = std::move(second.values)](auto times) {
            std::vector<double> all = one(times);
            std::ranges::copy(other(times), std::back_inserter(all));
            return all;
          }};
}

}  // namespace roformer
