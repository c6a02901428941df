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

// tile_rows.h's to_bfloat16 and pair_bfloat16 with AVX512_BF16, whose products and rounding take denormal numbers for
// zero.
void to_bfloat16_native(const float* x, uint16_t* out, int64_t n);
void pair_bfloat16_native(const float* first, const float* second, uint16_t* pairs, int64_t n);

// With AMX_BF16 and AMX_INT8, up to kMaxTileRows rows (tile_amx.cc). bfloat16 sums are those of the pairs' first and of
// their second elements over 32 of the depth each, added to a running sum.
void multiply_amx(const uint16_t* a, int64_t a_stride, int64_t rows, int64_t depth, const uint16_t* panel, float* out,
                  const PrefetchHint& hint);
void multiply_amx(const uint8_t* a, int64_t a_stride, int64_t rows, int64_t depth, const int8_t* panel, int32_t* out,
                  const PrefetchHint& hint);

}  // namespace roformer::tile
