// Row kernels of small matrices: transposition, and the attention of a short sequence.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/rows_matrix.cc"
#include "hwy/foreach_target.h"
// after foreach_target.h
#include <algorithm>
#include <cmath>
#include <limits>

#include "backend/cpu/rows.h"
#include "backend/cpu/simd-inl.h"
#include "hwy/contrib/math/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace roformer::rows::HWY_NAMESPACE {

void TransposeScalar(const float* x, int64_t stride, int64_t rows, int64_t columns, float* out, int64_t out_stride) {
  for (int64_t c = 0; c < columns; ++c) {
    for (int64_t r = 0; r < rows; ++r) out[c * out_stride + r] = x[r * stride + c];
  }
}

#if HWY_TARGET == HWY_SCALAR
void Transpose(const float* x, int64_t stride, int64_t rows, int64_t columns, float* out, int64_t out_stride) {
  TransposeScalar(x, stride, rows, columns, out, out_stride);
}
#else
HWY_INLINE void transpose_4x4(const float* x, int64_t stride, float* out, int64_t out_stride) {
  const hn::FixedTag<float, 4> d;
  const auto r0 = hn::LoadU(d, x), r1 = hn::LoadU(d, x + stride);
  const auto r2 = hn::LoadU(d, x + 2 * stride), r3 = hn::LoadU(d, x + 3 * stride);
  const auto even_low = hn::InterleaveLower(d, r0, r2), odd_low = hn::InterleaveLower(d, r1, r3);
  const auto even_high = hn::InterleaveUpper(d, r0, r2), odd_high = hn::InterleaveUpper(d, r1, r3);
  hn::StoreU(hn::InterleaveLower(d, even_low, odd_low), d, out);
  hn::StoreU(hn::InterleaveUpper(d, even_low, odd_low), d, out + out_stride);
  hn::StoreU(hn::InterleaveLower(d, even_high, odd_high), d, out + 2 * out_stride);
  hn::StoreU(hn::InterleaveUpper(d, even_high, odd_high), d, out + 3 * out_stride);
}

// In strips of 16 rows, so that a cache line of the result is written at once.
void Transpose(const float* x, int64_t stride, int64_t rows, int64_t columns, float* out, int64_t out_stride) {
  const int64_t whole_rows = rows / 4 * 4, whole_columns = columns / 4 * 4;
  for (int64_t strip = 0; strip < whole_rows; strip += 16) {
    const int64_t end = std::min(strip + 16, whole_rows);
    for (int64_t c = 0; c < whole_columns; c += 4) {
      for (int64_t r = strip; r < end; r += 4) {
        transpose_4x4(x + r * stride + c, stride, out + c * out_stride + r, out_stride);
      }
    }
  }
  TransposeScalar(x + whole_columns, stride, rows, columns - whole_columns, out + whole_columns * out_stride,
                  out_stride);
  TransposeScalar(x + whole_rows * stride, stride, rows - whole_rows, whole_columns, out + whole_rows, out_stride);
}
#endif

// Of four rows a[0] … a[3] of `depth` elements: out [4, vectors] = a · b [depth, vectors], one or two vectors wide.
template <bool kTwo>
HWY_INLINE void multiply_columns(const float* const* a, const float* b, int64_t b_stride, int64_t depth, float* out,
                                 int64_t out_stride) {
  const FullTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  auto s00 = hn::Zero(d), s10 = s00, s20 = s00, s30 = s00, s01 = s00, s11 = s00, s21 = s00, s31 = s00;
  for (int64_t i = 0; i < depth; ++i) {
    const auto a0 = hn::Set(d, a[0][i]), a1 = hn::Set(d, a[1][i]), a2 = hn::Set(d, a[2][i]), a3 = hn::Set(d, a[3][i]);
    const auto b0 = hn::LoadU(d, b + i * b_stride);
    s00 = hn::MulAdd(a0, b0, s00);
    s10 = hn::MulAdd(a1, b0, s10);
    s20 = hn::MulAdd(a2, b0, s20);
    s30 = hn::MulAdd(a3, b0, s30);
    if (!kTwo) continue;
    const auto b1 = hn::LoadU(d, b + i * b_stride + lanes);
    s01 = hn::MulAdd(a0, b1, s01);
    s11 = hn::MulAdd(a1, b1, s11);
    s21 = hn::MulAdd(a2, b1, s21);
    s31 = hn::MulAdd(a3, b1, s31);
  }
  hn::StoreU(s00, d, out);
  hn::StoreU(s10, d, out + out_stride);
  hn::StoreU(s20, d, out + 2 * out_stride);
  hn::StoreU(s30, d, out + 3 * out_stride);
  if (!kTwo) return;
  hn::StoreU(s01, d, out + lanes);
  hn::StoreU(s11, d, out + out_stride + lanes);
  hn::StoreU(s21, d, out + 2 * out_stride + lanes);
  hn::StoreU(s31, d, out + 3 * out_stride + lanes);
}

