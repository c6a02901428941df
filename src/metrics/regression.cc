#include "metrics/regression.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "base/error.h"

namespace roformer {
namespace {

using Times = std::span<const int32_t>;

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

double number_of(Times times) { return static_cast<double>(std::accumulate(times.begin(), times.end(), int64_t{0})); }

// Whether all values of the sample are one, or there is none. Rounded sums of squares would not be 0 then.
bool is_constant(std::span<const double> values, Times times) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (size_t i = 0; i < values.size(); ++i) {
    if (times[i] == 0) continue;
    low = std::min(low, values[i]);
    high = std::max(high, values[i]);
  }
  return low >= high;
}

double mean_of(std::span<const double> values, Times times) {
  double sum = 0;
  for (size_t i = 0; i < values.size(); ++i) sum += times[i] * values[i];
  return sum / number_of(times);
}

double pearson_of(std::span<const double> x, std::span<const double> y, Times times) {
  if (is_constant(x, times) || is_constant(y, times)) return kUndefined;
  const double mean_x = mean_of(x, times), mean_y = mean_of(y, times);
  double xx = 0, yy = 0, xy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double dx = x[i] - mean_x, dy = y[i] - mean_y;
    xx += times[i] * dx * dx;
    yy += times[i] * dy * dy;
    xy += times[i] * dx * dy;
  }
  return std::clamp(xy / (std::sqrt(xx) * std::sqrt(yy)), -1.0, 1.0);
}

// The examples by value, once; `level` numbers the distinct values from 0.
struct Order {
  explicit Order(std::span<const double> values) : examples(values.size()), level(values.size()) {
    std::iota(examples.begin(), examples.end(), 0u);
    std::ranges::sort(examples,
                      [&](uint32_t a, uint32_t b) { return values[a] != values[b] ? values[a] < values[b] : a < b; });
    for (size_t i = 0; i < examples.size(); ++i) {
      if (i > 0 && values[examples[i]] != values[examples[i - 1]]) ++levels;
      level[examples[i]] = levels;
    }
    if (!examples.empty()) ++levels;
  }

  // How often each distinct value is in a sample.
  std::vector<int64_t> counts(Times times) const {
    std::vector<int64_t> result(levels);
    for (size_t i = 0; i < times.size(); ++i) result[level[i]] += times[i];
    return result;
  }

  // Of each example; equal values have the mean of their ranks.
  std::vector<double> ranks(Times times) const {
    std::vector<double> of_level;
    double below = 0;
    for (const int64_t count : counts(times)) {
      of_level.push_back(below + static_cast<double>(count + 1) / 2);
      below += static_cast<double>(count);
    }
    std::vector<double> result;
    for (const uint32_t l : level) result.push_back(of_level[l]);
    return result;
  }

  std::vector<uint32_t> examples, level;
  uint32_t levels = 0;
};

// Sums of counts by prefix (Fenwick 1994).
class PrefixSums {
 public:
  explicit PrefixSums(size_t count) : tree_(count + 1) {}

  void add(size_t at, int64_t amount) {
    for (++at; at < tree_.size(); at += at & (~at + 1)) tree_[at] += amount;
  }
  // Of the entries 0 … at.
  int64_t through(size_t at) const {
    int64_t sum = 0;
    for (++at; at > 0; at &= at - 1) sum += tree_[at];
    return sum;
  }

 private:
  std::vector<int64_t> tree_;
};

double pairs_within(const std::vector<int64_t>& counts) {
  double pairs = 0;
  for (const int64_t count : counts) pairs += static_cast<double>(count) * static_cast<double>(count - 1) / 2;
  return pairs;
}

// Knight's method (1966): pairs that x orders one way and y the other are counted while x rises.
double kendall_of(const Order& x, const Order& y, Times times) {
  PrefixSums seen(y.levels);
  int64_t inserted = 0;
  double discordant = 0, tied_in_both = 0;
  std::vector<int64_t> here(y.levels);  // of each y among the examples of one x
  for (size_t begin = 0, end = 0; begin < x.examples.size(); begin = end) {
    while (end < x.examples.size() && x.level[x.examples[end]] == x.level[x.examples[begin]]) ++end;
    const std::span<const uint32_t> equal_x = std::span(x.examples).subspan(begin, end - begin);
    for (const uint32_t i : equal_x) {
      if (times[i] == 0) continue;
      discordant += static_cast<double>(times[i]) * static_cast<double>(inserted - seen.through(y.level[i]));
      here[y.level[i]] += times[i];
    }
    for (const uint32_t i : equal_x) {
      const int64_t count = std::exchange(here[y.level[i]], 0);
      if (count == 0) continue;
      tied_in_both += static_cast<double>(count) * static_cast<double>(count - 1) / 2;
      seen.add(y.level[i], count);
      inserted += count;
    }
  }
  const double all = static_cast<double>(inserted) * static_cast<double>(inserted - 1) / 2;
  const double tied_x = pairs_within(x.counts(times)), tied_y = pairs_within(y.counts(times));
  if (all == tied_x || all == tied_y) return kUndefined;
  const double difference = all - tied_x - tied_y + tied_in_both - 2 * discordant;
  return std::clamp(difference / std::sqrt(all - tied_x) / std::sqrt(all - tied_y), -1.0, 1.0);
}

struct Errors {
  double squared = 0, absolute = 0, r_squared = 0;
};

Errors errors_of(std::span<const double> gold, std::span<const double> predicted, Times times) {
  const double mean = mean_of(gold, times), number = number_of(times);
  double squared = 0, absolute = 0, spread = 0;
  for (size_t i = 0; i < gold.size(); ++i) {
    const double error = gold[i] - predicted[i];
    squared += times[i] * error * error;
    absolute += times[i] * std::abs(error);
    spread += times[i] * (gold[i] - mean) * (gold[i] - mean);
  }
  return {.squared = squared / number,
          .absolute = absolute / number,
          .r_squared = is_constant(gold, times) ? kUndefined : 1 - squared / spread};
}

bool all_finite(std::span<const double> values) {
  return std::ranges::all_of(values, [](double value) { return std::isfinite(value); });
}

}  // namespace

MetricSet regression_metrics(std::span<const double> gold, std::span<const double> predicted) {
  if (gold.size() != predicted.size()) {
    throw ShapeError("lists of {} and of {} numbers", gold.size(), predicted.size());
  }
  MetricSet result{.examples = std::ssize(gold), .names = {"pearson", "spearman", "kendall", "mse", "mae", "r2"}};
  if (!all_finite(gold) || !all_finite(predicted)) {
    result.values = [](Times) { return std::vector<double>(6, kUndefined); };
    return result;
  }
  result.values = [x = std::vector(gold.begin(), gold.end()), y = std::vector(predicted.begin(), predicted.end()),
                   by_x = Order(gold), by_y = Order(predicted)](Times times) -> std::vector<double> {
    const Errors errors = errors_of(x, y, times);
    return {pearson_of(x, y, times),
            pearson_of(by_x.ranks(times), by_y.ranks(times), times),
            kendall_of(by_x, by_y, times),
            errors.squared,
            errors.absolute,
            errors.r_squared};
  };
  return result;
}

}  // namespace roformer
