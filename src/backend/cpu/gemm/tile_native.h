// Tile kernels that need AVX512_BF16, AVX512_VNNI, AVX_VNNI or AMX; see tile.h. x86-64 only.
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

// With AMX_BF16 and AMX_INT8, up to kMaxTileRows rows (tile_amx.cc). bfloat16 sums are those of the pairs' first and of
// their second elements over 32 of the depth each, added to a running sum.
void multiply_amx(const uint16_t* a, int64_t a_stride, int64_t rows, int64_t depth, const uint16_t* panel, float* out,
                  const PrefetchHint& hint);
void multiply_amx(const uint8_t* a, int64_t a_stride, int64_t rows, int64_t depth, const int8_t* panel, int32_t* out,
                  const PrefetchHint& hint);

}  // namespace roformer::tile
