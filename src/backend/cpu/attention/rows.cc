// Row kernels of attention's tiles: loading with rotation, packing, softmax.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/attention/rows.cc"
#include "hwy/foreach_target.h"
// after foreach_target.h
#include <limits>

#include "backend/cpu/attention/tile.h"
#include "backend/cpu/rows/exp-inl.h"
#include "backend/cpu/rows/rows.h"
#include "backend/cpu/simd-inl.h"
#include "hwy/cache_control.h"

HWY_BEFORE_NAMESPACE();
namespace roformer::tiles::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using rows::HWY_NAMESPACE::exp2;
using rows::HWY_NAMESPACE::for_lanes;
using rows::HWY_NAMESPACE::FullTag;
using rows::HWY_NAMESPACE::sum_lanes;

HWY_INLINE void rotate_row(const float* x, float factor, const RotaryAngles& angles, int64_t row, float* out) {
  const float* const cos = angles.cos.row<float>(row);
  const float* const sin = angles.sin.row<float>(row);
  const int64_t pairs = angles.dim / 2;
  for_lanes(pairs, [&](auto d, int64_t i) HWY_ATTR {
    const auto scale = hn::Set(d, factor);
    const auto c = hn::Mul(hn::LoadU(d, cos + i), scale), s = hn::Mul(hn::LoadU(d, sin + i), scale);
    hn::Vec<decltype(d)> x0, x1;
    if (angles.layout == RotaryLayout::adjacent) {
      hn::LoadInterleaved2(d, x + 2 * i, x0, x1);
    } else {
      x0 = hn::LoadU(d, x + i);
      x1 = hn::LoadU(d, x + pairs + i);
    }
    const auto y0 = hn::NegMulAdd(x1, s, hn::Mul(x0, c)), y1 = hn::MulAdd(x0, s, hn::Mul(x1, c));
    if (angles.layout == RotaryLayout::adjacent) {
      hn::StoreInterleaved2(y0, y1, d, out + 2 * i);
    } else {
      hn::StoreU(y0, d, out + i);
      hn::StoreU(y1, d, out + pairs + i);
    }
  });
}

// Prefetches row r + 16: rows are thousands of bytes apart, beyond the hardware prefetcher.
HWY_INLINE void prefetch_hint(const float* x, int64_t stride, int64_t r, int64_t rows, int64_t columns) {
  constexpr int64_t kAhead = 16, kLine = 16;
  if (r + kAhead >= rows) return;
  for (int64_t i = 0; i < columns; i += kLine) hwy::Prefetch(x + (r + kAhead) * stride + i);
}

void LoadRows(const RowSource& x, int64_t rows, float factor, float* out, int64_t out_stride) {
  for (int64_t r = 0; r < rows; ++r) {
    prefetch_hint(x.data, x.stride, r, rows, x.dim);
    const float* const from = x.data + r * x.stride;
    float* const to = out + r * out_stride;
    const int64_t rotated = x.angles == nullptr ? 0 : x.angles->dim;
    if (rotated > 0) {
      rotate_row(from, factor, *x.angles, x.angles->row[static_cast<size_t>(x.token + r)], to);
    }
    for_lanes(x.dim - rotated, [&](auto d, int64_t i) HWY_ATTR {
      hn::StoreU(hn::Mul(hn::LoadU(d, from + rotated + i), hn::Set(d, factor)), d, to + rotated + i);
    });
  }
}

void Pack(const float* x, int64_t stride, int64_t rows, int64_t columns, float* out) {
  for (int64_t j = 0; j < columns; j += kPanel, out += rows * kPanel) {
    const int64_t count = std::min(kPanel, columns - j);
    for (int64_t r = 0; r < rows; ++r) {
      prefetch_hint(x + j, stride, r, rows, count);
      const float* const from = x + r * stride + j;
      float* const to = out + r * kPanel;
      for_lanes(count, [&](auto d, int64_t i) HWY_ATTR { hn::StoreU(hn::LoadU(d, from + i), d, to + i); });
      std::fill(to + count, to + kPanel, 0.0f);
    }
  }
}

// The lanes of columns i … that are below `seen`.
template <class D>
HWY_INLINE hn::Mask<D> below(D d, int64_t i, int64_t seen) {
  return hn::FirstN(d, static_cast<size_t>(std::max<int64_t>(0, seen - i)));
}

// Row i of a tile.
HWY_INLINE Scores row_of(const Scores& scores, int64_t i) {
  return {scores.data + i * scores.stride, scores.stride, scores.panel_stride};
}

