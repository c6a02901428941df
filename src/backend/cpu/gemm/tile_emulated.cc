// bfloat16 factors are widened to float32, whose products of two of them are exact; int8 ones to int16, whose pairwise
// products and sums are exact.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/gemm/tile_emulated.cc"
#include "hwy/foreach_target.h"
// after foreach_target.h
#include <bit>
#include <cstring>

#include "backend/cpu/gemm/tile.h"
#include "backend/cpu/gemm/tile_emulated.h"
#include "backend/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace roformer::tile::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::CappedTag<float, 16>;
using Words = hn::RebindToUnsigned<Floats>;
using Integers = hn::RebindToSigned<Floats>;

template <class T>
HWY_INLINE uint32_t group_of(const T* x) {
  uint32_t bits;
  std::memcpy(&bits, x, sizeof bits);
  return bits;
}

// kCount rows by one vector of columns.
template <int kCount, bool kByDepth>
HWY_INLINE void multiply_pairs(const uint16_t* a, int64_t a_stride, int64_t depth, const uint16_t* panel, float* out) {
  const Floats d;
  const Words words;
  hn::Vec<Floats> sums[kCount];
  for (int i = 0; i < kCount; ++i) sums[i] = hn::Zero(d);
  for (int64_t k = 0; k < depth; k += 2) {
    const auto b = hn::LoadU(words, reinterpret_cast<const uint32_t*>(panel + k * kPanel));
    const auto first = hn::BitCast(d, hn::ShiftLeft<16>(b));
    const auto second = hn::BitCast(d, hn::And(b, hn::Set(words, 0xFFFF0000u)));
    for (int i = 0; i < kCount; ++i) {
      const uint32_t pair = group_of(kByDepth ? a + k * kTileRows + 2 * i : a + i * a_stride + k);
      sums[i] = hn::MulAdd(hn::Set(d, std::bit_cast<float>(pair << 16)), first, sums[i]);
      sums[i] = hn::MulAdd(hn::Set(d, std::bit_cast<float>(pair & 0xFFFF0000u)), second, sums[i]);
    }
  }
  for (int i = 0; i < kCount; ++i) hn::StoreU(sums[i], d, out + i * kPanel);
}

#if HWY_TARGET == HWY_SCALAR
template <int kCount>
void multiply_fours(const uint8_t* a, int64_t a_stride, int64_t depth, const int8_t* panel, int32_t* out) {
  for (int64_t i = 0; i < kCount; ++i) {
    int32_t sum = 0;
    for (int64_t k = 0; k < depth; ++k) sum += a[i * a_stride + k] * panel[k / 4 * 4 * kPanel + k % 4];
    out[i * kPanel] = sum;
  }
}
#else
template <int kCount>
HWY_INLINE void multiply_fours(const uint8_t* a, int64_t a_stride, int64_t depth, const int8_t* panel, int32_t* out) {
  const Integers d;
  const hn::RepartitionToNarrow<Integers> halves;
  hn::Vec<Integers> sums[kCount];
  for (int i = 0; i < kCount; ++i) sums[i] = hn::Zero(d);
  for (int64_t k = 0; k < depth; k += 4) {
    const auto b = hn::BitCast(halves, hn::LoadU(d, reinterpret_cast<const int32_t*>(panel + k * kPanel)));
    const auto even = hn::ShiftRight<8>(hn::ShiftLeft<8>(b)), odd = hn::ShiftRight<8>(b);
    for (int i = 0; i < kCount; ++i) {
      const uint32_t four = group_of(a + i * a_stride + k);
      auto unused = hn::Zero(d);
      const auto a_even = hn::BitCast(halves, hn::Set(d, static_cast<int32_t>(four & 0x00FF00FFu)));
      const auto a_odd = hn::BitCast(halves, hn::Set(d, static_cast<int32_t>((four >> 8) & 0x00FF00FFu)));
      sums[i] = hn::ReorderWidenMulAccumulate(d, a_even, even, sums[i], unused);
      sums[i] = hn::ReorderWidenMulAccumulate(d, a_odd, odd, sums[i], unused);
      sums[i] = hn::RearrangeToOddPlusEven(sums[i], unused);
    }
  }
  for (int i = 0; i < kCount; ++i) hn::StoreU(sums[i], d, out + i * kPanel);
}
#endif

