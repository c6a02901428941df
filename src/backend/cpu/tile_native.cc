// The bfloat16 and int8 tile kernels of CPUs that have their dot products (Highway 1.0 does not know them).
#include "backend/cpu/tile_native.h"

#include <immintrin.h>

#include <cstring>

#include "backend/cpu/tile.h"

namespace roformer::tile {

namespace {

#define ROFORMER_BFLOAT16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16")))
#define ROFORMER_VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))

// A group of a row, the same in every lane.
template <class T>
__attribute__((target("avx512f"), always_inline)) inline __m512i broadcast(const T* group) {
  int32_t bits;
  std::memcpy(&bits, group, sizeof bits);
  return _mm512_set1_epi32(bits);
}

template <int kCount, bool kByDepth>
ROFORMER_BFLOAT16 void multiply_rows(const uint16_t* a, int64_t a_stride, int64_t depth, const uint16_t* panel,
                                     float* out, Ahead ahead) {
  __m512 left[kCount], right[kCount];
#pragma GCC unroll 12
  for (int i = 0; i < kCount; ++i) left[i] = right[i] = _mm512_setzero_ps();
  for (int64_t k = 0; k < depth; k += 2) {
    ask_for(ahead.from, ahead.step);
    ahead.from += ahead.step;
    const auto b0 = reinterpret_cast<__m512bh>(_mm512_loadu_si512(panel + k * kPanel));
    const auto b1 = reinterpret_cast<__m512bh>(_mm512_loadu_si512(panel + k * kPanel + 32));
#pragma GCC unroll 12
    for (int i = 0; i < kCount; ++i) {
      const auto x = reinterpret_cast<__m512bh>(broadcast(kByDepth ? a + k * kTileRows + 2 * i : a + i * a_stride + k));
      left[i] = _mm512_dpbf16_ps(left[i], x, b0);
      right[i] = _mm512_dpbf16_ps(right[i], x, b1);
    }
  }
#pragma GCC unroll 12
  for (int i = 0; i < kCount; ++i) {
    _mm512_storeu_ps(out + i * kPanel, left[i]);
    _mm512_storeu_ps(out + i * kPanel + 16, right[i]);
  }
}

template <int kCount, bool kByDepth>
ROFORMER_VNNI void multiply_rows(const uint8_t* a, int64_t a_stride, int64_t depth, const int8_t* panel, int32_t* out,
                                 Ahead ahead) {
  __m512i left[kCount], right[kCount];
#pragma GCC unroll 12
  for (int i = 0; i < kCount; ++i) left[i] = right[i] = _mm512_setzero_si512();
  for (int64_t k = 0; k < depth; k += 4) {
    ask_for(ahead.from, ahead.step);
    ahead.from += ahead.step;
    const __m512i b0 = _mm512_loadu_si512(panel + k * kPanel), b1 = _mm512_loadu_si512(panel + k * kPanel + 64);
#pragma GCC unroll 12
    for (int i = 0; i < kCount; ++i) {
      const __m512i x = broadcast(a + i * a_stride + k);
      left[i] = _mm512_dpbusd_epi32(left[i], x, b0);
      right[i] = _mm512_dpbusd_epi32(right[i], x, b1);
    }
  }
#pragma GCC unroll 12
  for (int i = 0; i < kCount; ++i) {
    _mm512_storeu_si512(out + i * kPanel, left[i]);
    _mm512_storeu_si512(out + i * kPanel + 16, right[i]);
  }
}

template <int kCount, bool kByDepth, class A, class B, class Sum>
void multiply_count(int64_t count, const A* a, int64_t a_stride, int64_t depth, const B* panel, Sum* out,
                    const Ahead& ahead) {
  if (count == kCount) return multiply_rows<kCount, kByDepth>(a, a_stride, depth, panel, out, ahead);
  if constexpr (kCount > 1) multiply_count<kCount - 1, kByDepth>(count, a, a_stride, depth, panel, out, ahead);
}

Ahead or_nothing(const Ahead& ahead, const void* panel) {
  return ahead.from == nullptr ? Ahead{static_cast<const char*>(panel), 0} : ahead;
}

}  // namespace

void multiply_native(const uint16_t* a, int64_t a_stride, int64_t rows, int64_t depth, const uint16_t* panel,
                     float* out, const Ahead& ahead) {
  if (a_stride == 0) return multiply_count<kTileRows, true>(rows, a, 0, depth, panel, out, or_nothing(ahead, panel));
  multiply_count<kTileRows, false>(rows, a, a_stride, depth, panel, out, or_nothing(ahead, panel));
}
void multiply_native(const uint8_t* a, int64_t a_stride, int64_t rows, int64_t depth, const int8_t* panel, int32_t* out,
                     const Ahead& ahead) {
  multiply_count<kTileRows, false>(rows, a, a_stride, depth, panel, out, or_nothing(ahead, panel));
}

}  // namespace roformer::tile
