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

// The smallest of 1, 2, 5 times a power of ten that is at least `rough`.
double round_step(double rough) {
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= rough * (1 - 1e-9)) return factor * power;
  }
  return 10 * power;
}

}  // namespace

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
    const bool zero = largest <= kSmallest;  // shares and counts that stay 0: nothing below is of interest
    low -= zero ? 0 : largest * 0.1;
    high += zero ? 1 : largest * 0.1;
  }
  Axis axis;
  axis.step = round_step((high - low) / std::max(1, count));
  const double first = std::ceil(low / axis.step - 1e-6), last = std::floor(high / axis.step + 1e-6);
  axis.low = widen ? std::floor(low / axis.step + 1e-6) * axis.step : low;
  axis.high = widen ? std::ceil(high / axis.step - 1e-6) * axis.step : high;
  const double begin = widen ? std::round(axis.low / axis.step) : first;
  const double end = widen ? std::round(axis.high / axis.step) : last;
  for (int i = 0; i <= end - begin; ++i) axis.ticks.push_back((begin + i) * axis.step);
  return axis;
}

Axis make_logarithmic_axis(double low, double high, int count, bool widen) {
  constexpr double kMost = 1e100, kClose = 1e-6;
  if (!(low <= high)) low = high = 1;
  Axis axis{.low = std::clamp(low, 1 / kMost, kMost), .high = std::clamp(high, 1 / kMost, kMost), .ticks = {}};
  axis.logarithmic = true;
  if (axis.high < axis.low * 1.01) {
    axis.low /= 2;
    axis.high *= 2;
  }
  // 1, 2, 5 of every power of ten, or every nth power alone, as `count` allows.
  const double first = std::log10(axis.low), last = std::log10(axis.high);
  const bool fine = 3 * (last - first) <= 1.5 * count;
  const int every = std::max(1, static_cast<int>(std::ceil((last - first) / std::max(1, count))));
  std::vector<double> ticks;
  const int begin = static_cast<int>(std::floor(first / every)) * every;
  const int end = static_cast<int>(std::ceil(last / every)) * every;
  for (int power = begin; power <= end; power += every) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      if (factor == 1 || fine) ticks.push_back(factor * std::pow(10.0, power));
    }
  }
  if (widen) {
    const auto beyond = [&](double tick) { return tick >= axis.high * (1 - kClose); };
    const double top = *std::find_if(ticks.begin(), ticks.end(), beyond);  // the last is one
    const auto below = [&](double tick) { return tick <= axis.low * (1 + kClose); };
    axis.low = *std::find_if(ticks.rbegin(), ticks.rend(), below);  // the first is one
    axis.high = top;
  }
  for (const double tick : ticks) {
    if (tick >= axis.low * (1 - kClose) && tick <= axis.high * (1 + kClose)) axis.ticks.push_back(tick);
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
