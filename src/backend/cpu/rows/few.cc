// Kernels of decoding, with few rows: bound by memory, each element of which is loaded once.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/rows/few.cc"
#include "hwy/foreach_target.h"
// after foreach_target.h
#include <algorithm>

#include "backend/cpu/rows/half-inl.h"
#include "backend/cpu/rows/rows.h"
#include "backend/cpu/simd-inl.h"
#include "hwy/cache_control.h"

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

// Products of up to eight rows of x with a group of rows of w, in tiles of R by W whose running sums are registers:
// twelve of them, which hide the latency of multiplications and leave registers for the factors. Every product is one
// running vector over whole vectors, then a scalar tail, so that its bits do not depend on the tiles.
constexpr int64_t kMaxRows = 8, kGroup = 12, kLine = 16;  // kLine: a cache line in floats
// Two blocks of a group's rows of w and all rows of x stay in L1.
constexpr int64_t kBlock = 256;

template <class D>
HWY_INLINE hn::Vec<D> load_weights(D d, const float* w) {
  return hn::LoadU(d, w);
}
template <class D>
HWY_INLINE hn::Vec<D> load_weights(D d, const BFloat16* w) {
  return load_bfloat16(d, reinterpret_cast<const uint16_t*>(w));
}
template <class D>
HWY_INLINE hn::Vec<D> load_weights(D d, const Float16* w) {
  return load_float16(d, reinterpret_cast<const uint16_t*>(w));
}

template <int R, int W, class T>
HWY_INLINE void add_step(const float* x, int64_t x_stride, const T* w, int64_t w_stride,
                         hn::Vec<FullTag> (&sums)[R][W]) {
  const FullTag d;
  hn::Vec<FullTag> x_vectors[R];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) x_vectors[r] = hn::LoadU(d, x + r * x_stride);
#pragma GCC unroll 16
  for (int o = 0; o < W; ++o) {
    const auto weight = load_weights(d, w + o * w_stride);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) sums[r][o] = hn::MulAdd(weight, x_vectors[r], sums[r][o]);
  }
}

// Adds the products over `count` elements, whole vectors, to `sums` [R][kGroup] of vectors. Lines: bit mask of the
// cache lines, of two, of the rows at `prefetch` to prefetch meanwhile.
template <int R, int W, int Lines, class T>
HWY_INLINE void add_products(const float* x, int64_t x_stride, const T* w, int64_t w_stride, int64_t count,
                             const T* prefetch, float* sums) {
  const FullTag d;
  constexpr int64_t kLanes = hn::MaxLanes(FullTag());
  hn::Vec<FullTag> running[R][W];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int o = 0; o < W; ++o) running[r][o] = hn::Load(d, sums + (r * kGroup + o) * kLanes);
  }
  int64_t i = 0;
  for (; i + 2 * kLine <= count; i += 2 * kLine) {
#pragma GCC unroll 16
    for (int o = 0; o < W; ++o) {
      if constexpr ((Lines & 1) != 0) hwy::Prefetch(prefetch + o * w_stride + i);
      if constexpr ((Lines & 2) != 0) hwy::Prefetch(prefetch + o * w_stride + i + kLine);
    }
#pragma GCC unroll 8
    for (int64_t k = 0; k < 2 * kLine; k += kLanes) add_step(x + i + k, x_stride, w + i + k, w_stride, running);
  }
  for (; i < count; i += kLanes) add_step(x + i, x_stride, w + i, w_stride, running);
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int o = 0; o < W; ++o) hn::Store(running[r][o], d, sums + (r * kGroup + o) * kLanes);
  }
}

// All rows of x with the rows w of one block. With four rows or more memory would idle, so the next three rows of w are
// prefetched; the last three prefetch `after`.
template <class T>
HWY_INLINE void add_group(const float* x, int64_t x_stride, int64_t rows, const T* w, int64_t w_stride, int64_t count,
                          const T* after, float* sums) {
  constexpr int64_t kLanes = hn::MaxLanes(FullTag());
  for (int64_t o = 0; rows >= 4 && o < kGroup; o += 3) {
    const T* const part = w + o * w_stride;
    const T* const prefetch = o + 3 < kGroup ? part + 3 * w_stride : after;
    float* const sum = sums + o * kLanes;
    if (rows < kMaxRows) {
      add_products<4, 3, 3>(x, x_stride, part, w_stride, count, prefetch, sum);
    } else {
      add_products<4, 3, 1>(x, x_stride, part, w_stride, count, prefetch, sum);
      add_products<4, 3, 2>(x + 4 * x_stride, x_stride, part, w_stride, count, prefetch, sum + 4 * kGroup * kLanes);
    }
  }
  int64_t r = rows / 4 * 4;
  for (; r + 2 <= rows; r += 2) {
    for (int64_t o = 0; o < kGroup; o += 6) {
      add_products<2, 6, 0, T>(x + r * x_stride, x_stride, w + o * w_stride, w_stride, count, nullptr,
                               sums + (r * kGroup + o) * kLanes);
    }
  }
  if (r < rows) {
    add_products<1, kGroup, 0, T>(x + r * x_stride, x_stride, w, w_stride, count, nullptr, sums + r * kGroup * kLanes);
  }
}

