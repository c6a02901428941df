// How a group of 32 weights becomes integers, and when that loses nothing.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

namespace roformer {

// weight = scale · code + offset; scale and offset are float16, offset is 0 where there is no minimum. Codes: −128 …
// 127 in int8, −8 … 7 in int4, 0 … 15 with a minimum.
struct WeightGroup {
  uint16_t scale = 0, minimum = 0;  // bits of float16
  std::array<int8_t, 32> codes = {};
};

// The groups that hold exactly these 32 values, such as those of a file in Q8_0, Q4_0 or Q4_1 do; nothing if there are
// none.
std::optional<WeightGroup> exact_int8(const float* values);
std::optional<WeightGroup> exact_int4(const float* values);
std::optional<WeightGroup> exact_int4_minimum(const float* values);

// The nearest of those with the largest value at the end of the range; in int4 with the scale near it that has the
// least squared error. The scale is NaN unless all values are finite and it is in float16's range.
WeightGroup rounded_int8(const float* values);
WeightGroup rounded_int4(const float* values);

}  // namespace roformer
