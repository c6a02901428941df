// Row kernels: operations on one row of floats, in the widest SIMD of this machine (dispatched by Highway at run time).
// No threads, no tensors: callers split the work. Any length, any alignment.
#pragma once

#include <cstdint>

#include "backend/backend.h"

namespace roformer::rows {

// Pointwise.
void add(const float* x, float* y, int64_t n);                        // y += x
double squared_sum(const float* x, int64_t n);                        // Σ x²
void scale(float* x, float factor, int64_t n);                        // x *= factor
void scale_and_shift(float* x, float factor, float term, int64_t n);  // x = factor · x + term
void sum(const float* x, const float* y, float* out, int64_t n);
void multiply(const float* x, const float* y, float* out, int64_t n);
void bias_activation(Activation activation, const float* bias, float* before, float* out, int64_t n);
// `out`, unless null, gets the activation again; it may alias `before`, and `dbefore` may alias `dout`.
void activation_backward(Activation activation, const float* before, const float* dout, float* dbefore, float* out,
                         int64_t n);

// out = activation(gate) · x.
void gated(Activation activation, const float* gate, const float* x, float* out, int64_t n);
struct GatedInputs {
  const float *gate, *x, *dout;
};
struct GatedGradients {
  float *gate, *x, *out;  // `out`: the result of gated()
};
void gated_backward(Activation activation, const GatedInputs& in, const GatedGradients& gradients, int64_t n);

// factors[c] = 0 or 1 / (1 − probability) for columns first … first + n − 1. `first` is a multiple of 64; `factors` has
// n rounded up to a multiple of 64 elements.
void dropout_factors(const Dropout& dropout, uint32_t row, int64_t first, int64_t n, float* factors);

// Layer norm of one row: writes out and the mean and 1/√(variance + epsilon). `bias` may be null: 0.
void layer_norm(const float* x, const float* gain, const float* bias, float epsilon, float* statistics, float* out,
                int64_t n);
// dx of one row; adds dout·x̂ and dout to the running dgain and dbias.
void layer_norm_backward(const float* dout, const float* x, const float* statistics, const float* gain, float* dx,
                         float* dgain, float* dbias, int64_t n);

// RMS norm of one row: writes out and returns 1/√(mean square + epsilon). `gain` may be null: 1.
float rms_norm(const float* x, const float* gain, float epsilon, float* out, int64_t n);
// dx of one row; `inverse` is the result of rms_norm; adds dout·x̂ to the running dgain, unless null.
void rms_norm_backward(const float* dout, const float* x, float inverse, const float* gain, float* dx, float* dgain,
                       int64_t n);

// Rotates pairs of one head (Eq. 34); `sign` −1 rotates back. adjacent: pairs (2i, 2i+1); half: pairs (i, i + pairs).
void rotate_adjacent(float* x, const float* cos, const float* sin, float sign, int64_t pairs);
void rotate_half(float* x, const float* cos, const float* sin, float sign, int64_t pairs);

// Softmax.
float maximum(const float* x, int64_t n);
float exp_sum(float* x, float shift, int64_t n);           // x = exp(x − shift), returns Σ x
int64_t argmax(const float* x, int64_t n, float maximum);  // first index that holds the maximum; n > 0

// Attention over cached rows (cached_attention.cc). Head h of q attends to head h / group of each key: scores[h ·
// scores_stride + j] = scale · q_h·key_j; heads have `dim` elements.
void key_scores(const float* q, const float* keys, int64_t stride, int64_t count, int64_t heads, int64_t group,
                int64_t dim, float scale, float* scores, int64_t scores_stride);
// out [heads · dim] = Σ_j weights[h · weights_stride + j] · value_j, likewise.
void weighted_values(const float* weights, int64_t weights_stride, const float* values, int64_t stride, int64_t count,
                     int64_t heads, int64_t group, int64_t dim, float* out);

// out[r · out_stride + o] = x_r·w_o over `depth` elements, for a few rows of x: w is read once, and the bits of each
// product depend only on its own two rows. 16-bit w gives the same bits as its float32 values.
void dots(const float* x, int64_t x_stride, int64_t rows, const float* w, int64_t w_stride, int64_t outputs,
          int64_t depth, float* out, int64_t out_stride);
void dots(const float* x, int64_t x_stride, int64_t rows, const BFloat16* w, int64_t w_stride, int64_t outputs,
          int64_t depth, float* out, int64_t out_stride);
void dots(const float* x, int64_t x_stride, int64_t rows, const Float16* w, int64_t w_stride, int64_t outputs,
          int64_t depth, float* out, int64_t out_stride);

float total(const float* x, int64_t n);  // Σ x, at memory bandwidth

// out [columns, rows] = x [rows, columns] transposed.
void transpose(const float* x, int64_t stride, int64_t rows, int64_t columns, float* out, int64_t out_stride);

struct AdamWFactors {
  float gradient_scale, beta1, beta2, step_size, root_correction, epsilon, decay;
};
void adamw(const AdamWFactors& f, const float* gradient, float* parameter, float* m, float* v, int64_t n);

const char* target_name();  // the instruction set in use, e.g. "AVX3_ZEN4"

}  // namespace roformer::rows
