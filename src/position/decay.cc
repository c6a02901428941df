#include "position/decay.h"

#include <numeric>

#include "base/error.h"

namespace roformer {
namespace {

// RotaryFrequencies takes only non-negative positions; the sine is odd.
RotaryFrequencies::Angle angle_at(const RotaryFrequencies& frequencies, int64_t distance, int64_t pair) {
  if (frequencies.rotary().grid_width > 0) {
    throw UsageError("{} is {}; expected 0: rotations on a grid depend on rows and columns", FieldName("grid_width"),
                     frequencies.rotary().grid_width);
  }
  if (distance >= 0) return frequencies.angle(distance, pair);
  const auto [cos, sin] = frequencies.angle(-distance, pair);
  return {cos, -sin};
}

}  // namespace

std::vector<std::complex<double>> rotary_partial_sums(const RotaryFrequencies& frequencies, int64_t distance) {
  std::vector<std::complex<double>> sums;
  std::complex<double> sum = 0;
  for (int64_t i = 0; i < frequencies.pairs(); ++i) {
    const auto [cos, sin] = angle_at(frequencies, distance, i);
    sum += std::complex<double>(cos, sin) / frequencies.attention_factor();
    sums.push_back(sum);
  }
  return sums;
}

double rotary_decay(const RotaryFrequencies& frequencies, int64_t distance) {
  double total = 0;
  for (const std::complex<double>& sum : rotary_partial_sums(frequencies, distance)) total += std::abs(sum);
  return total / static_cast<double>(frequencies.pairs());
}

double rotary_score(const RotaryFrequencies& frequencies, std::span<const double> q, std::span<const double> k,
                    int64_t distance) {
  double score = 0;
  for (int64_t i = 0; i < frequencies.pairs(); ++i) {
    const auto [first, second] = rotary_pair(frequencies.rotary(), i);
    const auto [cos, sin] = angle_at(frequencies, distance, i);
    const std::complex<double> h =
        std::complex<double>(q[first], q[second]) * std::conj(std::complex<double>(k[first], k[second]));
    // Re(h e^{ı(m−n)θ}) with m − n = −distance; the angle includes one of the two attention factors.
    score += frequencies.attention_factor() * (h.real() * cos + h.imag() * sin);
  }
  const auto rest = static_cast<int64_t>(frequencies.rotary().dim);
  return std::inner_product(q.begin() + rest, q.end(), k.begin() + rest, score);
}

}  // namespace roformer