// out [4, columns] = a · b; `columns` is a multiple of the vector.
HWY_INLINE void multiply_rows(const float* const* a, const float* b, int64_t b_stride, int64_t depth, float* out,
                              int64_t columns) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(FullTag()));
  int64_t c = 0;
  for (; c + 2 * lanes <= columns; c += 2 * lanes) {
    multiply_columns<true>(a, b + c, b_stride, depth, out + c, columns);
  }
  if (c < columns) multiply_columns<false>(a, b + c, b_stride, depth, out + c, columns);
}

struct SoftmaxSum {
  float largest, sum;
};

// row = exp(scale · row − largest) of the first `seen` elements, 0 of the others; `columns` is a multiple of the
// vector.
HWY_INLINE SoftmaxSum exp_row(float* row, float scale, int64_t seen, int64_t columns) {
  const FullTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto kept = [&](int64_t i)
                        HWY_ATTR { return hn::FirstN(d, static_cast<size_t>(std::max<int64_t>(0, seen - i))); };
  auto best = hn::Set(d, -std::numeric_limits<float>::infinity());
  for (int64_t i = 0; i < seen; i += lanes) {
    const auto score = hn::Mul(hn::LoadU(d, row + i), hn::Set(d, scale));
    hn::StoreU(score, d, row + i);
    best = hn::IfThenElse(kept(i), hn::Max(best, score), best);
  }
  const auto largest = hn::MaxOfLanes(d, best);
  auto sum = hn::Zero(d);
  for (int64_t i = 0; i < columns; i += lanes) {
    const auto e = hn::IfThenElseZero(kept(i), hn::Exp(d, hn::Sub(hn::LoadU(d, row + i), largest)));
    hn::StoreU(e, d, row + i);
    sum = hn::Add(sum, e);
  }
  return {hn::GetLane(largest), hn::GetLane(hn::SumOfLanes(d, sum))};
}

void ShortAttentionHead(const ShortAttention& a) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(FullTag()));
  const auto whole_vectors = [=](int64_t n) { return (n + lanes - 1) / lanes * lanes; };
  const int64_t key_columns = whole_vectors(a.keys), value_columns = whole_vectors(a.value_dim);
  float* const keys = a.room;  // transposed
  float* const values = keys + a.dim * key_columns;
  float* const weights = values + a.keys * value_columns;
  float* const sums = weights + 4 * key_columns;
  Transpose(a.k, a.k_stride, a.keys, a.dim, keys, key_columns);
  const bool in_place = value_columns == a.value_dim;
  for (int64_t j = 0; !in_place && j < a.keys; ++j) {
    std::copy_n(a.v + j * a.v_stride, a.value_dim, values + j * value_columns);
  }
  for (int64_t q = 0; q < a.queries; q += 4) {
    const int64_t count = std::min<int64_t>(4, a.queries - q);
    const float *queries[4], *rows[4];
    for (int64_t i = 0; i < 4; ++i) {
      queries[i] = a.q + (q + std::min(i, count - 1)) * a.q_stride;
      rows[i] = weights + i * key_columns;
    }
    multiply_rows(queries, keys, key_columns, a.dim, weights, key_columns);
    SoftmaxSum softmax[4] = {};
    for (int64_t i = 0; i < count; ++i) {
      const int64_t seen = a.key_limits == nullptr ? a.keys : a.key_limits[q + i];
      softmax[i] = exp_row(weights + i * key_columns, a.scale, seen, key_columns);
    }
    multiply_rows(rows, in_place ? a.v : values, in_place ? a.v_stride : value_columns, a.keys, sums, value_columns);
    for (int64_t i = 0; i < count; ++i) {
      const float factor = softmax[i].sum > 0 ? 1.0f / softmax[i].sum : 0.0f;
      const float* from = sums + i * value_columns;
      float* to = a.out + (q + i) * a.out_stride;
      for_lanes(a.value_dim,
                [&](auto d, int64_t c) { hn::StoreU(hn::Mul(hn::LoadU(d, from + c), hn::Set(d, factor)), d, to + c); });
      a.log_sum_exp[q + i] = softmax[i].largest + std::log(softmax[i].sum);
    }
  }
}

}  // namespace roformer::rows::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace roformer::rows {
HWY_EXPORT(Transpose);
HWY_EXPORT(ShortAttentionHead);

void transpose(const float* x, int64_t stride, int64_t rows, int64_t columns, float* out, int64_t out_stride) {
  HWY_DYNAMIC_DISPATCH(Transpose)(x, stride, rows, columns, out, out_stride);
}
int64_t short_attention_room(int64_t keys, int64_t dim, int64_t value_dim) {
  constexpr int64_t kWidest = 64;  // floats of a vector
  return (keys + kWidest) * (dim + 4) + (value_dim + kWidest) * (keys + 4);
}
void short_attention(const ShortAttention& attention) { HWY_DYNAMIC_DISPATCH(ShortAttentionHead)(attention); }
}  // namespace roformer::rows
#endif
