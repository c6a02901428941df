// Products of groups of 32 where the CPU has no dot products of bytes: of pairs widened to int16, whose sums are exact.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/gemm/grouped_kernel.cc"
#include "hwy/foreach_target.h"
// after foreach_target.h
#include <cmath>
#include <cstring>

#include "backend/cpu/gemm/grouped.h"
#include "backend/cpu/rows/half-inl.h"
#include "backend/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace roformer::tile::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::CappedTag<float, 16>;
using Integers = hn::RebindToSigned<Floats>;
using Words = hn::RebindToUnsigned<Floats>;

constexpr int64_t kFours = kGroup / 4;

#if HWY_TARGET == HWY_SCALAR
// Σ of four products of bytes, unsigned by signed, of each lane.
HWY_INLINE hn::Vec<Integers> add_fours(hn::Vec<Words> codes, int32_t four, hn::Vec<Integers> sum) {
  int32_t total = hn::GetLane(sum);
  for (int byte = 0; byte < 4; ++byte) {
    total += static_cast<int32_t>(hn::GetLane(codes) >> 8 * byte & 0xFF) * static_cast<int8_t>(four >> 8 * byte & 0xFF);
  }
  return hn::Set(Integers(), total);
}
#else
HWY_INLINE hn::Vec<Integers> add_fours(hn::Vec<Words> codes, int32_t four, hn::Vec<Integers> sum) {
  const Integers d;
  const Words words;
  const hn::RepartitionToNarrow<Integers> halves;
  const auto even = hn::BitCast(halves, hn::And(codes, hn::Set(words, 0x00FF00FFu)));
  const auto odd = hn::BitCast(halves, hn::And(hn::ShiftRight<8>(codes), hn::Set(words, 0x00FF00FFu)));
  const auto x = hn::BitCast(halves, hn::Set(d, four));
  auto unused = hn::Zero(d);
  sum = hn::ReorderWidenMulAccumulate(d, even, hn::ShiftRight<8>(hn::ShiftLeft<8>(x)), sum, unused);
  sum = hn::ReorderWidenMulAccumulate(d, odd, hn::ShiftRight<8>(x), sum, unused);
  return hn::RearrangeToOddPlusEven(sum, unused);
}
#endif

// kRows rows by one vector of outputs, whose part of a group begins at `panel`.
template <int kRows, GroupedForm kForm>
HWY_INLINE void multiply_lanes(const GroupedRows& x, int64_t row, const char* panel, int64_t column, float* out) {
  const Floats d;
  const Integers integers;
  const Words words;
  constexpr bool kHalf = kForm != GroupedForm::int8;
  constexpr int32_t kZero = kForm == GroupedForm::int8 ? 128 : kForm == GroupedForm::int4 ? 8 : 0;
  constexpr int64_t kCodes = (kHalf ? kFours / 2 : kFours) * kPanel * 4;
  const int64_t group_bytes = GroupedMatrix::group_bytes(kForm);
  hn::Vec<Floats> totals[kRows];
  for (int r = 0; r < kRows; ++r) totals[r] = hn::Zero(d);
  for (int64_t g = 0; g < x.groups; ++g) {
    const char* const group = panel + g * group_bytes;
    hn::Vec<Integers> sums[kRows];
    for (int r = 0; r < kRows; ++r) sums[r] = hn::Set(integers, -kZero * x.sums[(row + r) * x.groups + g]);
    for (int64_t four = 0; four < kFours; ++four) {
      const int64_t stored = kHalf ? four % (kFours / 2) : four;
      auto codes = hn::LoadU(words, reinterpret_cast<const uint32_t*>(group + (stored * kPanel + column) * 4));
      if (kHalf && four >= kFours / 2) codes = hn::ShiftRight<4>(codes);
      if (kHalf) codes = hn::And(codes, hn::Set(words, 0x0F0F0F0Fu));
      for (int r = 0; r < kRows; ++r) {
        int32_t bytes;
        std::memcpy(&bytes, x.codes.data() + ((row + r) * x.groups + g) * kGroup + 4 * four, sizeof bytes);
        sums[r] = add_fours(codes, bytes, sums[r]);
      }
    }
    const auto* const scales = reinterpret_cast<const uint16_t*>(group + kCodes) + column;
    const auto scale = rows::HWY_NAMESPACE::load_float16(d, scales);
    for (int r = 0; r < kRows; ++r) {
      const int64_t at = (row + r) * x.groups + g;
      const auto of_row = hn::Set(d, x.scales[at]);
      totals[r] = hn::MulAdd(hn::ConvertTo(d, sums[r]), hn::Mul(scale, of_row), totals[r]);
      if (kForm != GroupedForm::int4_minimum) continue;
      const auto minimum = rows::HWY_NAMESPACE::load_float16(d, scales + kPanel);
      totals[r] = hn::MulAdd(minimum, hn::Mul(of_row, hn::Set(d, static_cast<float>(x.sums[at]))), totals[r]);
    }
  }
  for (int r = 0; r < kRows; ++r) hn::StoreU(totals[r], d, out + r * kPanel + column);
}

