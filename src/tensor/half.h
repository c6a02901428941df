// The two 16-bit floating-point types of weight files. They are stored and widened; nothing is computed in them.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace roformer {

struct Float16 {  // IEEE 754 binary16
  uint16_t bits;
};
struct BFloat16 {  // the upper half of a float32
  uint16_t bits;
};

// Exact and branch-free, so that loops over it vectorize. Reinterpreted as float32 without rebiasing the exponent, the
// value is 2^-112 times too small, subnormals included; infinities and NaN get the largest exponent.
inline float widened(Float16 x) {
  const uint32_t magnitude = uint32_t{x.bits & 0x7FFFu} << 13, sign = uint32_t{x.bits & 0x8000u} << 16;
  const uint32_t scaled = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) * 0x1p112f);
  const uint32_t special = magnitude >= 0x7C00u << 13 ? 0x7F800000u : 0;
  return std::bit_cast<float>(scaled | special | sign);
}
inline float widened(BFloat16 x) { return std::bit_cast<float>(uint32_t{x.bits} << 16); }
inline float widened(float x) { return x; }

// The nearest, ties to even; numbers beyond the range become infinite.
inline Float16 rounded_to_float16(float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  const auto signed_bits = [sign](uint32_t rest) { return Float16{static_cast<uint16_t>(sign | rest)}; };
  const uint32_t magnitude = bits & 0x7FFFFFFF;
  if (magnitude > 0x7F800000) return signed_bits(0x7E00);            // NaN
  if (magnitude >= 0x477FF000) return signed_bits(0x7C00);           // from 65520 on
  if (magnitude < 0x38800000) {                                      // subnormal: multiples of 2^-24
    const float scaled = std::bit_cast<float>(magnitude) * 0x1p24f;  // exact
    return signed_bits(static_cast<uint32_t>(std::nearbyint(scaled)));
  }
  const uint32_t odd = magnitude >> 13 & 1;
  return signed_bits((magnitude - 0x38000000 + 0xFFF + odd) >> 13);
}

}  // namespace roformer
