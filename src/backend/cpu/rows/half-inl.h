// Widens 16-bit floats to float32 vectors; included once for every instruction set by Highway's foreach_target. Same
// bits as widened() of tensor/half.h.
#if defined(ROFORMER_HALF_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ROFORMER_HALF_INL_H_
#undef ROFORMER_HALF_INL_H_
#else
#define ROFORMER_HALF_INL_H_
#endif

#include "backend/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace roformer::rows::HWY_NAMESPACE {

template <class D>
using Words = hn::RebindToUnsigned<D>;

// Widens the lower halves of the lanes; the upper are 0. Highway's conversion lacks infinities without F16C.
template <class D>
HWY_INLINE hn::Vec<D> widen_float16(D d, hn::Vec<Words<D>> halves) {
  const Words<D> words;
  const hn::RebindToSigned<D> integers;
  const auto magnitude = hn::ShiftLeft<13>(hn::And(halves, hn::Set(words, 0x7FFFu)));
  const auto sign = hn::ShiftLeft<16>(hn::And(halves, hn::Set(words, 0x8000u)));
  const auto scaled = hn::BitCast(words, hn::Mul(hn::BitCast(d, magnitude), hn::Set(d, 0x1p112f)));
  const auto beyond = hn::Gt(hn::BitCast(integers, magnitude), hn::Set(integers, (0x7C00 << 13) - 1));
  const auto special = hn::IfThenElseZero(hn::RebindMask(words, beyond), hn::Set(words, 0x7F800000u));
  return hn::BitCast(d, hn::Or(hn::Or(scaled, special), sign));
}

template <class D>
HWY_INLINE hn::Vec<Words<D>> load_halves(D /*d*/, const uint16_t* x) {
  const hn::Rebind<uint16_t, D> halves;
  return hn::PromoteTo(Words<D>(), hn::LoadU(halves, x));
}

template <class D>
HWY_INLINE hn::Vec<D> load_float16(D d, const uint16_t* x) {
  return widen_float16(d, load_halves(d, x));
}

template <class D>
HWY_INLINE hn::Vec<D> load_bfloat16(D d, const uint16_t* x) {
  return hn::BitCast(d, hn::ShiftLeft<16>(load_halves(d, x)));
}

}  // namespace roformer::rows::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