template <int kRows, GroupedForm kForm>
HWY_INLINE void multiply_panel(const GroupedRows& x, int64_t row, const char* panel, float* out) {
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(Floats()));
  for (int64_t c = 0; c < kPanel; c += lanes) multiply_lanes<kRows, kForm>(x, row, panel, c, out);
}

template <GroupedForm kForm>
HWY_INLINE void multiply_rows(const GroupedRows& x, int64_t row, int64_t rows, const char* panel, float* out) {
  switch (rows) {
    case 4: return multiply_panel<4, kForm>(x, row, panel, out);
    case 3: return multiply_panel<3, kForm>(x, row, panel, out);
    case 2: return multiply_panel<2, kForm>(x, row, panel, out);
    default: return multiply_panel<1, kForm>(x, row, panel, out);
  }
}

void MultiplyGroups(const GroupedRows& x, int64_t row, int64_t rows, GroupedForm form, const char* panel, float* out) {
  switch (form) {
    case GroupedForm::int8: return multiply_rows<GroupedForm::int8>(x, row, rows, panel, out);
    case GroupedForm::int4: return multiply_rows<GroupedForm::int4>(x, row, rows, panel, out);
    case GroupedForm::int4_minimum: return multiply_rows<GroupedForm::int4_minimum>(x, row, rows, panel, out);
  }
}

float QuantizeGroup(const float* x, int64_t count, int8_t* codes, int32_t& sum) {
  constexpr float kMost = 127;
  alignas(64) float values[kGroup] = {};
  std::memcpy(values, x, static_cast<size_t>(count) * sizeof(float));
  const hn::CappedTag<float, 8> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  auto largest = hn::Zero(d);
  for (int64_t i = 0; i < kGroup; i += lanes) largest = hn::Max(largest, hn::Abs(hn::Load(d, values + i)));
  const float top = hn::GetLane(hn::MaxOfLanes(d, largest));
  // NaN does not pass through Max, and infinities have no codes.
  bool finite = true;
  for (const float value : values) finite = finite && std::isfinite(value);
  const float scale = finite ? top / kMost : std::nanf("");
  const float inverse = top > 0 && finite ? kMost / top : 0;
  alignas(64) int32_t rounded[kGroup];
  const hn::RebindToSigned<decltype(d)> integers;
  for (int64_t i = 0; i < kGroup; i += lanes) {
    const auto code = hn::NearestInt(hn::Mul(hn::Load(d, values + i), hn::Set(d, inverse)));
    hn::Store(code, integers, rounded + i);
  }
  sum = 0;
  for (int64_t i = 0; i < kGroup; ++i) {
    const int32_t code = finite ? rounded[i] : 0;
    codes[i] = static_cast<int8_t>(code);
    sum += code;
  }
  return scale;
}

}  // namespace roformer::tile::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "backend/cpu/gemm/grouped_native.h"
#include "backend/cpu/simd.h"

namespace roformer::tile {
HWY_EXPORT(MultiplyGroups);
HWY_EXPORT(QuantizeGroup);

float quantize_group(const float* x, int64_t count, int8_t* codes, int32_t& sum) {
  return HWY_DYNAMIC_DISPATCH(QuantizeGroup)(x, count, codes, sum);
}
void multiply_groups_emulated(const GroupedRows& x, int64_t row, int64_t rows, GroupedForm form, const char* panel,
                              float* out) {
  HWY_DYNAMIC_DISPATCH(MultiplyGroups)(x, row, rows, form, panel, out);
}
void multiply_groups(const GroupedRows& x, int64_t row, int64_t rows, GroupedForm form, const char* panel, float* out) {
  if (simd::has_vnni()) return multiply_groups_native(x, row, rows, form, panel, out);
  multiply_groups_emulated(x, row, rows, form, panel, out);
}
}  // namespace roformer::tile
#endif
