#include "lab/rope_numbers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace roformer {
namespace {

double length(std::span<const double> x) { return std::sqrt(std::inner_product(x.begin(), x.end(), x.begin(), 0.0)); }

// θ as common in other programs: a power in float32.
float single_frequency(const Rotary& rotary, int64_t pair) {
  const float exponent = static_cast<float>(2 * pair) / static_cast<float>(rotary.dim);
  return 1 / std::pow(static_cast<float>(rotary.base), exponent);
}

}  // namespace

std::string rope_numbers(std::span<const double> vector, int64_t position, RotaryLayout layout, double base) {
  const RotaryFrequencies frequencies({.dim = static_cast<int64_t>(vector.size()), .layout = layout, .base = base});
  std::vector<double> after(vector.begin(), vector.end());
  rotate(std::span<double>(after), frequencies, position);
  std::string text = fmt::format("{:>4}  {:<8}  {:>9}  {:>9}  {:>9}  {:>9}  {:>18}  {:>18}\n", "pair", "elements", "θ",
                                 "angle", "cosine", "sine", "before", "after");
  for (int64_t i = 0; i < frequencies.pairs(); ++i) {
    const auto [first, second] = rotary_pair(frequencies.rotary(), i);
    const auto [cos, sin] = frequencies.angle(position, i);
    const auto point = [first = first, second = second](std::span<const double> x) {
      return fmt::format("{:.5g}, {:.5g}", x[static_cast<size_t>(first)], x[static_cast<size_t>(second)]);
    };
    text += fmt::format("{:>4}  {:<8}  {:>9.5g}  {:>9.5g}  {:>9.5f}  {:>9.5f}  {:>18}  {:>18}\n", i,
                        fmt::format("{}, {}", first, second), frequencies.theta(i),
                        static_cast<double>(position) * frequencies.theta(i), cos, sin, point(vector), point(after));
  }
  return text + fmt::format("length {:.5g} before, {:.5g} after\n", length(vector), length(after));
}

std::string rope_precision(const Rotary& rotary) {
  constexpr int64_t kPositions = 512;
  const RotaryFrequencies frequencies(rotary);
  std::string text =
      fmt::format("{:>8}  {:>16}  {:>12}  {:>12}\n", "before", "angle in float32", "θ in float32", "this program");
  for (const int64_t end : {512, 4096, 32768, 131072, 1048576}) {
    double single = 0, mixed = 0, ours = 0;
    for (int64_t pair = 0; pair < frequencies.pairs(); ++pair) {
      const float theta = single_frequency(rotary, pair);
      for (int64_t position = end - kPositions; position < end; ++position) {
        const RotaryFrequencies::Angle exact = frequencies.angle(position, pair);
        const auto include = [&](double& error, double cos, double sin) {
          error = std::max({error, std::abs(cos - exact.cos), std::abs(sin - exact.sin)});
        };
        const double single_angle = static_cast<float>(position) * theta;
        const double mixed_angle = static_cast<double>(position) * static_cast<double>(theta);
        include(single, std::cos(single_angle), std::sin(single_angle));
        include(mixed, std::cos(mixed_angle), std::sin(mixed_angle));
        include(ours, static_cast<float>(exact.cos), static_cast<float>(exact.sin));
      }
    }
    text += fmt::format("{:>8}  {:>16.1e}  {:>12.1e}  {:>12.1e}\n", end, single, mixed, ours);
  }
  return text;
}

}  // namespace roformer
