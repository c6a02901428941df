// Row kernels around the tiles: conversion, quantization and the epilogue.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/gemm/tile_rows.cc"
#include "hwy/foreach_target.h"
// after foreach_target.h
#include <algorithm>
#include <cmath>
#include <limits>

#include "backend/cpu/gemm/tile_rows.h"
#include "backend/cpu/rows/activation-inl.h"
#include "backend/cpu/rows/half-inl.h"
#include "backend/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace roformer::tile::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using rows::HWY_NAMESPACE::activate;
using rows::HWY_NAMESPACE::for_lanes;
using rows::HWY_NAMESPACE::FullTag;
using rows::HWY_NAMESPACE::load_bfloat16;
using rows::HWY_NAMESPACE::load_float16;
using rows::HWY_NAMESPACE::widen_float16;

// The bits of x as bfloat16 in the upper half of each lane; the lower half is undefined.
template <class D>
HWY_INLINE hn::Vec<hn::RebindToUnsigned<D>> round_bfloat16(D /*d*/, hn::Vec<D> x) {
  const hn::RebindToUnsigned<D> words;
  const auto bits = hn::BitCast(words, x);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(words, 1u));
  const auto rounded = hn::Add(bits, hn::Add(odd, hn::Set(words, 0x7FFFu)));
  return hn::IfThenElse(hn::RebindMask(words, hn::IsNaN(x)), hn::Set(words, 0x7FC00000u), rounded);
}

template <class D>
HWY_INLINE void store_bfloat16(D d, hn::Vec<D> x, uint16_t* out) {
  const hn::Rebind<uint16_t, D> halves;
  const hn::RebindToSigned<D> integers;
  const auto upper = hn::BitCast(integers, hn::ShiftRight<16>(round_bfloat16(d, x)));
  hn::StoreU(hn::DemoteTo(halves, upper), halves, out);
}

void ToBfloat16(const float* x, uint16_t* out, int64_t n) {
  for_lanes(n, [&](auto d, int64_t i) HWY_ATTR { store_bfloat16(d, hn::LoadU(d, x + i), out + i); });
}

void RoundToBfloat16(const float* x, float* out, int64_t n) {
  for_lanes(n, [&](auto d, int64_t i) HWY_ATTR {
    const hn::RebindToUnsigned<decltype(d)> words;
    const auto upper = hn::And(round_bfloat16(d, hn::LoadU(d, x + i)), hn::Set(words, 0xFFFF0000u));
    hn::StoreU(hn::BitCast(d, upper), d, out + i);
  });
}

void WidenBfloat16(const uint16_t* x, float* out, int64_t n) {
  for_lanes(n, [&](auto d, int64_t i) HWY_ATTR { hn::StoreU(load_bfloat16(d, x + i), d, out + i); });
}

void WidenFloat16(const uint16_t* x, float* out, int64_t n) {
  for_lanes(n, [&](auto d, int64_t i) HWY_ATTR { hn::StoreU(load_float16(d, x + i), d, out + i); });
}

// Both halves of each lane.
template <class Low, class High>
HWY_INLINE void widen_pairs(const uint16_t* panel, int64_t depth, float* out, const Low& low, const High& high) {
  const hn::CappedTag<float, 16> d;
  const hn::RebindToUnsigned<decltype(d)> words;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t k = 0; k < depth; k += 2) {
    for (int64_t c = 0; c < kPanel; c += lanes) {
      const auto pairs = hn::LoadU(words, reinterpret_cast<const uint32_t*>(panel + k * kPanel) + c);
      hn::StoreU(low(d, pairs), d, out + k * kPanel + c);
      hn::StoreU(high(d, pairs), d, out + (k + 1) * kPanel + c);
    }
  }
}

void WidenBfloat16Panel(const uint16_t* panel, int64_t depth, float* out) {
  widen_pairs(
      panel, depth, out, [](auto d, auto pairs) HWY_ATTR { return hn::BitCast(d, hn::ShiftLeft<16>(pairs)); },
      [](auto d, auto pairs) HWY_ATTR {
        const hn::RebindToUnsigned<decltype(d)> words;
        return hn::BitCast(d, hn::And(pairs, hn::Set(words, 0xFFFF0000u)));
      });
}

