// Kernels of one tile of attention, in the widest SIMD of this machine: products with sums in registers, and row
// kernels around them. Single-threaded, no allocations. Called by the tasks of forward.cc and backward.cc.
//
// Layouts. A left factor is row-major. A right factor is in panels of 32 columns: element (k, j) lies at panel j / 32,
// row k, column j % 32. Every element of a product is one running sum over k, whatever the other rows and columns are.
// Whole vectors are computed: rows up to a multiple of 4 and columns up to one of 16 are read (their values affect no
// others) and written, so every buffer must be padded to that.
#pragma once

#include <algorithm>
#include <cstdint>

#include "backend/backend.h"
#include "backend/cpu/gemm/tile.h"

namespace roformer::tiles {

constexpr int64_t kPanel = tile::kPanel;

inline int64_t padded_rows(int64_t n) { return (n + 3) / 4 * 4; }
inline int64_t padded_columns(int64_t n) { return (n + kPanel - 1) / kPanel * kPanel; }

// Element (i, k) of a left factor is data[i · stride + k], or data[k · stride + i] if it is stored transposed.
struct Lhs {
  const float* data;
  int64_t stride;
  bool transposed = false;
};

// Element (k, j) of a right factor is data[j / 32 · panel_stride + k · stride + j % 32]: a row-major matrix has
// panel_stride 32.
struct Rhs {
  const float* data;
  int64_t stride = kPanel;
  int64_t panel_stride;
};

// c = a [rows, depth] · b [depth, columns] + factors[row] · c; `factors` null: c is written and not read.
void multiply(int64_t rows, int64_t columns, int64_t depth, Lhs a, Rhs b, const float* factors, float* c,
              int64_t c_stride);

// out [rows, dim] = factor · x, with the pairs rotated by row angle_rows[r] of the angles unless `angles` is null.
struct RowSource {
  const float* data;  // row 0
  int64_t stride, dim;
  const RotaryAngles* angles;
  int64_t token;  // of row 0, an index of angles->row

  RowSource from(int64_t row) const { return {data + row * stride, stride, dim, angles, token + row}; }
};
void load_rows(const RowSource& x, int64_t rows, float factor, float* out, int64_t out_stride);
// Packs the right factor x [rows, columns], or x transposed; columns that pad the last panel are zero.
void pack(const float* x, int64_t stride, int64_t rows, int64_t columns, float* out);
void pack_transposed(const float* x, int64_t stride, int64_t rows, int64_t columns, float* out);

// A tile of scores: row i, column j lies at data[j / 32 · panel_stride + i · stride + j % 32].
struct Scores {
  float* data;
  int64_t stride, panel_stride;
};

// The running softmax of each query, in powers of two: the maximum score and Σ 2^(score − top).
struct SoftmaxState {
  float* tops;     // −∞ initially
  float* sums;     // 0 initially
  float* factors;  // out: rescales previous sums and products
};
// The columns visible to the query of each row: first[i] … end[i] − 1.
struct KeyRanges {
  const int32_t *first, *end;
};
// Scores become cap · tanh(score / cap), in place; `slopes`, of the same layout, gets the derivatives unless null.
void cap_scores(const Scores& scores, int64_t rows, int64_t keys, float cap, float* slopes);
// Adds a tile: scores become weights 2^(score − top), 0 where not visible, over `keys` columns, a whole number of
// pairs.
void softmax(const Scores& scores, int64_t rows, int64_t keys, const KeyRanges& seen, const SoftmaxState& state);
// out [rows, keys] = weights ≥ 0 as bfloat16.
void round_weights(const Scores& weights, int64_t rows, int64_t keys, uint16_t* out, int64_t out_stride);
// c = sums [rows, 32] + factors[row] · c, of `columns` columns; `factors` null: c is written and not read.
void add_tile(const float* sums, int64_t rows, int64_t columns, const float* factors, float* c, int64_t c_stride);

// Σ x · y of each of `rows` rows.
void row_dots(const float* x, int64_t x_stride, const float* y, int64_t y_stride, int64_t rows, int64_t n, float* out);
// Recomputes weights = 2^(scores − shifts[i]) in place, 0 where not visible.
void recompute_weights(const Scores& scores, int64_t rows, int64_t keys, const KeyRanges& seen, const float* shifts);
// dweights = weights · (dweights − deltas[i]), in place; of the same layout.
void softmax_backward(const Scores& weights, const Scores& dweights, int64_t rows, int64_t keys, const float* deltas);
// x = x · factors, of the same layout.
void multiply_tile(const Scores& x, int64_t rows, int64_t keys, const float* factors);
// out = factors · x, row `row` of tiles of the same layout; `factors` is a plain row.
void multiply_row(const Scores& x, int64_t row, const float* factors, int64_t keys, float* out);
// to [rows, n] = factors[i] · from, = factor · from, += factor · from.
void scale_rows(const float* from, int64_t stride, int64_t rows, int64_t n, const float* factors, float* to,
                int64_t to_stride);
void store_rows(const float* from, int64_t stride, int64_t rows, int64_t n, float factor, float* to, int64_t to_stride);
void add_rows(const float* from, int64_t stride, int64_t rows, int64_t n, float factor, float* to, int64_t to_stride);

}  // namespace roformer::tiles
