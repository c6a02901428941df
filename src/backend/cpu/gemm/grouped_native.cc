#include "backend/cpu/gemm/grouped_native.h"

#include <immintrin.h>

#ifndef __clang__  // g++ 12 warns of its own intrinsics' undefined vectors
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include <cstring>

namespace roformer::tile {

namespace {

#define ROFORMER_VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni,f16c")))

constexpr int64_t kFours = kGroup / 4, kLanes = 16;

ROFORMER_VNNI inline __m512 halves_at(const char* at) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)));
}

template <int kRows, GroupedForm kForm>
ROFORMER_VNNI void multiply_panel(const GroupedRows& x, int64_t row, const char* panel, float* out) {
  constexpr bool kHalf = kForm != GroupedForm::int8;
  constexpr int32_t kZero = kForm == GroupedForm::int8 ? 128 : kForm == GroupedForm::int4 ? 8 : 0;
  constexpr int64_t kStored = kHalf ? kFours / 2 : kFours, kCodes = kStored * kPanel * 4;
  const __m512i low = _mm512_set1_epi8(0x0F);
  __m512 totals[kRows][2];
  for (int r = 0; r < kRows; ++r) totals[r][0] = totals[r][1] = _mm512_setzero_ps();
  const int64_t at_first = row * x.groups;
  for (int64_t g = 0; g < x.groups; ++g) {
    __m512i sums[kRows][2];
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      const int64_t at = at_first + r * x.groups + g;
      sums[r][0] = sums[r][1] = _mm512_set1_epi32(-kZero * x.sums[static_cast<size_t>(at)]);
    }
    const int8_t* const codes = x.codes.data() + (at_first + g) * kGroup;
    const auto add = [&](const __m512i& left, const __m512i& right, int64_t four) ROFORMER_VNNI {
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) {
        int32_t bytes;
        std::memcpy(&bytes, codes + r * x.groups * kGroup + 4 * four, sizeof bytes);
        const __m512i factor = _mm512_set1_epi32(bytes);
        sums[r][0] = _mm512_dpbusd_epi32(sums[r][0], left, factor);
        sums[r][1] = _mm512_dpbusd_epi32(sums[r][1], right, factor);
      }
    };
#pragma GCC unroll 8
    for (int64_t stored = 0; stored < kStored; ++stored) {
      const __m512i left = _mm512_loadu_si512(panel + stored * kPanel * 4);
      const __m512i right = _mm512_loadu_si512(panel + stored * kPanel * 4 + 64);
      if constexpr (kHalf) {
        add(_mm512_and_si512(left, low), _mm512_and_si512(right, low), stored);
        add(_mm512_and_si512(_mm512_srli_epi32(left, 4), low), _mm512_and_si512(_mm512_srli_epi32(right, 4), low),
            stored + kStored);
      } else {
        add(left, right, stored);
      }
    }
    const __m512 scales[2] = {halves_at(panel + kCodes), halves_at(panel + kCodes + 2 * kLanes)};
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      const auto at = static_cast<size_t>(at_first + r * x.groups + g);
      const __m512 of_row = _mm512_set1_ps(x.scales[at]);
      for (int half = 0; half < 2; ++half) {
        __m512& total = totals[r][half];
        total = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums[r][half]), _mm512_mul_ps(scales[half], of_row), total);
        if constexpr (kForm == GroupedForm::int4_minimum) {
          const __m512 minimums = halves_at(panel + kCodes + 2 * kPanel + 2 * kLanes * half);
          const __m512 of_codes = _mm512_mul_ps(of_row, _mm512_set1_ps(static_cast<float>(x.sums[at])));
          total = _mm512_fmadd_ps(minimums, of_codes, total);
        }
      }
    }
    panel += GroupedMatrix::group_bytes(kForm);
  }
  for (int r = 0; r < kRows; ++r) {
    _mm512_storeu_ps(out + r * kPanel, totals[r][0]);
    _mm512_storeu_ps(out + r * kPanel + kLanes, totals[r][1]);
  }
}

template <GroupedForm kForm>
void multiply_rows(const GroupedRows& x, int64_t row, int64_t rows, const char* panel, float* out) {
  switch (rows) {
    case 4: return multiply_panel<4, kForm>(x, row, panel, out);
    case 3: return multiply_panel<3, kForm>(x, row, panel, out);
    case 2: return multiply_panel<2, kForm>(x, row, panel, out);
    default: return multiply_panel<1, kForm>(x, row, panel, out);
  }
}

}  // namespace

void multiply_groups_native(const GroupedRows& x, int64_t row, int64_t rows, GroupedForm form, const char* panel,
                            float* out) {
  switch (form) {
    case GroupedForm::int8: return multiply_rows<GroupedForm::int8>(x, row, rows, panel, out);
    case GroupedForm::int4: return multiply_rows<GroupedForm::int4>(x, row, rows, panel, out);
    case GroupedForm::int4_minimum: return multiply_rows<GroupedForm::int4_minimum>(x, row, rows, panel, out);
  }
}

}  // namespace roformer::tile