// Calls body(column, its address, remaining columns below `end`) for each vector.
template <class Body>
HWY_INLINE void for_vectors(const Scores& row, int64_t end, const Body& body) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(FullTag()));
  for (int64_t j = 0; j < end; j += kPanel) {
    float* const panel = row.data + j / kPanel * row.panel_stride;
    const int64_t columns = std::min(kPanel, end - j);
    for (int64_t i = 0; i < columns; i += lanes) body(j + i, panel + i);
  }
}

// The columns that a query sees.
struct Columns {
  int64_t first, end;
};
HWY_INLINE Columns columns_of(const KeyRanges& seen, int64_t r) { return {seen.first[r], seen.end[r]}; }

// The lanes of columns i … that are seen.
template <class D>
HWY_INLINE hn::Mask<D> within(D d, int64_t i, const Columns& seen) {
  return hn::AndNot(below(d, i, seen.first), below(d, i, seen.end));
}

// row = 2^(row − shift) where seen, 0 elsewhere; returns the sum.
HWY_INLINE float weigh(const Scores& row, float shift, const Columns& seen, int64_t keys) {
  const FullTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto top = hn::Set(d, shift);
  auto sum = hn::Zero(d);
  for_vectors(row, keys, [&](int64_t j, float* x) HWY_ATTR {
    auto weight = exp2(d, hn::Sub(hn::LoadU(d, x), top));
    if (j + lanes > seen.end || j < seen.first) weight = hn::IfThenElseZero(within(d, j, seen), weight);
    hn::StoreU(weight, d, x);
    sum = hn::Add(sum, weight);
  });
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

HWY_INLINE float greatest(const Scores& row, const Columns& seen) {
  const FullTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  auto best = hn::Set(d, -std::numeric_limits<float>::infinity());
  for_vectors(row, seen.end, [&](int64_t j, float* x) HWY_ATTR {
    const auto better = hn::Max(best, hn::LoadU(d, x));
    best = j + lanes > seen.end || j < seen.first ? hn::IfThenElse(within(d, j, seen), better, best) : better;
  });
  return hn::GetLane(hn::MaxOfLanes(d, best));
}

// 1 / x within a unit in the last place, from the instruction's 12 bits or more.
template <class D, class V>
HWY_INLINE V reciprocal(D d, V x) {
  const V near = hn::ApproximateReciprocal(x);
  return hn::Mul(near, hn::NegMulAdd(x, near, hn::Set(d, 2.0f)));
}

void CapScores(const Scores& scores, int64_t rows, int64_t keys, float cap, float* slopes) {
  constexpr float kTwoLog2E = 2.88539008f;
  const FullTag d;
  const auto one = hn::Set(d, 1.0f), limit = hn::Set(d, cap), inverse = hn::Set(d, -kTwoLog2E / cap);
  for (int64_t r = 0; r < rows; ++r) {
    for_vectors(row_of(scores, r), keys, [&](int64_t, float* at) HWY_ATTR {
      // tanh |u| = (1 − e^−2|u|) / (1 + e^−2|u|)
      const auto x = hn::LoadU(d, at);
      const auto e = exp2(d, hn::Mul(hn::Abs(x), inverse));
      const auto share = hn::Mul(hn::Sub(one, e), reciprocal(d, hn::Add(one, e)));
      hn::StoreU(hn::CopySign(hn::Mul(limit, share), x), d, at);
      if (slopes != nullptr) hn::StoreU(hn::NegMulAdd(share, share, one), d, slopes + (at - scores.data));
    });
  }
}

void Softmax(const Scores& scores, int64_t rows, int64_t keys, const KeyRanges& seen, const SoftmaxState& state) {
  const hn::CappedTag<float, 1> one;
  keys = (keys + 1) / 2 * 2;
  for (int64_t r = 0; r < rows; ++r) {
    const Scores row = row_of(scores, r);
    state.factors[r] = 1;
    const Columns columns = columns_of(seen, r);
    if (columns.end == 0) {
      for_vectors(row, keys, [](int64_t, float* x) HWY_ATTR { hn::StoreU(hn::Zero(FullTag()), FullTag(), x); });
      continue;
    }
    const float top = std::max(state.tops[r], greatest(row, columns));
    if (top != state.tops[r]) {
      state.factors[r] = hn::GetLane(exp2(one, hn::Set(one, state.tops[r] - top)));
      state.tops[r] = top;
    }
    state.sums[r] = state.sums[r] * state.factors[r] + weigh(row, top, columns, keys);
  }
}

void RoundWeights(const Scores& weights, int64_t rows, int64_t keys, uint16_t* out, int64_t out_stride) {
  const FullTag d;
  const hn::RebindToSigned<FullTag> bits;
  const hn::Rebind<uint16_t, FullTag> halves;
  for (int64_t r = 0; r < rows; ++r) {
    for_vectors(row_of(weights, r), keys, [&](int64_t j, float* x) HWY_ATTR {
      // Rounds half up, which is to nearest for non-negative values.
      const auto sum = hn::Add(hn::BitCast(bits, hn::LoadU(d, x)), hn::Set(bits, 0x8000));
      hn::StoreU(hn::DemoteTo(halves, hn::ShiftRight<16>(sum)), halves, out + r * out_stride + j);
    });
  }
}

void AddTile(const float* sums, int64_t rows, int64_t columns, const float* factors, float* c, int64_t c_stride) {
  const FullTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < columns; i += lanes) {
      auto sum = hn::LoadU(d, sums + r * kPanel + i);
      if (factors != nullptr) sum = hn::MulAdd(hn::Set(d, factors[r]), hn::LoadU(d, c + r * c_stride + i), sum);
      hn::StoreU(sum, d, c + r * c_stride + i);
    }
  }
}

