// Intervals of metrics, and of the differences of two models, from resampled examples (Efron 1979).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/parallel.h"
#include "metrics/metric_set.h"
#include "metrics/statistics.h"

namespace roformer {

// Resample r is a function of `seed`, r and the number of examples, so the same bits come out at any number of threads.
struct BootstrapOptions {
  int64_t resamples = 1000;  // at least 1
  uint64_t seed = 0;
};

// The 95 % interval of each metric: the percentiles 2.5 and 97.5 (interpolated linearly, as numpy) of its values over
// resamples of as many examples, drawn with replacement. Values that are not finite are left out; none are left, or
// there are fewer than two examples: no interval. ShapeError for more than 2^31 - 1 examples.
std::vector<std::optional<Bounds>> bootstrap_intervals(const MetricSet& metrics, const BootstrapOptions& options,
                                                       ThreadPool& pool);

struct MetricDifference {
  std::string name;
  double first = 0, second = 0;    // the values of the two models
  std::optional<Bounds> interval;  // of second - first, as above
  // Two-sided p value of no difference: twice the smaller share of resampled differences on one side of 0, counting
  // ties and the sample itself (Davison & Hinkley 1997, 4.4.1). It is 1 of equal models, and at least 2 / (resamples +
  // 1).
  std::optional<double> p;
};
// Of the metrics that both have, in the order of `first`. Example i of both is the same one, and both see the same
// resamples. ShapeError if the numbers of examples differ.
std::vector<MetricDifference> bootstrap_differences(const MetricSet& first, const MetricSet& second,
                                                    const BootstrapOptions& options, ThreadPool& pool);

}  // namespace roformer
