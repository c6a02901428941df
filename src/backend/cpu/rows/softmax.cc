// Row kernels of the loss's softmax.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/rows/softmax.cc"
#include "hwy/foreach_target.h"
// after foreach_target.h
#include <limits>

#include "backend/cpu/rows/rows.h"
#include "backend/cpu/simd-inl.h"
#include "hwy/contrib/math/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace roformer::rows::HWY_NAMESPACE {

float Maximum(const float* x, int64_t n) {
  const FullTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  auto best = hn::Set(d, -std::numeric_limits<float>::infinity());
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) best = hn::Max(best, hn::LoadU(d, x + i));
  float result = hn::GetLane(hn::MaxOfLanes(d, best));
  for (; i < n; ++i) result = x[i] > result ? x[i] : result;
  return result;
}

float ExpSum(float* x, float shift, int64_t n) {
  return sum_lanes(n, [&](auto d, int64_t i) {
    const auto e = hn::Exp(d, hn::Sub(hn::LoadU(d, x + i), hn::Set(d, shift)));
    hn::StoreU(e, d, x + i);
    return e;
  });
}

int64_t Argmax(const float* x, int64_t n, float maximum) {
  const FullTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    if (!hn::AllFalse(d, hn::Eq(hn::LoadU(d, x + i), hn::Set(d, maximum)))) break;
  }
  while (i < n - 1 && x[i] != maximum) ++i;
  return i;
}

}  // namespace roformer::rows::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace roformer::rows {
HWY_EXPORT(Maximum);
HWY_EXPORT(ExpSum);
HWY_EXPORT(Argmax);

float maximum(const float* x, int64_t n) { return HWY_DYNAMIC_DISPATCH(Maximum)(x, n); }
float exp_sum(float* x, float shift, int64_t n) { return HWY_DYNAMIC_DISPATCH(ExpSum)(x, shift, n); }
int64_t argmax(const float* x, int64_t n, float maximum) { return HWY_DYNAMIC_DISPATCH(Argmax)(x, n, maximum); }
}  // namespace roformer::rows
#endif