void RowDots(const float* x, int64_t x_stride, const float* y, int64_t y_stride, int64_t rows, int64_t n, float* out) {
  for (int64_t r = 0; r < rows; ++r) {
    const float *a = x + r * x_stride, *b = y + r * y_stride;
    out[r] =
        sum_lanes(n, [&](auto d, int64_t i) HWY_ATTR { return hn::Mul(hn::LoadU(d, a + i), hn::LoadU(d, b + i)); });
  }
}

void RecomputeWeights(const Scores& scores, int64_t rows, int64_t keys, const KeyRanges& seen, const float* shifts) {
  for (int64_t r = 0; r < rows; ++r) weigh(row_of(scores, r), shifts[r], columns_of(seen, r), keys);
}

void SoftmaxBackward(const Scores& weights, const Scores& dweights, int64_t rows, int64_t keys, const float* deltas) {
  const FullTag d;
  const int64_t to_weight = weights.data - dweights.data;
  for (int64_t r = 0; r < rows; ++r) {
    const auto delta = hn::Set(d, deltas[r]);
    for_vectors(row_of(dweights, r), keys, [&](int64_t, float* x) HWY_ATTR {
      hn::StoreU(hn::Mul(hn::LoadU(d, x + to_weight), hn::Sub(hn::LoadU(d, x), delta)), d, x);
    });
  }
}

void MultiplyTile(const Scores& x, int64_t rows, int64_t keys, const float* factors) {
  const FullTag d;
  for (int64_t r = 0; r < rows; ++r) {
    for_vectors(row_of(x, r), keys, [&](int64_t, float* at) HWY_ATTR {
      hn::StoreU(hn::Mul(hn::LoadU(d, at), hn::LoadU(d, factors + (at - x.data))), d, at);
    });
  }
}

void MultiplyRow(const Scores& x, int64_t row, const float* factors, int64_t keys, float* out) {
  const FullTag d;
  for_vectors(row_of(x, row), keys, [&](int64_t j, float* from) HWY_ATTR {
    hn::StoreU(hn::Mul(hn::LoadU(d, from), hn::LoadU(d, factors + j)), d, out + (from - x.data));
  });
}

void ScaleRows(const float* from, int64_t stride, int64_t rows, int64_t n, const float* factors, float* to,
               int64_t to_stride) {
  for (int64_t r = 0; r < rows; ++r) {
    for_lanes(n, [&](auto d, int64_t i) HWY_ATTR {
      hn::StoreU(hn::Mul(hn::LoadU(d, from + r * stride + i), hn::Set(d, factors[r])), d, to + r * to_stride + i);
    });
  }
}

void StoreRows(const float* from, int64_t stride, int64_t rows, int64_t n, float factor, float* to, int64_t to_stride) {
  for (int64_t r = 0; r < rows; ++r) ScaleRows(from + r * stride, 0, 1, n, &factor, to + r * to_stride, 0);
}

