#include "position/rotary.h"

#include <cmath>
#include <numeric>

#include "base/error.h"

namespace roformer {
namespace {

// 113-bit arithmetic. At position 2^29 a frequency known to 64 bits would already be wrong by 1e-11 radians.
__extension__ using Quad = __float128;

Quad power(Quad x, int64_t exponent) {
  Quad result = 1;
  for (; exponent > 0; exponent /= 2, x *= x) {
    if (exponent % 2 == 1) result *= x;
  }
  return result;
}

// base^(−1/n): a first guess in long double, then Newton's method on r^−n = base, which doubles the digits.
Quad inverse_root(double base, int64_t n) {
  Quad root = std::pow(static_cast<long double>(base), -1.0L / static_cast<long double>(n));
  for (int step = 0; step < 2; ++step) root += root * (1 / (base * power(root, n)) - 1) / n;
  return root;
}

}  // namespace

std::string_view rotary_layout_name(RotaryLayout layout) {
  return layout == RotaryLayout::adjacent ? "adjacent" : "half";
}

RotaryLayout parse_rotary_layout(std::string_view name) {
  for (const auto layout : {RotaryLayout::adjacent, RotaryLayout::half}) {
    if (name == rotary_layout_name(layout)) return layout;
  }
  throw UsageError("rotary layout is '{}'; expected adjacent or half", name);
}

void validate(const Rotary& rotary, int64_t head_dim) {
  if (rotary.dim <= 0 || rotary.dim % 2 != 0) {
    throw UsageError("rotary dimension is {}; expected an even number of at least 2", rotary.dim);
  }
  if (rotary.dim > head_dim) {
    throw UsageError("rotary dimension is {}; expected at most the head size, {}", rotary.dim, head_dim);
  }
  if (!std::isfinite(rotary.base) || rotary.base <= 1) {
    throw UsageError("rotary base is {}; expected a finite number above 1", rotary.base);
  }
}

RotaryFrequencies::RotaryFrequencies(const Rotary& rotary) : rotary_(rotary) {
  validate(rotary, rotary.dim);
  const Quad ratio = inverse_root(rotary.base, pairs());  // θ_{i+1} / θ_i = base^(−2/dim)
  Quad theta = 1;
  frequencies_.reserve(pairs());
  for (int64_t i = 0; i < pairs(); ++i, theta *= ratio) {
    const auto high = static_cast<double>(theta);
    frequencies_.push_back({high, static_cast<double>(theta - high)});
  }
}

RotaryFrequencies::Angle RotaryFrequencies::angle(int64_t position, int64_t pair) const {
  if (position < 0 || position > kMaxRotaryPosition) {
    throw DataError("position {} cannot be rotated; expected 0 to {}", position, kMaxRotaryPosition);
  }
  const auto [high, low] = frequencies_[pair];
  const auto m = static_cast<double>(position);
  // m·θ as a double and what rounding took from it; the second is below 1e-7, so two Taylor terms are exact enough.
  const double angle = m * high;
  const double error = std::fma(m, high, -angle) + m * low;
  const double cos = std::cos(angle), sin = std::sin(angle);
  return {cos - error * sin, sin + error * cos};
}

std::vector<int64_t> rotary_permutation(const Rotary& rotary, RotaryLayout to, int64_t head_dim) {
  validate(rotary, head_dim);
  std::vector<int64_t> result(head_dim);
  std::iota(result.begin(), result.end(), 0);
  const Rotary target{rotary.dim, to, rotary.base};
  for (int64_t i = 0; i < rotary.dim / 2; ++i) {
    const RotaryPair old_pair = rotary_pair(rotary, i), new_pair = rotary_pair(target, i);
    result[new_pair.first] = old_pair.first;
    result[new_pair.second] = old_pair.second;
  }
  return result;
}

}  // namespace roformer
