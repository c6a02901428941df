// Row kernels of layer norm, RMS norm and rotation.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/rows/norm.cc"
#include "hwy/foreach_target.h"
// after foreach_target.h
#include <cmath>

#include "backend/cpu/rows/rows.h"
#include "backend/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace roformer::rows::HWY_NAMESPACE {

void LayerNorm(const float* x, const float* gain, const float* bias, float epsilon, float* statistics, float* out,
               int64_t n) {
  const float count = static_cast<float>(n);
  const float mean = sum_lanes(n, [&](auto d, int64_t i) { return hn::LoadU(d, x + i); }) / count;
  const float variance = sum_lanes(n,
                                   [&](auto d, int64_t i) {
                                     const auto v = hn::Sub(hn::LoadU(d, x + i), hn::Set(d, mean));
                                     return hn::Mul(v, v);
                                   }) /
                         count;
  const float inverse = 1.0f / std::sqrt(variance + epsilon);
  statistics[0] = mean;
  statistics[1] = inverse;
  for_lanes(n, [&](auto d, int64_t i) {
    const auto normal = hn::Mul(hn::Sub(hn::LoadU(d, x + i), hn::Set(d, mean)), hn::Set(d, inverse));
    const auto shift = bias == nullptr ? hn::Zero(d) : hn::LoadU(d, bias + i);
    hn::StoreU(hn::MulAdd(normal, hn::LoadU(d, gain + i), shift), d, out + i);
  });
}

void LayerNormBackward(const float* dout, const float* x, const float* statistics, const float* gain, float* dx,
                       float* dgain, float* dbias, int64_t n) {
  const float mean = statistics[0], inverse = statistics[1], count = static_cast<float>(n);
  const auto normal = [&](auto d, int64_t i) HWY_ATTR {
    return hn::Mul(hn::Sub(hn::LoadU(d, x + i), hn::Set(d, mean)), hn::Set(d, inverse));
  };
  const auto dnormal = [&](auto d, int64_t i)
                           HWY_ATTR { return hn::Mul(hn::LoadU(d, dout + i), hn::LoadU(d, gain + i)); };
  const float mean_d = sum_lanes(n, dnormal) / count;
  const float mean_dn = sum_lanes(n, [&](auto d, int64_t i) { return hn::Mul(dnormal(d, i), normal(d, i)); }) / count;
  for_lanes(n, [&](auto d, int64_t i) {
    const auto g = hn::LoadU(d, dout + i), x_hat = normal(d, i);
    hn::StoreU(hn::MulAdd(g, x_hat, hn::LoadU(d, dgain + i)), d, dgain + i);
    hn::StoreU(hn::Add(g, hn::LoadU(d, dbias + i)), d, dbias + i);
    const auto centered = hn::NegMulAdd(x_hat, hn::Set(d, mean_dn), hn::Sub(dnormal(d, i), hn::Set(d, mean_d)));
    hn::StoreU(hn::Mul(centered, hn::Set(d, inverse)), d, dx + i);
  });
}

template <class D>
HWY_INLINE hn::Vec<D> load_or_one(D d, const float* x, int64_t i) {
  return x == nullptr ? hn::Set(d, 1.0f) : hn::LoadU(d, x + i);
}

float RmsNorm(const float* x, const float* gain, float epsilon, float* out, int64_t n) {
  const float squares = sum_lanes(n, [&](auto d, int64_t i) {
    const auto v = hn::LoadU(d, x + i);
    return hn::Mul(v, v);
  });
  const float inverse = 1.0f / std::sqrt(squares / static_cast<float>(n) + epsilon);
  for_lanes(n, [&](auto d, int64_t i) {
    const auto normal = hn::Mul(hn::LoadU(d, x + i), hn::Set(d, inverse));
    hn::StoreU(hn::Mul(normal, load_or_one(d, gain, i)), d, out + i);
  });
  return inverse;
}

