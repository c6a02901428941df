// Shared by the row kernels; included once for every instruction set by Highway's foreach_target.
#if defined(ROFORMER_SIMD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ROFORMER_SIMD_INL_H_
#undef ROFORMER_SIMD_INL_H_
#else
#define ROFORMER_SIMD_INL_H_
#endif

#include <cstdint>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace roformer::rows::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using FullTag = hn::ScalableTag<float>;
using OneTag = hn::CappedTag<float, 1>;

// Calls body(tag, i) for whole vectors, then for single elements.
template <class Body>
HWY_INLINE void for_lanes(int64_t n, Body&& body) {
  const FullTag full;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(full));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) body(full, i);
  for (; i < n; ++i) body(OneTag(), i);
}

// Σ term(tag, i) in four running vectors, then a scalar tail; the order depends on n only.
template <class Term>
HWY_INLINE float sum_lanes(int64_t n, Term&& term) {
  const FullTag d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  auto s0 = hn::Zero(d), s1 = hn::Zero(d), s2 = hn::Zero(d), s3 = hn::Zero(d);
  int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    s0 = hn::Add(s0, term(d, i));
    s1 = hn::Add(s1, term(d, i + lanes));
    s2 = hn::Add(s2, term(d, i + 2 * lanes));
    s3 = hn::Add(s3, term(d, i + 3 * lanes));
  }
  for (; i + lanes <= n; i += lanes) s0 = hn::Add(s0, term(d, i));
  float sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3))));
  for (; i < n; ++i) sum += hn::GetLane(term(OneTag(), i));
  return sum;
}

}  // namespace roformer::rows::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
