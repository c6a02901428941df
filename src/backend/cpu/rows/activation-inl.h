// Activations of a vector; included once for every instruction set by Highway's foreach_target.
#if defined(ROFORMER_ACTIVATION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ROFORMER_ACTIVATION_INL_H_
#undef ROFORMER_ACTIVATION_INL_H_
#else
#define ROFORMER_ACTIVATION_INL_H_
#endif

#include "backend/backend.h"
#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace roformer::rows::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// erf by a rational function of x on [-4, 4], beyond which float erf is ±1; the coefficients are those of Eigen's and
// XLA's float erf. Largest error against std::erf: 3e-7 (tests/backend).
template <class D, class V>
HWY_INLINE V erf(D d, V x) {
  x = hn::Min(hn::Max(x, hn::Set(d, -4.0f)), hn::Set(d, 4.0f));
  const V x2 = hn::Mul(x, x);
  V p = hn::Set(d, -2.72614225801306e-10f);
  for (float c : {2.77068142495902e-08f, -2.10102402082508e-06f, -5.69250639462346e-05f, -7.34990630326855e-04f,
                  -2.95459980854025e-03f, -1.60960333262415e-02f}) {
    p = hn::MulAdd(p, x2, hn::Set(d, c));
  }
  V q = hn::Set(d, -1.45660718464996e-05f);
  for (float c : {-2.13374055278905e-04f, -1.68282697438203e-03f, -7.37332916720468e-03f, -1.42647390514189e-02f}) {
    q = hn::MulAdd(q, x2, hn::Set(d, c));
  }
  return hn::Div(hn::Mul(x, p), q);
}

// Φ(x), the normal distribution function.
template <class D, class V>
HWY_INLINE V normal_cdf(D d, V x) {
  const V half = hn::Set(d, 0.5f);
  return hn::MulAdd(half, erf(d, hn::Mul(x, hn::Set(d, 0.70710678f))), half);
}

// σ(x), the logistic function. Beyond ±87 it is 0 or 1 in float, and exp would overflow.
template <class D, class V>
HWY_INLINE V logistic(D d, V x) {
  const V one = hn::Set(d, 1.0f);
  x = hn::Min(hn::Max(x, hn::Set(d, -87.0f)), hn::Set(d, 87.0f));
  return hn::Div(one, hn::Add(one, hn::Exp(d, hn::Neg(x))));
}

// gelu_tanh(x) = x · σ(2·√(2/π)·(x + 0.044715·x³)), because (1 + tanh u) / 2 = σ(2u). `inner` is the argument of σ,
// `rise` its derivative. x is clamped to ±10, where σ is 0 or 1, so that no power overflows.
template <class V>
struct GeluTanh {
  V inner, rise;

  template <class D>
  HWY_INLINE GeluTanh(D d, V x) {
    constexpr float kTwoRoot = 1.5957691f, kCubic = 0.044715f;
    x = hn::Min(hn::Max(x, hn::Set(d, -10.0f)), hn::Set(d, 10.0f));
    const V square = hn::Mul(x, x), linear = hn::Set(d, kTwoRoot);
    inner = hn::Mul(x, hn::MulAdd(square, hn::Set(d, kTwoRoot * kCubic), linear));
    rise = hn::MulAdd(square, hn::Set(d, 3 * kTwoRoot * kCubic), linear);
  }
};

template <class D, class V>
HWY_INLINE V activate(D d, Activation activation, V x) {
  switch (activation) {
    case Activation::gelu: return hn::Mul(x, normal_cdf(d, x));
    case Activation::gelu_tanh: return hn::Mul(x, logistic(d, GeluTanh<V>(d, x).inner));
    case Activation::relu: return hn::Max(x, hn::Zero(d));
    case Activation::silu: return hn::Mul(x, logistic(d, x));
    case Activation::tanh: return hn::Tanh(d, x);
    case Activation::none: break;
  }
  return x;
}

}  // namespace roformer::rows::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
