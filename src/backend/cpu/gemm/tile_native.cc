// The bfloat16 and int8 tile kernels for CPUs with their dot products (Highway 1.0 lacks them).
#include "backend/cpu/gemm/tile_native.h"

#include <immintrin.h>

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "backend/cpu/gemm/row_pointers.h"
#include "backend/cpu/gemm/tile.h"

namespace roformer::tile {

namespace {

#define ROFORMER_BFLOAT16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16")))
#define ROFORMER_VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))
#define ROFORMER_AVX_VNNI __attribute__((target("avx2,avxvnni")))

// Loads a group of a row.
template <class T>
__attribute__((always_inline)) inline int32_t group_of(const T* group) {
  int32_t bits;
  std::memcpy(&bits, group, sizeof bits);
  return bits;
}

template <int kCount, bool kByDepth>
ROFORMER_BFLOAT16 void multiply_rows(const uint16_t* a, int64_t a_stride, int64_t depth, const uint16_t* panel,
                                     float* out, PrefetchHint hint) {
  RowPointers<uint16_t, kCount> rows(a, a_stride);
  __m512 lhs[kCount], right[kCount];
#pragma GCC unroll 12
  for (int i = 0; i < kCount; ++i) lhs[i] = right[i] = _mm512_setzero_ps();
  for (int64_t k = 0; k < depth; k += 2) {
    prefetch(hint.from, hint.step);
    hint.from += hint.step;
    const auto b0 = reinterpret_cast<__m512bh>(_mm512_loadu_si512(panel + k * kPanel));
    const auto b1 = reinterpret_cast<__m512bh>(_mm512_loadu_si512(panel + k * kPanel + 32));
#pragma GCC unroll 12
    for (int i = 0; i < kCount; ++i) {
      const auto x = reinterpret_cast<__m512bh>(
          _mm512_set1_epi32(kByDepth ? group_of(a + k * kTileRows + 2 * i) : rows.template at<int32_t>(i)));
      lhs[i] = _mm512_dpbf16_ps(lhs[i], x, b0);
      right[i] = _mm512_dpbf16_ps(right[i], x, b1);
    }
    if constexpr (!kByDepth) rows.advance(2);
  }
#pragma GCC unroll 12
  for (int i = 0; i < kCount; ++i) {
    _mm512_storeu_ps(out + i * kPanel, lhs[i]);
    _mm512_storeu_ps(out + i * kPanel + 16, right[i]);
  }
}

template <int kCount>
ROFORMER_VNNI void multiply_rows(const uint8_t* a, int64_t a_stride, int64_t depth, const int8_t* panel, int32_t* out,
                                 PrefetchHint hint) {
  RowPointers<uint8_t, kCount> rows(a, a_stride);
  __m512i lhs[kCount], right[kCount];
#pragma GCC unroll 12
  for (int i = 0; i < kCount; ++i) lhs[i] = right[i] = _mm512_setzero_si512();
  for (int64_t k = 0; k < depth; k += 4) {
    prefetch(hint.from, hint.step);
    hint.from += hint.step;
    const __m512i b0 = _mm512_loadu_si512(panel + k * kPanel), b1 = _mm512_loadu_si512(panel + k * kPanel + 64);
#pragma GCC unroll 12
    for (int i = 0; i < kCount; ++i) {
      const __m512i x = _mm512_set1_epi32(rows.template at<int32_t>(i));
      lhs[i] = _mm512_dpbusd_epi32(lhs[i], x, b0);
      right[i] = _mm512_dpbusd_epi32(right[i], x, b1);
    }
    rows.advance(4);
  }
#pragma GCC unroll 12
  for (int i = 0; i < kCount; ++i) {
    _mm512_storeu_si512(out + i * kPanel, lhs[i]);
    _mm512_storeu_si512(out + i * kPanel + 16, right[i]);
  }
}

// Half a panel's columns: sixteen registers hold the sums of six rows of them.
template <int kCount>
ROFORMER_AVX_VNNI void multiply_half_rows(const uint8_t* a, int64_t a_stride, int64_t depth, const int8_t* panel,
                                          int32_t* out, PrefetchHint hint) {
  RowPointers<uint8_t, kCount> rows(a, a_stride);
  __m256i lhs[kCount], right[kCount];
#pragma GCC unroll 6
  for (int i = 0; i < kCount; ++i) lhs[i] = right[i] = _mm256_setzero_si256();
  for (int64_t k = 0; k < depth; k += 4) {
    prefetch(hint.from, hint.step);
    hint.from += hint.step;
    const auto* const columns = reinterpret_cast<const __m256i*>(panel + k * kPanel);
    const __m256i b0 = _mm256_loadu_si256(columns), b1 = _mm256_loadu_si256(columns + 1);
#pragma GCC unroll 6
    for (int i = 0; i < kCount; ++i) {
      const __m256i x = _mm256_set1_epi32(rows.template at<int32_t>(i));
      lhs[i] = _mm256_dpbusd_avx_epi32(lhs[i], x, b0);
      right[i] = _mm256_dpbusd_avx_epi32(right[i], x, b1);
    }
    rows.advance(4);
  }
#pragma GCC unroll 6
  for (int i = 0; i < kCount; ++i) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i * kPanel), lhs[i]);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i * kPanel + 8), right[i]);
  }
}