// sum + Σ x · w over the scalar tail; with intrinsics, so that compilers round it alike for all types of w.
template <class T>
HWY_INLINE float add_rest(const float* x, const T* w, int64_t begin, int64_t end, float sum) {
  const hn::CappedTag<float, 1> one;
  auto running = hn::Set(one, sum);
  for (int64_t k = begin; k < end; ++k) {
    running = hn::MulAdd(hn::Set(one, x[k]), hn::Set(one, widened(w[k])), running);
  }
  return hn::GetLane(running);
}

// Up to eight rows of x with twelve of w. Prefetches the rows behind them even at the end: they are usually the next
// task's, and prefetching beyond the matrix is harmless.
template <class T>
HWY_INLINE void dots_of_group(const float* x, int64_t x_stride, int64_t rows, const T* w, int64_t w_stride,
                              int64_t depth, float* out, int64_t out_stride) {
  const FullTag d;
  constexpr int64_t kLanes = hn::MaxLanes(FullTag());
  HWY_ALIGN_MAX float sums[kMaxRows * kGroup * kLanes];
  std::fill_n(sums, rows * kGroup * kLanes, 0.0f);
  const T* const next = w + kGroup * w_stride;
  const int64_t whole = depth / kLanes * kLanes, block = rows >= 4 ? kBlock : whole;
  for (int64_t i = 0; i < whole; i += block) {
    const int64_t count = std::min(block, whole - i);
    add_group(x + i, x_stride, rows, w + i, w_stride, count, i + count < whole ? w + i + count : next, sums);
  }
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t o = 0; o < kGroup; ++o) {
      const float sum = hn::GetLane(hn::SumOfLanes(d, hn::Load(d, sums + (r * kGroup + o) * kLanes)));
      out[r * out_stride + o] = add_rest(x + r * x_stride, w + o * w_stride, whole, depth, sum);
    }
  }
}

// The same sum for a single pair of rows.
template <class T>
HWY_INLINE float dot(const float* x, const T* w, int64_t depth) {
  const FullTag d;
  constexpr int64_t kLanes = hn::MaxLanes(FullTag());
  auto running = hn::Zero(d);
  int64_t i = 0;
  for (; i + kLanes <= depth; i += kLanes) running = hn::MulAdd(load_weights(d, w + i), hn::LoadU(d, x + i), running);
  return add_rest(x, w, i, depth, hn::GetLane(hn::SumOfLanes(d, running)));
}

template <class T>
HWY_INLINE void all_dots(const float* x, int64_t x_stride, int64_t rows, const T* w, int64_t w_stride, int64_t outputs,
                         int64_t depth, float* out, int64_t out_stride) {
  for (; rows > 0; rows -= kMaxRows, x += kMaxRows * x_stride, out += kMaxRows * out_stride) {
    const int64_t some = std::min(rows, kMaxRows);
    int64_t o = 0;
    for (; o + kGroup <= outputs; o += kGroup) {
      const T* const group = w + o * w_stride;
      dots_of_group(x, x_stride, some, group, w_stride, depth, out + o, out_stride);
    }
    for (; o < outputs; ++o) {
      for (int64_t r = 0; r < some; ++r) out[r * out_stride + o] = dot(x + r * x_stride, w + o * w_stride, depth);
    }
  }
}

void Dots(const float* x, int64_t x_stride, int64_t rows, const float* w, int64_t w_stride, int64_t outputs,
          int64_t depth, float* out, int64_t out_stride) {
  all_dots(x, x_stride, rows, w, w_stride, outputs, depth, out, out_stride);
}
void DotsBfloat16(const float* x, int64_t x_stride, int64_t rows, const BFloat16* w, int64_t w_stride, int64_t outputs,
                  int64_t depth, float* out, int64_t out_stride) {
  all_dots(x, x_stride, rows, w, w_stride, outputs, depth, out, out_stride);
}
void DotsFloat16(const float* x, int64_t x_stride, int64_t rows, const Float16* w, int64_t w_stride, int64_t outputs,
                 int64_t depth, float* out, int64_t out_stride) {
  all_dots(x, x_stride, rows, w, w_stride, outputs, depth, out, out_stride);
}

}  // namespace roformer::rows::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace roformer::rows {
HWY_EXPORT(KeyScores);
HWY_EXPORT(WeightedValues);
HWY_EXPORT(Total);
HWY_EXPORT(Dots);
HWY_EXPORT(DotsBfloat16);
HWY_EXPORT(DotsFloat16);

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
void dots(const float* x, int64_t x_stride, int64_t rows, const BFloat16* w, int64_t w_stride, int64_t outputs,
          int64_t depth, float* out, int64_t out_stride) {
  HWY_DYNAMIC_DISPATCH(DotsBfloat16)(x, x_stride, rows, w, w_stride, outputs, depth, out, out_stride);
}
void dots(const float* x, int64_t x_stride, int64_t rows, const Float16* w, int64_t w_stride, int64_t outputs,
          int64_t depth, float* out, int64_t out_stride) {
  HWY_DYNAMIC_DISPATCH(DotsFloat16)(x, x_stride, rows, w, w_stride, outputs, depth, out, out_stride);
}
}  // namespace roformer::rows
#endif
