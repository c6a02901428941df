#include "metrics/statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace roformer {
namespace {

// P(|T| < t): 26.7.3 for odd, 26.7.4 for even degrees, with tan θ = t / √degrees.
double central_probability(double t, int64_t degrees) {
  const double angle = std::atan(t / std::sqrt(static_cast<double>(degrees)));
  const double cos2 = std::cos(angle) * std::cos(angle);
  const bool odd = degrees % 2 != 0;
  double term = odd ? std::cos(angle) : 1, sum = degrees == 1 ? 0 : term;
  for (int64_t k = odd ? 3 : 2; k <= degrees - 2; k += 2) {
    term *= cos2 * static_cast<double>(k - 1) / static_cast<double>(k);
    sum += term;
  }
  const double scaled = std::sin(angle) * sum;
  return odd ? 2 / std::numbers::pi * (angle + scaled) : scaled;
}

}  // namespace

double student_t(double confidence, int64_t degrees) {
  double low = 0, high = 1;
  while (central_probability(high, degrees) < confidence && high < 1e12) high *= 2;
  constexpr int kHalvings = 100;  // down to the last bit
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = (low + high) / 2;
    (central_probability(middle, degrees) < confidence ? low : high) = middle;
  }
  return high;
}

MeanInterval mean_interval(const std::vector<double>& values) {
  const auto count = static_cast<double>(values.size());
  double sum = 0, squares = 0;
  for (const double value : values) sum += value;
  MeanInterval result{.mean = sum / count, .half_width = {}, .count = std::ssize(values), .deviation = 0};
  if (result.count < 2) return result;
  for (const double value : values) squares += (value - result.mean) * (value - result.mean);
  result.deviation = std::sqrt(squares / (count - 1));
  result.half_width = student_t(0.95, result.count - 1) * result.deviation / std::sqrt(count);
  return result;
}

std::string interval_text(const std::vector<double>& values, int decimals) {
  if (values.empty()) return "–";
  const MeanInterval interval = mean_interval(values);
  std::string text = fmt::format("{:.{}f}", interval.mean, decimals);
  if (interval.half_width) text += fmt::format(" ± {:.{}f}", *interval.half_width, decimals);
  return text;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace roformer