__mmask16 first_lanes(int64_t n) { return static_cast<__mmask16>((1u << n) - 1); }

// Pairs of the lanes, from the vectors of their first and of their second elements.
ROFORMER_BFLOAT16 inline __m512i paired(__mmask16 lanes, __m512 first, __m512 second) {
  const auto low = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(first));
  const auto high = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(second));
  return _mm512_or_si512(_mm512_maskz_cvtepu16_epi32(lanes, low),
                         _mm512_maskz_slli_epi32(lanes, _mm512_maskz_cvtepu16_epi32(lanes, high), 16));
}

// Calls kernel(std::integral_constant<int, count>): kernels have a compile-time number of rows.
template <int kMax, class Kernel>
void with_count(int64_t count, const Kernel& kernel) {
  if (count == kMax) return kernel(std::integral_constant<int, kMax>());
  if constexpr (kMax > 1) with_count<kMax - 1>(count, kernel);
}

PrefetchHint or_nothing(const PrefetchHint& hint, const void* panel) {
  return hint.from == nullptr ? PrefetchHint{static_cast<const char*>(panel), 0} : hint;
}

}  // namespace

ROFORMER_BFLOAT16 void to_bfloat16_native(const float* x, uint16_t* out, int64_t n) {
  constexpr int64_t kLanes = 16;
  int64_t i = 0;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
    const __m512bh both = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(x + i + kLanes), _mm512_loadu_ps(x + i));
    _mm512_storeu_si512(out + i, reinterpret_cast<__m512i>(both));
  }
  for (; i < n; i += kLanes) {
    const __mmask16 lanes = first_lanes(std::min(kLanes, n - i));
    const __m256bh some = _mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(lanes, x + i));
    _mm256_mask_storeu_epi16(out + i, lanes, reinterpret_cast<__m256i>(some));
  }
}

ROFORMER_BFLOAT16 void pair_bfloat16_native(const float* first, const float* second, uint16_t* pairs, int64_t n) {
  constexpr int64_t kLanes = 16;
  for (int64_t i = 0; i < n; i += kLanes) {
    const __mmask16 lanes = first_lanes(std::min(kLanes, n - i));
    const __m512 x = _mm512_maskz_loadu_ps(lanes, first + i);
    const __m512 y = second == nullptr ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(lanes, second + i);
    _mm512_mask_storeu_epi32(pairs + 2 * i, lanes, paired(lanes, x, y));
  }
}

void multiply_native(const uint16_t* a, int64_t a_stride, int64_t rows, int64_t depth, const uint16_t* panel,
                     float* out, const PrefetchHint& hint) {
  const PrefetchHint next = or_nothing(hint, panel);
  with_count<kTileRows>(rows, [&](auto count) {
    if (a_stride == 0) return multiply_rows<count(), true>(a, 0, depth, panel, out, next);
    multiply_rows<count(), false>(a, a_stride, depth, panel, out, next);
  });
}

void multiply_native(const uint8_t* a, int64_t a_stride, int64_t rows, int64_t depth, const int8_t* panel, int32_t* out,
                     const PrefetchHint& hint) {
  with_count<kTileRows>(
      rows, [&](auto count) { multiply_rows<count()>(a, a_stride, depth, panel, out, or_nothing(hint, panel)); });
}

void multiply_avx_vnni(const uint8_t* a, int64_t a_stride, int64_t rows, int64_t depth, const int8_t* panel,
                       int32_t* out, const PrefetchHint& hint) {
  constexpr int64_t kRows = 6, kColumns = 16;
  PrefetchHint next = or_nothing(hint, panel);  // only for the first of several parts
  for (int64_t i = 0; i < rows; i += kRows) {
    for (int64_t c = 0; c < kPanel; c += kColumns) {
      with_count<kRows>(std::min(kRows, rows - i), [&](auto count) {
        multiply_half_rows<count()>(a + i * a_stride, a_stride, depth, panel + 4 * c, out + i * kPanel + c, next);
      });
      next = or_nothing({}, panel);
    }
  }
}

}  // namespace roformer::tile
