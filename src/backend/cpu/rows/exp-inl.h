// Powers of two and of e in a handful of instructions; included once for every instruction set by Highway's
// foreach_target.
#if defined(ROFORMER_EXP_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ROFORMER_EXP_INL_H_
#undef ROFORMER_EXP_INL_H_
#else
#define ROFORMER_EXP_INL_H_
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace roformer::rows::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Adding it leaves x, rounded to an integer, in the lowest bits.
constexpr float kToWhole = 12582912.0f;  // 1.5·2^23

// 2^(n + f) with `shifted` = n + kToWhole and |f| ≤ ½: n goes into the exponent bits; 2^f is a minimax polynomial
// (relative error 9e-8), exact at 0.
template <class D, class V>
HWY_INLINE V exp2_of_parts(D d, V f, V shifted) {
  const hn::RebindToSigned<D> bits;
  V p = hn::Set(d, 0.001326472731307149f);
  for (const float c : {0.009671512991189957f, 0.05550733581185341f, 0.24022242426872253f, 0.6931470036506653f, 1.0f}) {
    p = hn::MulAdd(p, f, hn::Set(d, c));
  }
  return hn::BitCast(d, hn::Add(hn::BitCast(bits, p), hn::ShiftLeft<23>(hn::BitCast(bits, shifted))));
}

// 2^x for x ≤ 1, within 2 units in the last place; 2^−126 below that.
template <class D, class V>
HWY_INLINE V exp2(D d, V x) {
  const V magic = hn::Set(d, kToWhole);
  x = hn::Max(hn::Set(d, -126.0f), x);  // in this order NaN stays NaN
  const V shifted = hn::Add(x, magic);
  return exp2_of_parts(d, hn::Sub(x, hn::Sub(shifted, magic)), shifted);
}

// e^x for x ≤ 87, with a relative error of at most 2e-7 + 2e-8·|x|; e^−87 below that.
template <class D, class V>
HWY_INLINE V exp(D d, V x) {
  const V magic = hn::Set(d, kToWhole), of_two = hn::Set(d, 1.44269504f);  // log2 e
  x = hn::Max(hn::Set(d, -87.0f), x);
  const V shifted = hn::MulAdd(x, of_two, magic);
  return exp2_of_parts(d, hn::MulSub(x, of_two, hn::Sub(shifted, magic)), shifted);
}

}  // namespace roformer::rows::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
