// The float32 tile kernel.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/gemm/tile_float32.cc"
#include "hwy/foreach_target.h"
// after foreach_target.h
#include <algorithm>

#include "backend/cpu/gemm/row_pointers.h"
#include "backend/cpu/gemm/tile.h"
#include "backend/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace roformer::tile::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Tag = hn::CappedTag<float, 16>;
using Vector = hn::Vec<Tag>;

// As many rows by two vectors of sums as fit the registers beside the factors: 24 of 32 with AVX-512, 12 of 16 without.
#if HWY_TARGET <= HWY_AVX3
constexpr int64_t kRows = 12;
#else
constexpr int64_t kRows = 6;
#endif

template <int kCount, bool kByDepth>
HWY_INLINE void multiply_rows(const float* HWY_RESTRICT a, int64_t a_stride, int64_t depth,
                              const float* HWY_RESTRICT panel, float* HWY_RESTRICT out, PrefetchHint hint) {
  const Tag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  RowPointers<float, kCount> rows(a, a_stride);
  Vector lhs[kCount], right[kCount];
#pragma GCC unroll 12
  for (int i = 0; i < kCount; ++i) lhs[i] = right[i] = hn::Zero(d);
  for (int64_t k = 0; k < depth; ++k) {
    prefetch(hint.from, hint.step);
    hint.from += hint.step;
    const Vector b0 = hn::LoadU(d, panel + k * kPanel), b1 = hn::LoadU(d, panel + k * kPanel + lanes);
#pragma GCC unroll 12
    for (int i = 0; i < kCount; ++i) {
      const Vector x = hn::Set(d, kByDepth ? a[k * kTileRows + i] : rows.at(i));
      lhs[i] = hn::MulAdd(x, b0, lhs[i]);
      right[i] = hn::MulAdd(x, b1, right[i]);
    }
    if constexpr (!kByDepth) rows.advance(1);
  }
#pragma GCC unroll 12
  for (int i = 0; i < kCount; ++i) {
    hn::StoreU(lhs[i], d, out + i * kPanel);
    hn::StoreU(right[i], d, out + i * kPanel + lanes);
  }
}

template <int kCount, bool kByDepth>
HWY_INLINE void multiply_count(int64_t count, const float* a, int64_t a_stride, int64_t depth, const float* panel,
                               float* out, const PrefetchHint& hint) {
  if (count == kCount) return multiply_rows<kCount, kByDepth>(a, a_stride, depth, panel, out, hint);
  if constexpr (kCount > 1) multiply_count<kCount - 1, kByDepth>(count, a, a_stride, depth, panel, out, hint);
}

// Twelve sums hide the latency of any FMA, and fit the registers of every instruction set.
constexpr int kSums = 12;

int64_t RegisterOperations() { return 2 * kSums * static_cast<int64_t>(hn::Lanes(Tag())); }

float MultiplyRegisters(int64_t rounds) {
  const Tag d;
  Vector sums[kSums];
#pragma GCC unroll 12
  for (int i = 0; i < kSums; ++i) sums[i] = hn::Set(d, static_cast<float>(i));
  const Vector factor = hn::Set(d, 0.5f), term = hn::Set(d, 1.0f);
  for (int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
    for (int i = 0; i < kSums; ++i) sums[i] = hn::MulAdd(sums[i], factor, term);
  }
#pragma GCC unroll 12
  for (int i = 1; i < kSums; ++i) sums[0] = hn::Add(sums[0], sums[i]);
  return hn::GetLane(sums[0]);
}

void Multiply(const float* a, int64_t a_stride, int64_t rows, int64_t depth, const float* panel, float* out,
              const PrefetchHint& hint) {
  const int64_t columns = 2 * static_cast<int64_t>(hn::Lanes(Tag()));
  const PrefetchHint nothing{reinterpret_cast<const char*>(panel), 0};
  PrefetchHint next = hint.from == nullptr ? nothing : hint;  // only for the first of several parts
  for (int64_t i = 0; i < rows; i += kRows) {
    for (int64_t c = 0; c < kPanel; c += columns) {
      const int64_t count = std::min(kRows, rows - i);
      if (a_stride == 0) {
        multiply_count<kRows, true>(count, a + i, 0, depth, panel + c, out + i * kPanel + c, next);
      } else {
        multiply_count<kRows, false>(count, a + i * a_stride, a_stride, depth, panel + c, out + i * kPanel + c, next);
      }
      next = nothing;
    }
  }
}

}  // namespace roformer::tile::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace roformer::tile {
HWY_EXPORT(Multiply);
HWY_EXPORT(MultiplyRegisters);
HWY_EXPORT(RegisterOperations);
float multiply_registers(int64_t rounds) { return HWY_DYNAMIC_DISPATCH(MultiplyRegisters)(rounds); }
int64_t register_operations() { return HWY_DYNAMIC_DISPATCH(RegisterOperations)(); }
void multiply(const float* a, int64_t a_stride, int64_t rows, int64_t depth, const float* panel, float* out,
              const PrefetchHint& hint) {
  HWY_DYNAMIC_DISPATCH(Multiply)(a, a_stride, rows, depth, panel, out, hint);
}
}  // namespace roformer::tile
#endif
