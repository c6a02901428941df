// bfloat16 factors of attention for the tile kernels of gemm/tile.h. Rows are padded to whole pairs with a zero.
#pragma once

#include "backend/cpu/attention/tasks.h"
#include "backend/cpu/attention/tile.h"

namespace roformer {

inline int64_t whole_pairs(int64_t n) { return (n + 1) / 2 * 2; }
inline uint16_t* halves(const Buffer& buffer) { return reinterpret_cast<uint16_t*>(buffer.data()); }

// out [rows, whole_pairs(dim)] = x [rows, dim].
void round_rows(const float* x, int64_t rows, int64_t dim, uint16_t* out);
// Right factors in panels: of x [rows, columns], or of the transpose of round_rows' output.
void pack_pairs(const float* x, int64_t rows, int64_t columns, uint16_t* out);
void pack_pairs_transposed(const uint16_t* rounded, int64_t rows, int64_t dim, float* out);

// a [rows, dim], from round_rows, times `columns` columns of b: a tile of scores in panels of `panel_rows` rows.
tiles::Scores multiply_pairs(const uint16_t* a, int64_t rows, int64_t dim, const uint16_t* b, int64_t columns,
                             float* out, int64_t panel_rows);

}  // namespace roformer
