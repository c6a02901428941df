#include "position/rotary.h"

#include <cmath>
#include <numeric>

#include "base/error.h"

namespace roformer {
namespace {

// 113-bit arithmetic. At position 2^29 a 64-bit frequency would be off by 1e-11 radians.
__extension__ using Quad = __float128;

Quad power(Quad x, int64_t exponent) {
  Quad result = 1;
  for (; exponent > 0; exponent /= 2, x *= x) {
    if (exponent % 2 == 1) result *= x;
  }
  return result;
}

// base^(−1/n): a long double estimate, then Newton's method on r^−n = base, which doubles the digits.
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
  throw UsageError("{} is '{}'; expected adjacent or half", FieldName("layout"), name);
}

void validate(const Rotary& rotary, int64_t head_dim) {
  if (rotary.dim <= 0 || rotary.dim % 2 != 0) {
    throw UsageError("{} is {}; expected an even rotary dimension of at least 2", FieldName("dim"), rotary.dim);
  }
  if (rotary.dim > head_dim) {
    throw UsageError("{} is {}; expected at most the head size, {}", FieldName("dim"), rotary.dim, head_dim);
  }
  if (!std::isfinite(rotary.base) || rotary.base <= 1) {
    throw UsageError("{} is {}; expected a finite number above 1", FieldName("base"), rotary.base);
  }
  if (!(rotary.proportion > 0 && rotary.proportion <= 1)) {
    throw UsageError("{} is {}; expected above 0, at most 1", FieldName("proportion"), rotary.proportion);
  }
  if (rotary.grid_width < 0 || rotary.grid_width > kMaxRotaryPosition) {
    throw UsageError("{} is {}; expected 0 (no grid) to {}", FieldName("grid_width"), rotary.grid_width,
                     kMaxRotaryPosition);
  }
  if (rotary.grid_width > 0 && rotary.dim % 4 != 0) {
    throw UsageError(
        "{} {} needs a rotary dimension that is a multiple of 4, not {}: half for rows and half for columns",
        FieldName("grid_width"), rotary.grid_width, rotary.dim);
  }
  const bool scaled = !std::holds_alternative<std::monostate>(rotary.scaling);
  if (rotary.grid_width > 0 && scaled) {
    throw UsageError("{} is {}; expected 0 (no grid) with a rotary scaling", FieldName("grid_width"),
                     rotary.grid_width);
  }
  validate(rotary.scaling, rotary.dim);
}

RotaryFrequencies::RotaryFrequencies(const Rotary& rotary, int64_t length) : rotary_(rotary) {
  validate(rotary, rotary.dim);
  // On a grid each axis has half of the pairs, with all frequencies.
  const int64_t axes = rotary.grid_width > 0 ? 2 : 1, axis_pairs = pairs() / axes;
  const ScaledFrequencies scaled = scale_frequencies(rotary.scaling, 2 * axis_pairs, rotary.base, length);
  if (!std::isfinite(scaled.base)) {
    throw UsageError("the scaling for {} positions makes {} {} overflow", length, FieldName("base"), rotary.base);
  }
  attention_factor_ = scaled.attention_factor;
  const auto rotating = static_cast<int64_t>(std::floor(rotary.proportion * static_cast<double>(2 * axis_pairs) / 2));
  const Quad ratio = inverse_root(scaled.base, axis_pairs);  // θ_{i+1} / θ_i = base^(−2/dim)
  frequencies_.reserve(pairs());
  for (int64_t axis = 0; axis < axes; ++axis) {
    Quad theta = 1;
    for (int64_t i = 0; i < axis_pairs; ++i, theta *= ratio) {
      const Quad scaled_theta = i >= rotating ? Quad{0} : scaled.divisors.empty() ? theta : theta / scaled.divisors[i];
      const auto high = static_cast<double>(scaled_theta);
      frequencies_.push_back({high, static_cast<double>(scaled_theta - high)});
    }
  }
}

RotaryFrequencies::RotaryFrequencies(const Rotary& rotary, std::span<const double> theta) : rotary_(rotary) {
  rotary_.base = Rotary().base;
  rotary_.proportion = 1;
  rotary_.scaling = {};
  validate(rotary_, rotary_.dim);
  if (std::ssize(theta) != pairs()) {
    throw UsageError("there are {} rotary frequencies; expected {}, one per pair", theta.size(), pairs());
  }
  for (const double frequency : theta) {
    if (!(std::abs(frequency) <= kMaxRotaryFrequency)) {
      throw DataError("rotary frequency {} is {}; expected -{} to {}", frequencies_.size(), frequency,
                      kMaxRotaryFrequency, kMaxRotaryFrequency);
    }
    frequencies_.push_back({frequency, 0});
  }
}

RotaryFrequencies::Angle RotaryFrequencies::angle(int64_t position, int64_t pair) const {
  if (position < 0 || position > kMaxRotaryPosition) {
    throw DataError("position {} cannot be rotated; expected 0 to {}", position, kMaxRotaryPosition);
  }
  if (rotary_.grid_width > 0) {
    position = 2 * pair < pairs() ? position / rotary_.grid_width : position % rotary_.grid_width;
  }
  const auto [high, low] = frequencies_[pair];
  const auto m = static_cast<double>(position);
  // m·θ as a double plus its rounding error, which is below 1e-7 for θ ≤ 1 and always below 1e-5, so three Taylor terms
  // suffice.
  const double angle = m * high;
  const double error = std::fma(m, high, -angle) + m * low;
  const double cos = std::cos(angle), sin = std::sin(angle), cos_error = 1 - error * error / 2;
  return {attention_factor_ * (cos * cos_error - error * sin), attention_factor_ * (sin * cos_error + error * cos)};
}

std::vector<int64_t> rotary_permutation(const Rotary& rotary, RotaryLayout to, int64_t head_dim) {
  validate(rotary, head_dim);
  std::vector<int64_t> result(head_dim);
  std::iota(result.begin(), result.end(), 0);
  const Rotary target{.dim = rotary.dim, .layout = to};
  for (int64_t i = 0; i < rotary.dim / 2; ++i) {
    const RotaryPair old_pair = rotary_pair(rotary, i), new_pair = rotary_pair(target, i);
    result[new_pair.first] = old_pair.first;
    result[new_pair.second] = old_pair.second;
  }
  return result;
}

}  // namespace roformer
