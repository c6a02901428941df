// Row kernels of linear attention: feature maps, their backward, and running sums over tokens. Constants:
// backend/linear_attention.h.
#pragma once

#include <cstdint>

#include "backend/linear_attention.h"

namespace roformer::rows {

// x = φ(x), elu or relu.
void pointwise_features(FeatureMap map, float* x, int64_t n);
// Clamps x to ±kLargestInput; returns |x|²/2.
float cut_row(float* x, int64_t n);
// x = exp(x − shift) / root, with clamped exponents.
void random_features(float* x, float shift, float root, int64_t n);
// dfeatures = dfeatures · φ′, computed from φ. For random features that is the gradient of the exponents, whose sum is
// returned; `lowest` and `highest` are the features of clamped exponents.
void pointwise_features_backward(FeatureMap map, const float* features, float* dfeatures, int64_t n);
float random_features_backward(const float* features, float lowest, float highest, float* dfeatures, int64_t n);
// dx = (dx − sum · x) · factor, and 0 where x is clamped.
void finish_gradient(const float* x, float sum, float factor, float* dx, int64_t n);

// For each of `rows` rows in order: total += x; dots[r] = y · total.
void running_dots(const float* x, const float* y, int64_t stride, int64_t rows, int64_t n, float* total, float* dots);
// The same with out = factors[r] · total instead.
void running_sums(const float* x, int64_t stride, const float* factors, int64_t rows, int64_t n, float* total,
                  float* out);
// From the last row to the first: total += factors[r] · x; out = total.
void running_sums_reversed(const float* x, int64_t stride, const float* factors, int64_t rows, int64_t n, float* total,
                           float* out);
// total += Σ factors[r] · x; `factors` null: 1.
void add_weighted(const float* x, int64_t stride, const float* factors, int64_t rows, int64_t n, float* total);
// out = factors[r] · x, x one row; `factors` null: 1.
void spread(const float* x, const float* factors, int64_t rows, int64_t n, float* out, int64_t out_stride);

}  // namespace roformer::rows
