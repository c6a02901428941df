// Tile kernels: the inner loop of every matrix product. A tile is up to rows_of(type) rows of `a` times one panel of a
// packed matrix, kPanel columns wide; each sum runs over all of `depth` in an order that the depth alone decides, so an
// element does not depend on the rows and columns computed with it. Whole panels are written: columns beyond the matrix
// hold zeros. The epilogue (bias, activation, scales) is in tile_rows.h.
//
// A panel of depth d (padded with zeros to a whole group):
//   float32   [d][kPanel] float
//   bfloat16  [d/2][kPanel][2] uint16: pairs along the depth lie together, as the dot-product instructions want them
//   int8      [d/4][kPanel][4] int8: fours do
#pragma once

#include <cstdint>

#include "backend/backend.h"

namespace roformer::tile {

// The most rows of a tile in vector registers, and of those that AMX's tile registers multiply one after the other.
inline constexpr int64_t kPanel = 32, kTileRows = 12, kMaxTileRows = 96;
inline constexpr int64_t kGroupBytes = kPanel * 4;  // of a panel, for every type

// Whether this CPU multiplies factors of the type in AMX's tile registers, and the most rows of a tile of them.
bool in_tile_registers(Precision precision);
inline int64_t rows_of(Precision precision) { return in_tile_registers(precision) ? kMaxTileRows : kTileRows; }

// What to prefetch meanwhile: `step` bytes, at most kGroupBytes, per group of the depth, starting at `from`. Null:
// nothing.
struct PrefetchHint {
  const char* from = nullptr;
  int64_t step = 0;
};

// out [rows, kPanel] = a [rows, depth] · panel. 1 ≤ rows ≤ rows_of(type); strides in elements. a_stride 0: the rows are
// stored by depth, [d/group][kTileRows][group], with the group of the panel; not where tile registers are used.
void multiply(const float* a, int64_t a_stride, int64_t rows, int64_t depth, const float* panel, float* out,
              const PrefetchHint& hint = {});
// The same with bfloat16 factors and float32 sums; depth even.
void multiply(const uint16_t* a, int64_t a_stride, int64_t rows, int64_t depth, const uint16_t* panel, float* out,
              const PrefetchHint& hint = {});
// The same for a in 0 … 255 and b in −127 … 127, exact; depth a multiple of 4, at most 65,536. a_stride must not be 0.
void multiply(const uint8_t* a, int64_t a_stride, int64_t rows, int64_t depth, const int8_t* panel, int32_t* out,
              const PrefetchHint& hint = {});

// The limit of any float32 tile: multiplications and additions of registers alone, register_operations() of them a
// round. Returns what they give, so that they are not left out.
float multiply_registers(int64_t rounds);
int64_t register_operations();

// Prefetches the bytes of one group into the L2 cache. Always inline, because g++ drops calls of it as having no
// effect.
__attribute__((always_inline)) inline void prefetch(const char* at, int64_t step) {
  __builtin_prefetch(at, 0, 2);
  if (step > 64) __builtin_prefetch(at + 64, 0, 2);  // more than a cache line
}

}  // namespace roformer::tile