void WidenFloat16Panel(const uint16_t* panel, int64_t depth, float* out) {
  widen_pairs(
      panel, depth, out,
      [](auto d, auto pairs) HWY_ATTR {
        const hn::RebindToUnsigned<decltype(d)> words;
        return widen_float16(d, hn::And(pairs, hn::Set(words, 0xFFFFu)));
      },
      [](auto d, auto pairs) HWY_ATTR { return widen_float16(d, hn::ShiftRight<16>(pairs)); });
}

void WidenInt8Panel(const int8_t* panel, int64_t depth, float* out) {
  const hn::CappedTag<float, 16> d;
  const hn::RebindToSigned<decltype(d)> integers;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t k = 0; k < depth; k += 4) {
    for (int64_t c = 0; c < kPanel; c += lanes) {
      const auto fours = hn::LoadU(integers, reinterpret_cast<const int32_t*>(panel + k * kPanel) + c);
      float* const to = out + k * kPanel + c;
      hn::StoreU(hn::ConvertTo(d, hn::ShiftRight<24>(hn::ShiftLeft<24>(fours))), d, to);
      hn::StoreU(hn::ConvertTo(d, hn::ShiftRight<24>(hn::ShiftLeft<16>(fours))), d, to + kPanel);
      hn::StoreU(hn::ConvertTo(d, hn::ShiftRight<24>(hn::ShiftLeft<8>(fours))), d, to + 2 * kPanel);
      hn::StoreU(hn::ConvertTo(d, hn::ShiftRight<24>(fours)), d, to + 3 * kPanel);
    }
  }
}

void ScaleColumns(const float* factors, int64_t rows, float* sums) {
  for (int64_t i = 0; i < rows; ++i) {
    float* const row = sums + i * kPanel;
    for_lanes(kPanel, [&](auto d, int64_t c) HWY_ATTR {
      hn::StoreU(hn::Mul(hn::LoadU(d, row + c), hn::LoadU(d, factors + c)), d, row + c);
    });
  }
}

void PairBfloat16(const float* first, const float* second, uint16_t* pairs, int64_t n) {
  for_lanes(n, [&](auto d, int64_t i) HWY_ATTR {
    const hn::RebindToUnsigned<decltype(d)> words;
    const auto low = hn::ShiftRight<16>(round_bfloat16(d, hn::LoadU(d, first + i)));
    const auto x = second == nullptr ? hn::Zero(d) : hn::LoadU(d, second + i);
    const auto high = hn::And(round_bfloat16(d, x), hn::Set(words, 0xFFFF0000u));
    hn::StoreU(hn::Or(low, high), words, reinterpret_cast<uint32_t*>(pairs + 2 * i));
  });
}

// x · inverse + shift rounded to an integer between low and high.
template <class D>
HWY_INLINE hn::Vec<hn::RebindToSigned<D>> to_integers(D d, hn::Vec<D> x, float inverse, int32_t shift, float low,
                                                      float high) {
  const hn::RebindToSigned<D> integers;
  const auto scaled = hn::Mul(x, hn::Set(d, inverse));
  // Clamps first: conversion beyond int32 is undefined.
  const auto limited = hn::Min(hn::Max(scaled, hn::Set(d, low - static_cast<float>(shift))),
                               hn::Set(d, high - static_cast<float>(shift)));
  return hn::Add(hn::NearestInt(limited), hn::Set(integers, shift));
}

struct Range {
  float low, high;
  bool finite;
};

HWY_INLINE Range range_with_zero(const float* x, int64_t n) {
  const FullTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  auto low = hn::Zero(d), high = hn::Zero(d), zeros = hn::Zero(d);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto v = hn::LoadU(d, x + i);
    low = hn::Min(v, low);
    high = hn::Max(v, high);
    zeros = hn::Add(zeros, hn::Sub(v, v));  // x − x is 0 if x is finite, else NaN
  }
  float zero = hn::GetLane(hn::SumOfLanes(d, zeros));
  Range range{hn::GetLane(hn::MinOfLanes(d, low)), hn::GetLane(hn::MaxOfLanes(d, high)), true};
  for (; i < n; ++i) {
    range = {std::min(range.low, x[i]), std::max(range.high, x[i]), true};
    zero += x[i] - x[i];
  }
  range.finite = zero == 0;
  return range;
}

