// Tile kernels that need AVX512_BF16, AVX512_VNNI or AVX_VNNI; see tile.h. x86-64 only.
#pragma once

#include <cstdint>

#include "backend/cpu/gemm/tile.h"

namespace roformer::tile {

void multiply_native(const uint16_t* a, int64_t a_stride, int64_t rows, int64_t depth, const uint16_t* panel,
                     float* out, const PrefetchHint& hint);
void multiply_native(const uint8_t* a, int64_t a_stride, int64_t rows, int64_t depth, const int8_t* panel, int32_t* out,
                     const PrefetchHint& hint);
void multiply_avx_vnni(const uint8_t* a, int64_t a_stride, int64_t rows, int64_t depth, const int8_t* panel,
                       int32_t* out, const PrefetchHint& hint);

}  // namespace roformer::tile
