// Row kernels of softmax, in attention and in the loss.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/rows_softmax.cc"
#include "hwy/foreach_target.h"
// after foreach_target.h
#include <limits>

#include "backend/cpu/rows.h"
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

float Dot(const float* x, const float* y, int64_t n) {
  return sum_lanes(n, [&](auto d, int64_t i) { return hn::Mul(hn::LoadU(d, x + i), hn::LoadU(d, y + i)); });
}

void SoftmaxBackward(const float* weights, float* dweights, float delta, float scale, int64_t n) {
  for_lanes(n, [&](auto d, int64_t i) {
    const auto centred = hn::Sub(hn::LoadU(d, dweights + i), hn::Set(d, delta));
    hn::StoreU(hn::Mul(hn::Mul(hn::LoadU(d, weights + i), hn::Set(d, scale)), centred), d, dweights + i);
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
HWY_EXPORT(Dot);
HWY_EXPORT(SoftmaxBackward);
HWY_EXPORT(Argmax);

float maximum(const float* x, int64_t n) { return HWY_DYNAMIC_DISPATCH(Maximum)(x, n); }
float exp_sum(float* x, float shift, int64_t n) { return HWY_DYNAMIC_DISPATCH(ExpSum)(x, shift, n); }
float dot(const float* x, const float* y, int64_t n) { return HWY_DYNAMIC_DISPATCH(Dot)(x, y, n); }
void softmax_backward(const float* weights, float* dweights, float delta, float scale, int64_t n) {
  HWY_DYNAMIC_DISPATCH(SoftmaxBackward)(weights, dweights, delta, scale, n);
}
int64_t argmax(const float* x, int64_t n, float maximum) { return HWY_DYNAMIC_DISPATCH(Argmax)(x, n, maximum); }
}  // namespace roformer::rows
#endif
