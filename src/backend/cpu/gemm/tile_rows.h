// Row kernels around tiles: conversion of rows to the factors' type, packing of weights, and the epilogue, which
// applies bias, activation, residual and scales to sums in the L1 cache.
#pragma once

#include <cstdint>

#include "backend/backend.h"
#include "backend/cpu/gemm/tile.h"

namespace roformer::tile {

// Rounded to nearest, ties to even; NaN stays NaN.
void to_bfloat16(const float* x, uint16_t* out, int64_t n);
void round_to_bfloat16(const float* x, float* out, int64_t n);  // stored as float32

// Exact.
void widen(const BFloat16* x, float* out, int64_t n);
void widen(const Float16* x, float* out, int64_t n);
// Widens panels of the types of tile.h, and of float16 pairs, to float32; int8 without its scales. `out` holds the
// depth padded to a whole group.
void widen_panel(const BFloat16* panel, int64_t depth, float* out);
void widen_panel(const Float16* panel, int64_t depth, float* out);
void widen_panel(const int8_t* panel, int64_t depth, float* out);
// Multiplies each column by its factor, in place. Rows of kPanel.
void scale_columns(const float* factors, int64_t rows, float* sums);

// Quantizes a row of activations to 0 … 255: x ≈ scale · (out − zero). The scale is NaN unless all elements are finite.
struct RowScale {
  float scale;
  int32_t zero;
};
RowScale quantize(const float* x, uint8_t* out, int64_t n);

// Quantizes a row of weights to −127 … 127: x ≈ scale · out, NaN as above; `sum` gets Σ out.
float quantize_weights(const float* x, int8_t* out, int64_t n, int32_t& sum);

// pairs[2c] = first[c], pairs[2c + 1] = second[c], rounded; `second` may be null: 0.
void pair_bfloat16(const float* first, const float* second, uint16_t* pairs, int64_t n);

// out = sums − zero·column_sum, times scale·column_scale: the product of quantized factors. Rows of kPanel.
struct Scales {
  const RowScale* rows;       // per row of the tile
  const float* column_scale;  // per column of the panel
  const int32_t* column_sum;
};
void dequantize(const int32_t* sums, int64_t rows, const Scales& scales, float* out);

// value = activation(tile + bias) + residual. All pointers but the output may be null.
struct Epilogue {
  const float* bias = nullptr;  // per column
  float* before = nullptr;      // receives tile + bias
  int64_t before_stride = 0;
  Activation activation = Activation::none;
  const float* residual = nullptr;
  int64_t residual_stride = 0;
  bool accumulate = false;  // out += value
  float* out = nullptr;     // or
  uint16_t* out_bfloat16 = nullptr;
  int64_t out_stride = 0;
};
// Applies `f`, whose pointers are those of the result's first element, at rows `row` … and columns `column` …
void apply_epilogue(const Epilogue& f, const float* tile, int64_t row, int64_t rows, int64_t column, int64_t columns);

}  // namespace roformer::tile
