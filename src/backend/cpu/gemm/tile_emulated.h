// The bfloat16 and int8 tile kernels for CPUs without their dot products; see tile.h. Sums of bfloat16 factors may
// differ from the instructions' in the last bits, int8 is exact.
#pragma once

#include <cstdint>

namespace roformer::tile {

void multiply_emulated(const uint16_t* a, int64_t a_stride, int64_t rows, int64_t depth, const uint16_t* panel,
                       float* out);
void multiply_emulated(const uint8_t* a, int64_t a_stride, int64_t rows, int64_t depth, const int8_t* panel,
                       int32_t* out);

}  // namespace roformer::tile