void RmsNormBackward(const float* dout, const float* x, float inverse, const float* gain, float* dx, float* dgain,
                     int64_t n) {
  const auto normal = [&](auto d, int64_t i) HWY_ATTR { return hn::Mul(hn::LoadU(d, x + i), hn::Set(d, inverse)); };
  const auto dnormal = [&](auto d, int64_t i)
                           HWY_ATTR { return hn::Mul(hn::LoadU(d, dout + i), load_or_one(d, gain, i)); };
  const float mean_dn =
      sum_lanes(n, [&](auto d, int64_t i) { return hn::Mul(dnormal(d, i), normal(d, i)); }) / static_cast<float>(n);
  for_lanes(n, [&](auto d, int64_t i) {
    const auto x_hat = normal(d, i);
    if (dgain != nullptr) {
      hn::StoreU(hn::MulAdd(hn::LoadU(d, dout + i), x_hat, hn::LoadU(d, dgain + i)), d, dgain + i);
    }
    const auto centered = hn::NegMulAdd(x_hat, hn::Set(d, mean_dn), dnormal(d, i));
    hn::StoreU(hn::Mul(centered, hn::Set(d, inverse)), d, dx + i);
  });
}

// Rotates queries and keys: (x0, x1) → (x0·cos − x1·sin, x1·cos + x0·sin), Eq. 34.
void RotateAdjacent(float* x, const float* cos, const float* sin, float sign, int64_t pairs) {
  for_lanes(pairs, [&](auto d, int64_t i) {
    hn::Vec<decltype(d)> x0, x1;
    hn::LoadInterleaved2(d, x + 2 * i, x0, x1);
    const auto c = hn::LoadU(d, cos + i), s = hn::Mul(hn::LoadU(d, sin + i), hn::Set(d, sign));
    hn::StoreInterleaved2(hn::NegMulAdd(x1, s, hn::Mul(x0, c)), hn::MulAdd(x0, s, hn::Mul(x1, c)), d, x + 2 * i);
  });
}

void RotateHalf(float* x, const float* cos, const float* sin, float sign, int64_t pairs) {
  for_lanes(pairs, [&](auto d, int64_t i) {
    const auto x0 = hn::LoadU(d, x + i), x1 = hn::LoadU(d, x + pairs + i);
    const auto c = hn::LoadU(d, cos + i), s = hn::Mul(hn::LoadU(d, sin + i), hn::Set(d, sign));
    hn::StoreU(hn::NegMulAdd(x1, s, hn::Mul(x0, c)), d, x + i);
    hn::StoreU(hn::MulAdd(x0, s, hn::Mul(x1, c)), d, x + pairs + i);
  });
}

}  // namespace roformer::rows::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace roformer::rows {
HWY_EXPORT(LayerNorm);
HWY_EXPORT(LayerNormBackward);
HWY_EXPORT(RmsNorm);
HWY_EXPORT(RmsNormBackward);
HWY_EXPORT(RotateAdjacent);
HWY_EXPORT(RotateHalf);

void layer_norm(const float* x, const float* gain, const float* bias, float epsilon, float* statistics, float* out,
                int64_t n) {
  HWY_DYNAMIC_DISPATCH(LayerNorm)(x, gain, bias, epsilon, statistics, out, n);
}
void layer_norm_backward(const float* dout, const float* x, const float* statistics, const float* gain, float* dx,
                         float* dgain, float* dbias, int64_t n) {
  HWY_DYNAMIC_DISPATCH(LayerNormBackward)(dout, x, statistics, gain, dx, dgain, dbias, n);
}
float rms_norm(const float* x, const float* gain, float epsilon, float* out, int64_t n) {
  return HWY_DYNAMIC_DISPATCH(RmsNorm)(x, gain, epsilon, out, n);
}
void rms_norm_backward(const float* dout, const float* x, float inverse, const float* gain, float* dx, float* dgain,
                       int64_t n) {
  HWY_DYNAMIC_DISPATCH(RmsNormBackward)(dout, x, inverse, gain, dx, dgain, n);
}
void rotate_adjacent(float* x, const float* cos, const float* sin, float sign, int64_t pairs) {
  HWY_DYNAMIC_DISPATCH(RotateAdjacent)(x, cos, sin, sign, pairs);
}
void rotate_half(float* x, const float* cos, const float* sin, float sign, int64_t pairs) {
  HWY_DYNAMIC_DISPATCH(RotateHalf)(x, cos, sin, sign, pairs);
}
}  // namespace roformer::rows
#endif
