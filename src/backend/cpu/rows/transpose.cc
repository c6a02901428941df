// Transposition.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/rows/transpose.cc"
#include "hwy/foreach_target.h"
// after foreach_target.h
#include <algorithm>

#include "backend/cpu/rows/rows.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace roformer::rows::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

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

// In strips of 16 rows, so that whole cache lines of the result are written.
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

}  // namespace roformer::rows::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace roformer::rows {
HWY_EXPORT(Transpose);

void transpose(const float* x, int64_t stride, int64_t rows, int64_t columns, float* out, int64_t out_stride) {
  HWY_DYNAMIC_DISPATCH(Transpose)(x, stride, rows, columns, out, out_stride);
}
}  // namespace roformer::rows
#endif
