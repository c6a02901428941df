#include "backend/cpu/gemm/group_rounding.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "tensor/half.h"

namespace roformer {

namespace {

constexpr int64_t kCount = 32;

struct Range {
  int least, most;
};
constexpr Range kInt8{-128, 127}, kInt4{-8, 7};

// The float16 with this value; nothing if there is none.
std::optional<uint16_t> float16_of(float value) {
  constexpr uint32_t kBeyondHalf = 0x3FF;  // bits that not even the longest of float16, its normal numbers, have
  if ((std::bit_cast<uint32_t>(value) & kBeyondHalf) != 0) return std::nullopt;
  const Float16 half = rounded_to_float16(value);
  if (!(widened(half) == value)) return std::nullopt;
  return half.bits;
}

// Codes that give the values exactly with this scale.
bool find_codes(const float* values, float scale, float minimum, const Range& range, WeightGroup& group) {
  for (int64_t i = 0; i < kCount; ++i) {
    const float code = std::nearbyint((values[i] - minimum) / scale);
    if (!(code >= static_cast<float>(range.least) && code <= static_cast<float>(range.most))) return false;
    if (scale * code + minimum != values[i]) return false;
    group.codes[static_cast<size_t>(i)] = static_cast<int8_t>(code);
  }
  return true;
}

// The value furthest from zero.
float largest(const float* values) {
  return *std::max_element(values, values + kCount, [](float a, float b) { return std::abs(a) < std::abs(b); });
}

// Whether all values have no more binary digits than a product of a float16 and a code: a quick no for most others.
bool may_be_products(const float* values, int code_digits) {
  constexpr int kFloatDigits = 24, kHalfDigits = 11;
  const uint32_t beyond = (1u << (kFloatDigits - kHalfDigits - code_digits)) - 1;
  uint32_t bits = 0;
  for (int64_t i = 0; i < kCount; ++i) bits |= std::bit_cast<uint32_t>(values[i]);
  return (bits & beyond) == 0;
}

// The odd factor of a number's significand.
uint32_t odd_part(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value), exponent = bits >> 23 & 0xFF;
  const uint32_t significand = (bits & 0x7FFFFF) | (exponent == 0 ? 0 : 0x800000);
  return significand >> std::countr_zero(significand);
}

// Some scale makes the largest value a code: one whose odd factor divides the value's, or the scale is no binary
// number.
std::optional<WeightGroup> exact(const float* values, const Range& range) {
  if (!may_be_products(values, std::bit_width(static_cast<unsigned>(range.most)))) return std::nullopt;
  const float top = largest(values);
  if (top == 0) return WeightGroup{};
  const uint32_t odd = odd_part(top);
  for (int factor = range.most; factor >= 1; factor -= 2) {
    if (odd % static_cast<uint32_t>(factor) != 0) continue;
    for (int code = factor; code <= -range.least; code *= 2) {
      for (const int sign : {-1, 1}) {
        if (sign > 0 && code > range.most) continue;
        const float scale = top / static_cast<float>(sign * code);
        const auto bits = float16_of(scale);
        if (!bits || *bits == 0) continue;
        WeightGroup group{.scale = *bits};
        if (find_codes(values, scale, 0, range, group)) return group;
      }
    }
  }
  return std::nullopt;
}

bool all_finite(const float* values) {
  return std::all_of(values, values + kCount, [](float value) { return std::isfinite(value); });
}

WeightGroup not_finite() {
  constexpr uint16_t kNaN = 0x7E00;
  return {.scale = kNaN};
}

// Rounds with a scale; the squared error.
double round_with(const float* values, uint16_t bits, const Range& range, WeightGroup& group) {
  group.scale = bits;
  const float scale = widened(Float16{bits});
  double error = 0;
  for (int64_t i = 0; i < kCount; ++i) {
    const float wanted = scale == 0 ? 0 : std::nearbyint(values[i] / scale);
    const float code = std::clamp(wanted, static_cast<float>(range.least), static_cast<float>(range.most));
    group.codes[static_cast<size_t>(i)] = static_cast<int8_t>(code);
    const float difference = scale * code - values[i];
    error += static_cast<double>(difference) * difference;
  }
  return error;
}

}  // namespace

std::optional<WeightGroup> exact_int8(const float* values) { return exact(values, kInt8); }
std::optional<WeightGroup> exact_int4(const float* values) { return exact(values, kInt4); }

std::optional<WeightGroup> exact_int4_minimum(const float* values) {
  constexpr Range kUnsigned{0, 15};
  const auto [low, high] = std::minmax_element(values, values + kCount);
  if (*low == *high) {
    const auto minimum = float16_of(*low);
    if (!minimum) return std::nullopt;
    return WeightGroup{.minimum = *minimum};
  }
  for (int span = kUnsigned.most; span >= 1; --span) {
    // Differences of the two are rounded, the scale is not.
    const float scale = widened(rounded_to_float16((*high - *low) / static_cast<float>(span)));
    if (!(scale > 0) || !std::isfinite(scale)) continue;
    for (int first = 0; first + span <= kUnsigned.most; ++first) {
      const float minimum = widened(rounded_to_float16(*low - scale * static_cast<float>(first)));
      WeightGroup group{.scale = rounded_to_float16(scale).bits, .minimum = rounded_to_float16(minimum).bits};
      if (std::isfinite(minimum) && find_codes(values, scale, minimum, kUnsigned, group)) return group;
    }
  }
  return std::nullopt;
}

WeightGroup rounded_int8(const float* values) {
  if (!all_finite(values)) return not_finite();
  const uint16_t scale = rounded_to_float16(std::abs(largest(values)) / static_cast<float>(kInt8.most)).bits;
  if (!std::isfinite(widened(Float16{scale}))) return not_finite();
  WeightGroup group;
  round_with(values, scale, kInt8, group);
  return group;
}

WeightGroup rounded_int4(const float* values) {
  if (!all_finite(values)) return not_finite();
  const float end = largest(values) / static_cast<float>(kInt4.least);
  if (!std::isfinite(widened(rounded_to_float16(end)))) return not_finite();
  WeightGroup best;
  double least = std::numeric_limits<double>::infinity();
  for (const float share : {1.0f, 0.95f, 0.9f, 0.85f, 0.8f, 1.05f, 8.0f / 7}) {
    WeightGroup group;
    const double error = round_with(values, rounded_to_float16(end * share).bits, kInt4, group);
    if (error < least) {
      least = error;
      best = group;
    }
  }
  return best;
}

}  // namespace roformer
