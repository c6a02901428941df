// What goes into tiles and what becomes of them: rows converted to the factors' type, weights packed, and finished sums
// with bias, activation, residual and scales applied while they are in the nearest cache.
#pragma once

#include <cstdint>

#include "backend/backend.h"
#include "backend/cpu/gemm/tile.h"

namespace roformer::tile {

// Rounded to nearest, ties to even; NaN stays NaN.
void to_bfloat16(const float* x, uint16_t* out, int64_t n);
void round_to_bfloat16(const float* x, float* out, int64_t n);  // as float32

// Exact.
void widen(const BFloat16* x, float* out, int64_t n);
void widen(const Float16* x, float* out, int64_t n);
// Panels of the types of tile.h, and of pairs of float16, as float32 panels; int8 without its scales. `out` has room
// for the depth that the panel has with its last, filled up group.
void widen_panel(const BFloat16* panel, int64_t depth, float* out);
void widen_panel(const Float16* panel, int64_t depth, float* out);
void widen_panel(const int8_t* panel, int64_t depth, float* out);
// Rows of kPanel, each column times its factor, in place.
void scale_columns(const float* factors, int64_t rows, float* sums);

// A row of activations as 0 … 255: x ≈ scale · (out − zero). The scale of a row that holds anything but finite numbers
// is NaN.
struct RowScale {
  float scale;
  int32_t zero;
};
RowScale quantize(const float* x, uint8_t* out, int64_t n);

// A row of weights as −127 … 127: x ≈ scale · out, NaN as above; `sum` gets Σ out.
float quantize_weights(const float* x, int8_t* out, int64_t n, int32_t& sum);

// pairs[2c] = first[c], pairs[2c + 1] = second[c], rounded; `second` may be null: 0.
void pair_bfloat16(const float* first, const float* second, uint16_t* pairs, int64_t n);

// out = sums − zero·column_sum, times scale·column_scale: the product of what was quantized. Rows of kPanel.
struct Scales {
  const RowScale* rows;       // of each row of the tile
  const float* column_scale;  // of each column of the panel
  const int32_t* column_sum;
};
void dequantize(const int32_t* sums, int64_t rows, const Scales& scales, float* out);

// value = activation(tile + bias) + residual, in this order; every pointer but the outputs may be null.
struct Epilogue {
  const float* bias = nullptr;  // of each column
  float* before = nullptr;      // gets tile + bias
  int64_t before_stride = 0;
  Activation activation = Activation::none;
  const float* residual = nullptr;
  int64_t residual_stride = 0;
  bool accumulate = false;  // out += value
  float* out = nullptr;     // or
  uint16_t* out_bfloat16 = nullptr;
  int64_t out_stride = 0;
};
// Of rows `row` … and columns `column` … of the result, whose pointers in `f` are those of its first element.
void apply_epilogue(const Epilogue& f, const float* tile, int64_t row, int64_t rows, int64_t column, int64_t columns);

}  // namespace roformer::tile