RowScale Quantize(const float* x, uint8_t* out, int64_t n) {
  const Range range = range_with_zero(x, n);
  const float scale = range.high / 255.0f - range.low / 255.0f;
  if (!range.finite || scale < std::numeric_limits<float>::min()) {
    std::fill_n(out, n, uint8_t{0});
    return {range.finite ? 0 : std::numeric_limits<float>::quiet_NaN(), 0};
  }
  const float inverse = 1.0f / scale;
  const auto zero = static_cast<int32_t>(std::lrint(std::min(255.0f, -range.low * inverse)));
  for_lanes(n, [&](auto d, int64_t i) HWY_ATTR {
    const hn::Rebind<uint8_t, decltype(d)> bytes;
    hn::StoreU(hn::DemoteTo(bytes, to_integers(d, hn::LoadU(d, x + i), inverse, zero, 0, 255)), bytes, out + i);
  });
  return {scale, zero};
}

float QuantizeWeights(const float* x, int8_t* out, int64_t n, int32_t& sum) {
  const Range range = range_with_zero(x, n);
  const float scale = std::max(-range.low, range.high) / 127.0f;
  sum = 0;
  if (!range.finite || scale < std::numeric_limits<float>::min()) {
    std::fill_n(out, n, int8_t{0});
    return range.finite ? 0 : std::numeric_limits<float>::quiet_NaN();
  }
  const float inverse = 1.0f / scale;
  for_lanes(n, [&](auto d, int64_t i) HWY_ATTR {
    const hn::Rebind<int8_t, decltype(d)> bytes;
    hn::StoreU(hn::DemoteTo(bytes, to_integers(d, hn::LoadU(d, x + i), inverse, 0, -127, 127)), bytes, out + i);
  });
  for (int64_t i = 0; i < n; ++i) sum += out[i];
  return scale;
}

void Dequantize(const int32_t* sums, int64_t rows, const Scales& scales, float* out) {
  const hn::CappedTag<float, 16> d;
  const hn::RebindToSigned<decltype(d)> integers;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t i = 0; i < rows; ++i) {
    const auto zero = hn::Set(integers, scales.rows[i].zero);
    const auto scale = hn::Set(d, scales.rows[i].scale);
    for (int64_t c = 0; c < kPanel; c += lanes) {
      const auto shift = hn::Mul(zero, hn::LoadU(integers, scales.column_sum + c));
      const auto value = hn::ConvertTo(d, hn::Sub(hn::LoadU(integers, sums + i * kPanel + c), shift));
      const auto factor = hn::Mul(scale, hn::LoadU(d, scales.column_scale + c));
      hn::StoreU(hn::Mul(value, factor), d, out + i * kPanel + c);
    }
  }
}

template <Activation kActivation>
HWY_INLINE void apply_epilogue_rows(const Epilogue& f, const float* tile, int64_t row, int64_t rows, int64_t column,
                                    int64_t columns) {
  for (int64_t i = 0; i < rows; ++i) {
    const float* from = tile + i * kPanel;
    for_lanes(columns, [&](auto d, int64_t c) HWY_ATTR {
      const int64_t at = column + c;
      auto value = hn::LoadU(d, from + c);
      if (f.bias != nullptr) value = hn::Add(value, hn::LoadU(d, f.bias + at));
      if (f.before != nullptr) hn::StoreU(value, d, f.before + (row + i) * f.before_stride + at);
      value = activate(d, kActivation, value);
      if (f.residual != nullptr) {
        value = hn::Add(value, hn::LoadU(d, f.residual + (row + i) * f.residual_stride + at));
      }
      const int64_t to = (row + i) * f.out_stride + at;
      if (f.out_bfloat16 != nullptr) return store_bfloat16(d, value, f.out_bfloat16 + to);
      if (f.accumulate) value = hn::Add(value, hn::LoadU(d, f.out + to));
      hn::StoreU(value, d, f.out + to);
    });
  }
}

