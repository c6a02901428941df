// The two real types of 16 bits that files hold weights in. They are stored and widened, never computed with here.
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

// Exact. Without a branch, so that loops over them are vectorized. As a float32 with the exponent's bias of float16 the
// number is 2^-112 of what it should be, also where float16 is subnormal; infinities and NaN get the largest exponent.
inline float widened(Float16 x) {
  const uint32_t magnitude = uint32_t{x.bits & 0x7FFFu} << 13, sign = uint32_t{x.bits & 0x8000u} << 16;
  const uint32_t scaled = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) * 0x1p112f);
  const uint32_t special = magnitude >= 0x7C00u << 13 ? 0x7F800000u : 0;
  return std::bit_cast<float>(scaled | special | sign);
}
inline float widened(BFloat16 x) { return std::bit_cast<float>(uint32_t{x.bits} << 16); }
inline float widened(float x) { return x; }

}  // namespace roformer
