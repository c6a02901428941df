// The matrix product of attention's tiles: 12 rows (6 where there are 16 registers) by two vectors of sums.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/attention/product.cc"
// Sums are arrays of vectors, which SVE does not allow.
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
#endif
#include "hwy/foreach_target.h"
// after foreach_target.h
#include <type_traits>

#include "backend/cpu/attention/tile.h"
#include "backend/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace roformer::tiles::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using rows::HWY_NAMESPACE::FullTag;

constexpr bool kFewRegisters = HWY_ARCH_X86 != 0 && HWY_TARGET > HWY_AVX3;

template <int kRows, int kVectors, bool kTransposed>
HWY_INLINE void product_tile(const float* HWY_RESTRICT a, int64_t a_stride, const float* HWY_RESTRICT b,
                             int64_t b_stride, int64_t depth, const float* factors, float* HWY_RESTRICT c,
                             int64_t c_stride) {
  const FullTag d;
  using Vector = hn::Vec<FullTag>;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  Vector sums[kRows][kVectors];
  HWY_UNROLL(12)
  for (int r = 0; r < kRows; ++r) {
    HWY_UNROLL(2)
    for (int v = 0; v < kVectors; ++v) {
      sums[r][v] = factors == nullptr ? hn::Zero(d)
                                      : hn::Mul(hn::Set(d, factors[r]), hn::LoadU(d, c + r * c_stride + v * lanes));
    }
  }
  for (int64_t k = 0; k < depth; ++k) {
    Vector columns[kVectors];
    HWY_UNROLL(2)
    for (int v = 0; v < kVectors; ++v) columns[v] = hn::LoadU(d, b + v * lanes);
    HWY_UNROLL(12)
    for (int r = 0; r < kRows; ++r) {
      const Vector element = hn::Set(d, kTransposed ? a[r] : a[r * a_stride]);
      HWY_UNROLL(2)
      for (int v = 0; v < kVectors; ++v) sums[r][v] = hn::MulAdd(element, columns[v], sums[r][v]);
    }
    a += kTransposed ? a_stride : 1;
    b += b_stride;
  }
  HWY_UNROLL(12)
  for (int r = 0; r < kRows; ++r) {
    HWY_UNROLL(2)
    for (int v = 0; v < kVectors; ++v) hn::StoreU(sums[r][v], d, c + r * c_stride + v * lanes);
  }
}

// All rows of one or two vectors of columns.
template <int kVectors, bool kTransposed>
HWY_INLINE void product_columns(int64_t rows, int64_t depth, Lhs a, const float* b, int64_t b_stride,
                                const float* factors, float* c, int64_t c_stride) {
  int64_t r = 0;
  const auto tall = [&](auto height) HWY_ATTR {  // rows from r on; returns the next row
    constexpr int kRows = decltype(height)::value;
    product_tile<kRows, kVectors, kTransposed>(a.data + (kTransposed ? r : r * a.stride), a.stride, b, b_stride, depth,
                                               factors == nullptr ? nullptr : factors + r, c + r * c_stride, c_stride);
    return r + kRows;
  };
  if constexpr (kFewRegisters) {
    while (rows - r >= 11) {  // two of 6
      r = tall(std::integral_constant<int, 6>());
      r = tall(std::integral_constant<int, 6>());
    }
  } else {
    while (rows - r > 8) r = tall(std::integral_constant<int, 12>());
    if (rows - r > 4) r = tall(std::integral_constant<int, 8>());
  }
  while (r < rows) r = tall(std::integral_constant<int, 4>());
}

template <bool kTransposed>
HWY_INLINE void product(int64_t rows, int64_t columns, int64_t depth, Lhs a, Rhs b, const float* factors, float* c,
                        int64_t c_stride) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(FullTag()));
  for (int64_t j = 0; j < columns; j += kPanel) {
    const float* panel = b.data + j / kPanel * b.panel_stride;
    const int64_t end = std::min(kPanel, columns - j);
    for (int64_t i = 0; i < end; i += 2 * lanes) {
      if (end - i > lanes) {
        product_columns<2, kTransposed>(rows, depth, a, panel + i, b.stride, factors, c + j + i, c_stride);
      } else {
        product_columns<1, kTransposed>(rows, depth, a, panel + i, b.stride, factors, c + j + i, c_stride);
      }
    }
  }
}

void Multiply(int64_t rows, int64_t columns, int64_t depth, Lhs a, Rhs b, const float* factors, float* c,
              int64_t c_stride) {
  if (a.transposed) return product<true>(rows, columns, depth, a, b, factors, c, c_stride);
  product<false>(rows, columns, depth, a, b, factors, c, c_stride);
}

}  // namespace roformer::tiles::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace roformer::tiles {
HWY_EXPORT(Multiply);

void multiply(int64_t rows, int64_t columns, int64_t depth, Lhs a, Rhs b, const float* factors, float* c,
              int64_t c_stride) {
  HWY_DYNAMIC_DISPATCH(Multiply)(rows, columns, depth, a, b, factors, c, c_stride);
}
}  // namespace roformer::tiles
#endif
