// Tile kernels: the inner loop of every matrix product. A tile is up to kTileRows rows of `a` times one panel of a
// packed matrix, kPanel columns wide; each of its sums runs once over all of `depth`, in order, so a number does not
// depend on how many rows or columns are computed with it. Whole panels are written: columns beyond the matrix hold
// zeros. What happens to a finished tile (bias, activation, scales) is tile_rows.h's.
//
// A panel of depth d (d rounded up to a whole group; the rest is zero):
//   float32   [d][kPanel] float
//   bfloat16  [d/2][kPanel][2] uint16: pairs along the depth lie together, as the dot-product instructions want them
//   int8      [d/4][kPanel][4] int8: fours do
#pragma once

#include <cstdint>

namespace roformer::tile {

inline constexpr int64_t kPanel = 32, kTileRows = 12;
inline constexpr int64_t kGroupBytes = kPanel * 4;  // of a panel, in every type

// What to ask the memory for meanwhile, as it is needed next: with each group of the depth `step` bytes, at most
// kGroupBytes, from `from` on. Null: nothing.
struct PrefetchHint {
  const char* from = nullptr;
  int64_t step = 0;
};

// out [rows, kPanel] = a [rows, depth] · panel. 1 ≤ rows ≤ kTileRows; strides in elements. a_stride 0: the rows are
// stored by depth, [d/group][kTileRows][group], with the group of the panel.
void multiply(const float* a, int64_t a_stride, int64_t rows, int64_t depth, const float* panel, float* out,
              const PrefetchHint& hint = {});
// The same with bfloat16 factors and float32 sums; depth even.
void multiply(const uint16_t* a, int64_t a_stride, int64_t rows, int64_t depth, const uint16_t* panel, float* out,
              const PrefetchHint& hint = {});
// The same of a in 0 … 255 and b in −127 … 127, exact; depth a multiple of 4, at most 65,536. Never by depth.
void multiply(const uint8_t* a, int64_t a_stride, int64_t rows, int64_t depth, const int8_t* panel, int32_t* out,
              const PrefetchHint& hint = {});

// For the kernels: the bytes of one group, into the second cache, from `at` on. Always inline, because g++ takes a call
// of it for one without effect.
__attribute__((always_inline)) inline void prefetch(const char* at, int64_t step) {
  __builtin_prefetch(at, 0, 2);
  if (step > 64) __builtin_prefetch(at + 64, 0, 2);  // more than a cache line
}

}  // namespace roformer::tile
