#include "report/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace roformer {
namespace {

constexpr double kLargest = 1e300;  // differences of two values stay finite

struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  void include(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

// The first and the last multiple of `step` that are ticks of an axis, in steps.
struct Multiples {
  double first = 0, last = -1;
  double count() const { return last - first + 1; }
};

Multiples multiples(double low, double high, double step, bool widen) {
  constexpr double kClose = 1e-6;
  if (widen) return {std::floor(low / step + kClose), std::ceil(high / step - kClose)};
  return {std::ceil(low / step - kClose), std::floor(high / step + kClose)};
}

constexpr double kOutside = 10;  // badness of too few or too many ticks

// How far an axis with `ticks` ticks is from one with `count`; `waste` is the share by which the ticks widen it. Fewer
// than four say little of the values between them, more than nine are crowded: either only if nothing else fits.
double badness(double ticks, int count, double waste) {
  constexpr int kFew = 4, kMany = 9;
  if (ticks < 1) return 10 * kOutside;
  const bool outside = ticks < std::min(count, kFew) || ticks > std::max(count, kMany);
  return std::abs(std::log(ticks / count)) + waste + (outside ? kOutside : 0);
}

// The step of 1, 2 or 5 times a power of ten that suits a range best.
double round_step(double low, double high, int count, bool widen) {
  const double range = high - low;
  const double power = std::pow(10.0, std::floor(std::log10(range / count)));
  double best = power, least = std::numeric_limits<double>::infinity();
  for (const double factor : {0.5, 1.0, 2.0, 5.0, 10.0, 20.0}) {
    const double step = factor * power;
    const Multiples ticks = multiples(low, high, step, widen);
    const double bad = badness(ticks.count(), count, widen ? (ticks.count() - 1) * step / range - 1 : 0);
    if (bad >= least) continue;
    least = bad;
    best = step;
  }
  return best;
}

// Of ticks in order, the first and the last one that an axis from `low` to `high` shows.
std::vector<double> shown(const std::vector<double>& ticks, double low, double high, bool widen) {
  constexpr double kClose = 1e-6;
  auto first = std::find_if(ticks.begin(), ticks.end(), [&](double tick) { return tick >= low * (1 - kClose); });
  auto last = std::find_if(first, ticks.end(), [&](double tick) { return tick > high * (1 + kClose); });
  if (widen) {
    if (first != ticks.begin() && (first == ticks.end() || *first > low * (1 + kClose))) --first;
    if (last != ticks.end() && (last == ticks.begin() || *std::prev(last) < high * (1 - kClose))) ++last;
  }
  return {first, last};
}

// What the ticks of a logarithmic axis may be, the simplest first; each reaches beyond `low` and `high`.
std::vector<std::vector<double>> logarithmic_ticks(double low, double high, int count) {
  const int begin = static_cast<int>(std::floor(std::log10(low))), end = static_cast<int>(std::ceil(std::log10(high)));
  const auto by_powers = [&](int every, std::initializer_list<double> factors) {
    std::vector<double> ticks;
    const int first = static_cast<int>(std::floor(static_cast<double>(begin) / every)) * every;
    for (int power = first; power < end + every; power += every) {
      for (const double factor : factors) ticks.push_back(factor * std::pow(10.0, power));
    }
    return ticks;
  };
  std::vector<std::vector<double>> result;
  const int most = std::max(1, end - begin);
  for (int every = 1; every <= most; ++every) result.push_back(by_powers(every, {1}));
  if (most > 2 * count) return result;
  result.push_back(by_powers(1, {1, 2, 5}));
  result.push_back(by_powers(1, {1, 3}));
  return result;
}

// Ticks as on a linear axis, for values too close to each other for powers of ten.
std::vector<double> linear_ticks(double low, double high, int count, bool widen) {
  const double step = round_step(low, high, count, widen);
  const Multiples ticks = multiples(low, high, step, true);
  std::vector<double> result;
  for (double i = std::max(1.0, ticks.first); i <= ticks.last; ++i) result.push_back(i * step);
  return result;
}

}  // namespace

void drop_crowded_bands(Plot& plot) {
  constexpr size_t kMaxBands = 7;
  if (plot.series.size() <= kMaxBands) return;
  for (PlotSeries& series : plot.series) series.low = series.high = {};
}

bool is_drawable(const PlotPoint& point) { return std::abs(point.x) <= kLargest && std::abs(point.y) <= kLargest; }

Axis make_axis(double low, double high, int count, bool widen) {
  if (!(low <= high)) {
    low = 0;
    high = 1;
  }
  // A range too narrow for its numbers would give ticks that print alike, or a step that rounding swallows.
  constexpr double kSmallest = 1e-290;
  const double largest = std::max(std::abs(low), std::abs(high));
  if (high - low <= std::max(largest * 1e-9, kSmallest)) {
    const bool zero = largest <= kSmallest;  // fractions and counts that stay 0 are never negative
    low -= zero ? 0 : largest * 0.1;
    high += zero ? 1 : largest * 0.1;
  }
  Axis axis;
  axis.step = round_step(low, high, std::max(1, count), widen);
  const Multiples ticks = multiples(low, high, axis.step, widen);
  axis.low = widen ? ticks.first * axis.step : low;
  axis.high = widen ? ticks.last * axis.step : high;
  for (int i = 0; i < ticks.count(); ++i) axis.ticks.push_back((ticks.first + i) * axis.step);
  return axis;
}

Axis make_logarithmic_axis(double low, double high, int count, bool widen) {
  constexpr double kLimit = 1e100;
  if (!(low <= high)) low = high = 1;
  Axis axis{.low = std::clamp(low, 1 / kLimit, kLimit), .high = std::clamp(high, 1 / kLimit, kLimit), .ticks = {}};
  axis.logarithmic = true;
  if (axis.high < axis.low * 1.01) {
    axis.low /= 2;
    axis.high *= 2;
  }
  count = std::max(1, count);
  double least = std::numeric_limits<double>::infinity();
  const auto consider = [&, low = axis.low, high = axis.high](const std::vector<double>& candidate) {
    const std::vector<double> ticks = shown(candidate, low, high, widen);
    const bool wider = widen && ticks.size() > 1;
    const double waste = wider ? std::log(ticks.back() / ticks.front()) / std::log(high / low) - 1 : 0;
    const double bad = badness(static_cast<double>(ticks.size()), count, waste);
    if (bad >= least) return;
    least = bad;
    axis.ticks = ticks;
  };
  for (const auto& ticks : logarithmic_ticks(axis.low, axis.high, count)) consider(ticks);
  if (least >= kOutside && axis.high < 30 * axis.low) consider(linear_ticks(axis.low, axis.high, count, widen));
  if (widen && !axis.ticks.empty()) {
    axis.low = std::min(axis.low, axis.ticks.front());
    axis.high = std::max(axis.high, axis.ticks.back());
  }
  return axis;
}

double Axis::share(double value) const {
  if (!logarithmic) return (value - low) / (high - low);
  return (std::log(std::max(value, low)) - std::log(low)) / (std::log(high) - std::log(low));
}

std::string Axis::label(double tick) const {
  if (logarithmic) {
    if (tick >= 1e15 || tick < 1e-4) return fmt::format("{:.3g}", tick);
    return tick >= 10000 ? fmt::format("{:.6g}k", tick / 1000) : fmt::format("{:.6g}", tick);
  }
  constexpr std::array<std::pair<double, const char*>, 3> kUnits = {{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}}};
  const double largest = std::max(std::abs(low), std::abs(high));
  const double value = std::abs(tick) < step / 2 ? 0 : tick;
  if (largest >= 1e12 || largest < 1e-4) return value == 0 ? "0" : fmt::format("{:.3g}", value);
  for (const auto& [unit, name] : kUnits) {
    // 12000 reads as 12k; 1250 stays 1250, as 1.25k is no shorter.
    if (largest >= 10 * unit && std::fmod(std::abs(step), unit / 10) < unit * 1e-6) {
      return value == 0 ? "0" : fmt::format("{:.6g}{}", value / unit, name);
    }
  }
  const int decimals = std::clamp(static_cast<int>(std::ceil(-std::log10(step) - 1e-6)), 0, 9);
  return fmt::format("{:.{}f}", value, decimals);
}

PlotAxes make_axes(const Plot& plot, int x_count, int y_count) {
  Range x, y;
  for (const double value : plot.y_shown) y.include(value);
  for (const PlotLevel& level : plot.levels) {
    if (is_drawable({0, level.y})) y.include(level.y);
  }
  for (const PlotSeries& series : plot.series) {
    for (const auto* points : {&series.points, &series.low, &series.high}) {
      for (const PlotPoint& point : *points) {
        if (!is_drawable(point)) continue;
        x.include(point.x);
        y.include(point.y);
      }
    }
  }
  if (plot.logarithmic) {
    return {make_logarithmic_axis(x.low, x.high, x_count, false), make_logarithmic_axis(y.low, y.high, y_count, true)};
  }
  return {make_axis(x.low, x.high, x_count, false), make_axis(y.low, y.high, y_count, true)};
}

}  // namespace roformer