template <class Kernel4, class Kernel1>
HWY_INLINE void for_rows_and_columns(int64_t rows, const Kernel4& four, const Kernel1& one) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(Floats()));
  for (int64_t c = 0; c < kPanel; c += lanes) {
    int64_t i = 0;
    for (; i + 4 <= rows; i += 4) four(i, c);
    for (; i < rows; ++i) one(i, c);
  }
}

template <bool kByDepth>
HWY_INLINE void multiply_bfloat16(const uint16_t* a, int64_t a_stride, int64_t rows, int64_t depth,
                                  const uint16_t* panel, float* out) {
  const int64_t next_row = kByDepth ? 2 : a_stride;
  for_rows_and_columns(
      rows,
      [&](int64_t i, int64_t c) {
        multiply_pairs<4, kByDepth>(a + i * next_row, a_stride, depth, panel + 2 * c, out + i * kPanel + c);
      },
      [&](int64_t i, int64_t c) {
        multiply_pairs<1, kByDepth>(a + i * next_row, a_stride, depth, panel + 2 * c, out + i * kPanel + c);
      });
}

void MultiplyBfloat16(const uint16_t* a, int64_t a_stride, int64_t rows, int64_t depth, const uint16_t* panel,
                      float* out) {
  if (a_stride == 0) return multiply_bfloat16<true>(a, a_stride, rows, depth, panel, out);
  multiply_bfloat16<false>(a, a_stride, rows, depth, panel, out);
}

void MultiplyInt8(const uint8_t* a, int64_t a_stride, int64_t rows, int64_t depth, const int8_t* panel, int32_t* out) {
  for_rows_and_columns(
      rows,
      [&](int64_t i, int64_t c) {
        multiply_fours<4>(a + i * a_stride, a_stride, depth, panel + 4 * c, out + i * kPanel + c);
      },
      [&](int64_t i, int64_t c) {
        multiply_fours<1>(a + i * a_stride, a_stride, depth, panel + 4 * c, out + i * kPanel + c);
      });
}

}  // namespace roformer::tile::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "backend/cpu/gemm/tile_native.h"
#include "backend/cpu/simd.h"

namespace roformer::tile {
HWY_EXPORT(MultiplyBfloat16);
HWY_EXPORT(MultiplyInt8);

void multiply_emulated(const uint16_t* a, int64_t a_stride, int64_t rows, int64_t depth, const uint16_t* panel,
                       float* out) {
  HWY_DYNAMIC_DISPATCH(MultiplyBfloat16)(a, a_stride, rows, depth, panel, out);
}
void multiply_emulated(const uint8_t* a, int64_t a_stride, int64_t rows, int64_t depth, const int8_t* panel,
                       int32_t* out) {
  HWY_DYNAMIC_DISPATCH(MultiplyInt8)(a, a_stride, rows, depth, panel, out);
}

bool in_tile_registers(Precision precision) { return precision != Precision::float32 && simd::has_amx(); }

void multiply(const uint16_t* a, int64_t a_stride, int64_t rows, int64_t depth, const uint16_t* panel, float* out,
              const PrefetchHint& hint) {
  if (simd::has_amx()) return multiply_amx(a, a_stride, rows, depth, panel, out, hint);
  if (simd::has_bfloat16()) return multiply_native(a, a_stride, rows, depth, panel, out, hint);
  multiply_emulated(a, a_stride, rows, depth, panel, out);
}
void multiply(const uint8_t* a, int64_t a_stride, int64_t rows, int64_t depth, const int8_t* panel, int32_t* out,
              const PrefetchHint& hint) {
  if (simd::has_amx()) return multiply_amx(a, a_stride, rows, depth, panel, out, hint);
  if (simd::has_vnni()) return multiply_native(a, a_stride, rows, depth, panel, out, hint);
  if (simd::has_avx_vnni()) return multiply_avx_vnni(a, a_stride, rows, depth, panel, out, hint);
  multiply_emulated(a, a_stride, rows, depth, panel, out);
}
}  // namespace roformer::tile
#endif
