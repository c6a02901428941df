// Metrics of one set of labeled examples as a function of how often each example counts. That is what a bootstrap
// needs: a resample is the same examples with other multiplicities, so nothing is predicted, matched or sorted again.
// A metric of lists of indices was rejected: it would sort and copy for each resample.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace roformer {

struct MetricSet {
  int64_t examples = 0;
  std::vector<std::string> names;
  // One value per name of the sample in which example i occurs times[i] >= 0 times. NaN where a metric is undefined.
  // Owns its data; several threads may call it at once.
  std::function<std::vector<double>(std::span<const int32_t> times)> values{};

  std::vector<double> once() const;  // every example once
};

// Means over examples: values[m][i] is metric m of example i, e.g. a loss, or 1 where the choice is right. ShapeError
// unless there is a name per metric and all metrics have equally many examples.
MetricSet mean_metrics(std::vector<std::string> names, std::vector<std::vector<double>> values);

// Both sets' metrics of the same examples. ShapeError if their numbers differ.
MetricSet join(MetricSet first, MetricSet second);

}  // namespace roformer
