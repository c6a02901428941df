// Tile kernels: the inner loop of every matrix product. A tile is up to kTileRows rows of `a` times one panel of a
// packed matrix, kPanel columns wide; each of its sums runs once over all of `depth`, in order, so a number does not
// depend on how many rows or columns are computed with it. Whole panels are written: columns beyond the matrix hold
// zeros. What happens to a finished tile (bias, activation, scales) is tile_finish.h's.
//
// A panel of depth d (d rounded up to a whole group; the rest is zero):
//   float32   [d][kPanel] float
//   bfloat16  [d/2][kPanel][2] uint16: pairs along the depth lie together, as the dot-product instructions want them
//   int8      [d/4][kPanel][4] int8: fours do
#pragma once

#include <cstdint>

namespace roformer::tile {

inline constexpr int64_t kPanel = 32, kTileRows = 12;

// out [rows, kPanel] = a [rows, depth] · panel. 1 ≤ rows ≤ kTileRows; strides in elements. a_stride 0: the rows are
// stored by depth, [d/group][kTileRows][group], with the group of the panel.
void multiply(const float* a, int64_t a_stride, int64_t rows, int64_t depth, const float* panel, float* out);
// The same with bfloat16 factors and float32 sums; depth even.
void multiply(const uint16_t* a, int64_t a_stride, int64_t rows, int64_t depth, const uint16_t* panel, float* out);
// The same of a in 0 … 255 and b in −127 … 127, exact; depth a multiple of 4, at most 65,536. Never by depth.
void multiply(const uint8_t* a, int64_t a_stride, int64_t rows, int64_t depth, const int8_t* panel, int32_t* out);

}  // namespace roformer::tile
