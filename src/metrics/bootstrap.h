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

// Two p values of no difference, from the same resampled differences.
enum class PValue : uint8_t {
  // Twice the smaller share of them on one side of 0, counting ties and the sample itself (Davison & Hinkley 1997,
  // 4.4.1). It is 1 of equal models, and at least 2 / (resamples + 1).
  two_sided,
  // The share whose size is above the mean size by more than the size of the difference itself, counting the sample:
  // "paired bootstrap" of sacreBLEU and, before, of Moses (Koehn 2004). It is 1 of models that differ in no resample,
  // where sacreBLEU has the least value, 1 / (resamples + 1).
  centered,
};

// Resample r is a function of `seed`, r and the number of examples, so the same bits come out at any number of threads.
struct BootstrapOptions {
  int64_t resamples = 1000;  // at least 1
  uint64_t seed = 0;
  PValue p = PValue::two_sided;  // of differences
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
  std::optional<double> p;         // BootstrapOptions::p
};
// Of the metrics that both have, in the order of `first`. Example i of both is the same one, and both see the same
// resamples. ShapeError if the numbers of examples differ.
std::vector<MetricDifference> bootstrap_differences(const MetricSet& first, const MetricSet& second,
                                                    const BootstrapOptions& options, ThreadPool& pool);

}  // namespace roformer