void ApplyEpilogue(const Epilogue& f, const float* tile, int64_t row, int64_t rows, int64_t column, int64_t columns) {
  switch (f.activation) {
    case Activation::none: return apply_epilogue_rows<Activation::none>(f, tile, row, rows, column, columns);
    case Activation::gelu: return apply_epilogue_rows<Activation::gelu>(f, tile, row, rows, column, columns);
    case Activation::gelu_tanh: return apply_epilogue_rows<Activation::gelu_tanh>(f, tile, row, rows, column, columns);
    case Activation::relu: return apply_epilogue_rows<Activation::relu>(f, tile, row, rows, column, columns);
    case Activation::silu: return apply_epilogue_rows<Activation::silu>(f, tile, row, rows, column, columns);
    case Activation::tanh: return apply_epilogue_rows<Activation::tanh>(f, tile, row, rows, column, columns);
  }
}

}  // namespace roformer::tile::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "backend/cpu/gemm/tile_native.h"
#include "backend/cpu/simd.h"

namespace roformer::tile {
HWY_EXPORT(ToBfloat16);
HWY_EXPORT(RoundToBfloat16);
HWY_EXPORT(WidenBfloat16);
HWY_EXPORT(WidenFloat16);
HWY_EXPORT(WidenBfloat16Panel);
HWY_EXPORT(WidenFloat16Panel);
HWY_EXPORT(WidenInt8Panel);
HWY_EXPORT(ScaleColumns);
HWY_EXPORT(PairBfloat16);
HWY_EXPORT(Quantize);
HWY_EXPORT(QuantizeWeights);
HWY_EXPORT(Dequantize);
HWY_EXPORT(ApplyEpilogue);

void to_bfloat16(const float* x, uint16_t* out, int64_t n) {
  if (simd::rounds_to_bfloat16()) return to_bfloat16_native(x, out, n);
  HWY_DYNAMIC_DISPATCH(ToBfloat16)(x, out, n);
}
void round_to_bfloat16(const float* x, float* out, int64_t n) { HWY_DYNAMIC_DISPATCH(RoundToBfloat16)(x, out, n); }
void widen(const BFloat16* x, float* out, int64_t n) {
  HWY_DYNAMIC_DISPATCH(WidenBfloat16)(reinterpret_cast<const uint16_t*>(x), out, n);
}
void widen(const Float16* x, float* out, int64_t n) {
  HWY_DYNAMIC_DISPATCH(WidenFloat16)(reinterpret_cast<const uint16_t*>(x), out, n);
}
void widen_panel(const BFloat16* panel, int64_t depth, float* out) {
  HWY_DYNAMIC_DISPATCH(WidenBfloat16Panel)(reinterpret_cast<const uint16_t*>(panel), depth, out);
}
void widen_panel(const Float16* panel, int64_t depth, float* out) {
  HWY_DYNAMIC_DISPATCH(WidenFloat16Panel)(reinterpret_cast<const uint16_t*>(panel), depth, out);
}
void widen_panel(const int8_t* panel, int64_t depth, float* out) {
  HWY_DYNAMIC_DISPATCH(WidenInt8Panel)(panel, depth, out);
}
void scale_columns(const float* factors, int64_t rows, float* sums) {
  HWY_DYNAMIC_DISPATCH(ScaleColumns)(factors, rows, sums);
}
void pair_bfloat16(const float* first, const float* second, uint16_t* pairs, int64_t n) {
  if (simd::rounds_to_bfloat16()) return pair_bfloat16_native(first, second, pairs, n);
  HWY_DYNAMIC_DISPATCH(PairBfloat16)(first, second, pairs, n);
}
RowScale quantize(const float* x, uint8_t* out, int64_t n) { return HWY_DYNAMIC_DISPATCH(Quantize)(x, out, n); }
float quantize_weights(const float* x, int8_t* out, int64_t n, int32_t& sum) {
  return HWY_DYNAMIC_DISPATCH(QuantizeWeights)(x, out, n, sum);
}
void dequantize(const int32_t* sums, int64_t rows, const Scales& scales, float* out) {
  HWY_DYNAMIC_DISPATCH(Dequantize)(sums, rows, scales, out);
}
void apply_epilogue(const Epilogue& f, const float* tile, int64_t row, int64_t rows, int64_t column, int64_t columns) {
  HWY_DYNAMIC_DISPATCH(ApplyEpilogue)(f, tile, row, rows, column, columns);
}
}  // namespace roformer::tile
#endif
