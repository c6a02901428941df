#include "backend/cpu/attention/pairs.h"

#include "backend/cpu/gemm/tile_rows.h"

namespace roformer {

using tiles::kPanel;

void round_rows(const float* x, int64_t rows, int64_t dim, uint16_t* out) {
  const int64_t depth = whole_pairs(dim);
  for (int64_t r = 0; r < rows; ++r) {
    tile::to_bfloat16(x + r * dim, out + r * depth, dim);
    if (depth > dim) out[r * depth + dim] = 0;
  }
}

void pack_pairs(const float* x, int64_t rows, int64_t columns, uint16_t* out) {
  for (int64_t c = 0; c < columns; c += kPanel) {
    const int64_t count = std::min(kPanel, columns - c);
    for (int64_t r = 0; r < rows; r += 2, out += 2 * kPanel) {
      const float* const first = x + r * columns + c;
      tile::pair_bfloat16(first, r + 1 < rows ? first + columns : nullptr, out, count);
      std::fill(out + 2 * count, out + 2 * kPanel, uint16_t{0});
    }
  }
}

// A pair along the depth has four bytes, so pairs are transposed like floats.
void pack_pairs_transposed(const uint16_t* rounded, int64_t rows, int64_t dim, float* out) {
  const int64_t pairs = whole_pairs(dim) / 2;
  tiles::pack_transposed(reinterpret_cast<const float*>(rounded), pairs, rows, pairs, out);
}

tiles::Scores multiply_pairs(const uint16_t* a, int64_t rows, int64_t dim, const uint16_t* b, int64_t columns,
                             float* out, int64_t panel_rows) {
  const int64_t depth = whole_pairs(dim), panel_stride = panel_rows * kPanel;
  const int64_t tile_rows = tile::rows_of(Precision::bfloat16);
  for (int64_t j = 0; j < columns; j += kPanel) {
    for (int64_t i = 0; i < rows; i += tile_rows) {
      tile::multiply(a + i * depth, depth, std::min(tile_rows, rows - i), depth, b + j * depth,
                     out + j / kPanel * panel_stride + i * kPanel);
    }
  }
  return {out, kPanel, panel_stride};
}

}  // namespace roformer
