// Kernels of decoding, where a few rows meet much memory: each number of it is loaded once.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/rows_few.cc"
#include "hwy/foreach_target.h"
// after foreach_target.h
#include <algorithm>

#include "backend/cpu/rows.h"
#include "backend/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace roformer::rows::HWY_NAMESPACE {

void KeyScores(const float* q, const float* keys, int64_t stride, int64_t count, int64_t heads, int64_t group,
               int64_t dim, float scale, float* scores, int64_t scores_stride) {
  for (int64_t j = 0; j < count; ++j) {
    for (int64_t h = 0; h < heads; ++h) {
      const float *query = q + h * dim, *key = keys + j * stride + h / group * dim;
      const float product =
          sum_lanes(dim, [&](auto d, int64_t i) { return hn::Mul(hn::LoadU(d, query + i), hn::LoadU(d, key + i)); });
      scores[h * scores_stride + j] = scale * product;
    }
  }
}

void WeightedValues(const float* weights, int64_t weights_stride, const float* values, int64_t stride, int64_t count,
                    int64_t heads, int64_t group, int64_t dim, float* out) {
  std::fill_n(out, heads * dim, 0.0f);
  for (int64_t j = 0; j < count; ++j) {
    for (int64_t h = 0; h < heads; ++h) {
      const float weight = weights[h * weights_stride + j];
      const float* const value = values + j * stride + h / group * dim;
      float* const sum = out + h * dim;
      for_lanes(dim, [&](auto d, int64_t i) {
        hn::StoreU(hn::MulAdd(hn::Set(d, weight), hn::LoadU(d, value + i), hn::LoadU(d, sum + i)), d, sum + i);
      });
    }
  }
}

float Total(const float* x, int64_t n) {
  return sum_lanes(n, [&](auto d, int64_t i) { return hn::LoadU(d, x + i); });
}

// R rows of x with W rows of w. Every product is one running vector over whole lanes, then the rest one by one: the
// same sum whatever R and W are. All the vectors fit the registers.
template <int R, int W>
HWY_INLINE void dots_of(const float* x, int64_t x_stride, const float* w, int64_t w_stride, int64_t depth, float* out,
                        int64_t out_stride) {
  const FullTag d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  hn::Vec<FullTag> sums[R][W];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int o = 0; o < W; ++o) sums[r][o] = hn::Zero(d);
  }
  int64_t i = 0;
  for (; i + lanes <= depth; i += lanes) {
    hn::Vec<FullTag> of_x[R];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) of_x[r] = hn::LoadU(d, x + r * x_stride + i);
#pragma GCC unroll 8
    for (int o = 0; o < W; ++o) {
      const auto weight = hn::LoadU(d, w + o * w_stride + i);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) sums[r][o] = hn::MulAdd(weight, of_x[r], sums[r][o]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int o = 0; o < W; ++o) {
      float sum = hn::GetLane(hn::SumOfLanes(d, sums[r][o]));
      for (int64_t k = i; k < depth; ++k) sum += x[r * x_stride + k] * w[o * w_stride + k];
      out[r * out_stride + o] = sum;
    }
  }
}

// Eight rows of w stay in the nearest cache while all rows of x meet them.
template <int W>
HWY_INLINE void dots_of_rows(const float* x, int64_t x_stride, int64_t rows, const float* w, int64_t w_stride,
                             int64_t depth, float* out, int64_t out_stride) {
  int64_t r = 0;
  for (; r + 4 <= rows; r += 4) {
    for (int o = 0; o < W; o += W == 1 ? 1 : 2) {
      dots_of<4, W == 1 ? 1 : 2>(x + r * x_stride, x_stride, w + o * w_stride, w_stride, depth,
                                 out + r * out_stride + o, out_stride);
    }
  }
  for (; r + 2 <= rows; r += 2) {
    for (int o = 0; o < W; o += W == 1 ? 1 : 4) {
      dots_of<2, W == 1 ? 1 : 4>(x + r * x_stride, x_stride, w + o * w_stride, w_stride, depth,
                                 out + r * out_stride + o, out_stride);
    }
  }
  for (; r < rows; ++r) dots_of<1, W>(x + r * x_stride, x_stride, w, w_stride, depth, out + r * out_stride, out_stride);
}

void Dots(const float* x, int64_t x_stride, int64_t rows, const float* w, int64_t w_stride, int64_t outputs,
          int64_t depth, float* out, int64_t out_stride) {
  int64_t o = 0;
  for (; o + 8 <= outputs; o += 8) {
    dots_of_rows<8>(x, x_stride, rows, w + o * w_stride, w_stride, depth, out + o, out_stride);
  }
  for (; o < outputs; ++o) {
    dots_of_rows<1>(x, x_stride, rows, w + o * w_stride, w_stride, depth, out + o, out_stride);
  }
}

}  // namespace roformer::rows::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace roformer::rows {
HWY_EXPORT(KeyScores);
HWY_EXPORT(WeightedValues);
HWY_EXPORT(Total);
HWY_EXPORT(Dots);

void key_scores(const float* q, const float* keys, int64_t stride, int64_t count, int64_t heads, int64_t group,
                int64_t dim, float scale, float* scores, int64_t scores_stride) {
  HWY_DYNAMIC_DISPATCH(KeyScores)(q, keys, stride, count, heads, group, dim, scale, scores, scores_stride);
}
void weighted_values(const float* weights, int64_t weights_stride, const float* values, int64_t stride, int64_t count,
                     int64_t heads, int64_t group, int64_t dim, float* out) {
  HWY_DYNAMIC_DISPATCH(WeightedValues)(weights, weights_stride, values, stride, count, heads, group, dim, out);
}
float total(const float* x, int64_t n) { return HWY_DYNAMIC_DISPATCH(Total)(x, n); }
void dots(const float* x, int64_t x_stride, int64_t rows, const float* w, int64_t w_stride, int64_t outputs,
          int64_t depth, float* out, int64_t out_stride) {
  HWY_DYNAMIC_DISPATCH(Dots)(x, x_stride, rows, w, w_stride, outputs, depth, out, out_stride);
}
}  // namespace roformer::rows
#endif
