// The two 16-bit floating-point types of weight files. They are stored and widened; nothing is computed in them.
#pragma once

#include <bit>
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

}  // namespace roformer