void AddRows(const float* from, int64_t stride, int64_t rows, int64_t n, float factor, float* to, int64_t to_stride) {
  for (int64_t r = 0; r < rows; ++r) {
    for_lanes(n, [&](auto d, int64_t i) HWY_ATTR {
      const auto sum = hn::LoadU(d, to + r * to_stride + i);
      hn::StoreU(hn::MulAdd(hn::LoadU(d, from + r * stride + i), hn::Set(d, factor), sum), d, to + r * to_stride + i);
    });
  }
}

}  // namespace roformer::tiles::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace roformer::tiles {
HWY_EXPORT(LoadRows);
HWY_EXPORT(Pack);
HWY_EXPORT(CapScores);
HWY_EXPORT(Softmax);
HWY_EXPORT(RoundWeights);
HWY_EXPORT(AddTile);
HWY_EXPORT(RowDots);
HWY_EXPORT(RecomputeWeights);
HWY_EXPORT(SoftmaxBackward);
HWY_EXPORT(MultiplyTile);
HWY_EXPORT(MultiplyRow);
HWY_EXPORT(ScaleRows);
HWY_EXPORT(StoreRows);
HWY_EXPORT(AddRows);

void load_rows(const RowSource& x, int64_t rows, float factor, float* out, int64_t out_stride) {
  HWY_DYNAMIC_DISPATCH(LoadRows)(x, rows, factor, out, out_stride);
}
void pack(const float* x, int64_t stride, int64_t rows, int64_t columns, float* out) {
  HWY_DYNAMIC_DISPATCH(Pack)(x, stride, rows, columns, out);
}
void pack_transposed(const float* x, int64_t stride, int64_t rows, int64_t columns, float* out) {
  for (int64_t r = 0; r < rows; r += kPanel, out += columns * kPanel) {
    const int64_t count = std::min(kPanel, rows - r);
    if (count < kPanel) std::fill_n(out, columns * kPanel, 0.0f);
    for (int64_t next = r + kPanel; next < std::min(r + 2 * kPanel, rows); ++next) {
      for (int64_t i = 0; i < columns; i += 16) hwy::Prefetch(x + next * stride + i);
    }
    rows::transpose(x + r * stride, stride, count, columns, out, kPanel);
  }
}
void cap_scores(const Scores& scores, int64_t rows, int64_t keys, float cap, float* slopes) {
  HWY_DYNAMIC_DISPATCH(CapScores)(scores, rows, keys, cap, slopes);
}
void softmax(const Scores& scores, int64_t rows, int64_t keys, const KeyRanges& seen, const SoftmaxState& state) {
  HWY_DYNAMIC_DISPATCH(Softmax)(scores, rows, keys, seen, state);
}
void round_weights(const Scores& weights, int64_t rows, int64_t keys, uint16_t* out, int64_t out_stride) {
  HWY_DYNAMIC_DISPATCH(RoundWeights)(weights, rows, keys, out, out_stride);
}
void add_tile(const float* sums, int64_t rows, int64_t columns, const float* factors, float* c, int64_t c_stride) {
  HWY_DYNAMIC_DISPATCH(AddTile)(sums, rows, columns, factors, c, c_stride);
}
void row_dots(const float* x, int64_t x_stride, const float* y, int64_t y_stride, int64_t rows, int64_t n, float* out) {
  HWY_DYNAMIC_DISPATCH(RowDots)(x, x_stride, y, y_stride, rows, n, out);
}
void recompute_weights(const Scores& scores, int64_t rows, int64_t keys, const KeyRanges& seen, const float* shifts) {
  HWY_DYNAMIC_DISPATCH(RecomputeWeights)(scores, rows, keys, seen, shifts);
}
void softmax_backward(const Scores& weights, const Scores& dweights, int64_t rows, int64_t keys, const float* deltas) {
  HWY_DYNAMIC_DISPATCH(SoftmaxBackward)(weights, dweights, rows, keys, deltas);
}
void multiply_tile(const Scores& x, int64_t rows, int64_t keys, const float* factors) {
  HWY_DYNAMIC_DISPATCH(MultiplyTile)(x, rows, keys, factors);
}
void multiply_row(const Scores& x, int64_t row, const float* factors, int64_t keys, float* out) {
  HWY_DYNAMIC_DISPATCH(MultiplyRow)(x, row, factors, keys, out);
}
void scale_rows(const float* from, int64_t stride, int64_t rows, int64_t n, const float* factors, float* to,
                int64_t to_stride) {
  HWY_DYNAMIC_DISPATCH(ScaleRows)(from, stride, rows, n, factors, to, to_stride);
}
void store_rows(const float* from, int64_t stride, int64_t rows, int64_t n, float factor, float* to,
                int64_t to_stride) {
  HWY_DYNAMIC_DISPATCH(StoreRows)(from, stride, rows, n, factor, to, to_stride);
}
void add_rows(const float* from, int64_t stride, int64_t rows, int64_t n, float factor, float* to, int64_t to_stride) {
  HWY_DYNAMIC_DISPATCH(AddRows)(from, stride, rows, n, factor, to, to_stride);
}
}  // namespace roformer::tiles
#endif
