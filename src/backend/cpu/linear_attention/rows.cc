// Row kernels of linear attention.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backend/cpu/linear_attention/rows.cc"
#include "hwy/foreach_target.h"
// after foreach_target.h
#include "backend/cpu/linear_attention/rows.h"
#include "backend/cpu/rows/exp-inl.h"
#include "backend/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace roformer::rows::HWY_NAMESPACE {

constexpr float kLargest = static_cast<float>(kLargestInput), kFloor = static_cast<float>(kReluFloor);
constexpr float kLow = static_cast<float>(kLowestExponent), kHigh = static_cast<float>(kHighestExponent);

// Comparisons, not Min and Max, so that NaN stays NaN.
template <class D, class V>
HWY_INLINE V at_most(D d, V x, float limit) {
  return hn::IfThenElse(hn::Gt(x, hn::Set(d, limit)), hn::Set(d, limit), x);
}
template <class D, class V>
HWY_INLINE V at_least(D d, V x, float limit) {
  return hn::IfThenElse(hn::Lt(x, hn::Set(d, limit)), hn::Set(d, limit), x);
}

void PointwiseFeatures(FeatureMap map, float* x, int64_t n) {
  if (map == FeatureMap::elu) {
    for_lanes(n, [&](auto d, int64_t i) {
      const auto v = at_most(d, hn::LoadU(d, x + i), kLargest);
      const auto below = exp(d, at_most(d, v, 0.0f)), above = hn::Add(v, hn::Set(d, 1.0f));
      hn::StoreU(hn::IfThenElse(hn::Gt(v, hn::Zero(d)), above, below), d, x + i);
    });
  } else {
    for_lanes(n, [&](auto d, int64_t i) {
      const auto v = at_least(d, at_most(d, hn::LoadU(d, x + i), kLargest), 0.0f);
      hn::StoreU(hn::Add(v, hn::Set(d, kFloor)), d, x + i);
    });
  }
}

float CutRow(float* x, int64_t n) {
  return 0.5f * sum_lanes(n, [&](auto d, int64_t i) {
           const auto v = at_least(d, at_most(d, hn::LoadU(d, x + i), kLargest), -kLargest);
           hn::StoreU(v, d, x + i);
           return hn::Mul(v, v);
         });
}

void RandomFeatures(float* x, float shift, float root, int64_t n) {
  for_lanes(n, [&](auto d, int64_t i) {
    const auto e = at_least(d, at_most(d, hn::Sub(hn::LoadU(d, x + i), hn::Set(d, shift)), kHigh), kLow);
    hn::StoreU(hn::Mul(exp(d, e), hn::Set(d, 1 / root)), d, x + i);
  });
}

// φ is greater than 1 exactly where x is positive (elu), greater than its floor (relu).
void PointwiseFeaturesBackward(FeatureMap map, const float* features, float* dfeatures, int64_t n) {
  if (map == FeatureMap::elu) {
    for_lanes(n, [&](auto d, int64_t i) {
      const auto phi = hn::LoadU(d, features + i), dphi = hn::LoadU(d, dfeatures + i);
      const auto inside = hn::Mul(dphi, at_most(d, phi, 1.0f));
      const auto cut = hn::Ge(phi, hn::Set(d, kLargest + 1));
      hn::StoreU(hn::IfThenElse(cut, hn::Zero(d), inside), d, dfeatures + i);
    });
  } else {
    for_lanes(n, [&](auto d, int64_t i) {
      const auto phi = hn::LoadU(d, features + i);
      const auto cut = hn::Or(hn::Le(phi, hn::Set(d, kFloor)), hn::Ge(phi, hn::Set(d, kLargest)));
      hn::StoreU(hn::IfThenElse(cut, hn::Zero(d), hn::LoadU(d, dfeatures + i)), d, dfeatures + i);
    });
  }
}

float RandomFeaturesBackward(const float* features, float lowest, float highest, float* dfeatures, int64_t n) {
  return sum_lanes(n, [&](auto d, int64_t i) {
    const auto phi = hn::LoadU(d, features + i);
    const auto cut = hn::Or(hn::Le(phi, hn::Set(d, lowest)), hn::Ge(phi, hn::Set(d, highest)));
    const auto de = hn::IfThenElse(cut, hn::Zero(d), hn::Mul(hn::LoadU(d, dfeatures + i), phi));
    hn::StoreU(de, d, dfeatures + i);
    return de;
  });
}

void FinishGradient(const float* x, float sum, float factor, float* dx, int64_t n) {
  for_lanes(n, [&](auto d, int64_t i) {
    const auto v = hn::LoadU(d, x + i);
    const auto inside = hn::Mul(hn::NegMulAdd(v, hn::Set(d, sum), hn::LoadU(d, dx + i)), hn::Set(d, factor));
    const auto cut = hn::Ge(hn::Abs(v), hn::Set(d, kLargest));
    hn::StoreU(hn::IfThenElse(cut, hn::Zero(d), inside), d, dx + i);
  });
}

void RunningDots(const float* x, const float* y, int64_t stride, int64_t rows, int64_t n, float* total, float* dots) {
  for (int64_t r = 0; r < rows; ++r, x += stride, y += stride) {
    dots[r] = sum_lanes(n, [&](auto d, int64_t i) {
      const auto sum = hn::Add(hn::LoadU(d, total + i), hn::LoadU(d, x + i));
      hn::StoreU(sum, d, total + i);
      return hn::Mul(sum, hn::LoadU(d, y + i));
    });
  }
}

void RunningSums(const float* x, int64_t stride, const float* factors, int64_t rows, int64_t n, float* total,
                 float* out) {
  for (int64_t r = 0; r < rows; ++r) {
    for_lanes(n, [&](auto d, int64_t i) {
      const auto sum = hn::Add(hn::LoadU(d, total + i), hn::LoadU(d, x + r * stride + i));
      hn::StoreU(sum, d, total + i);
      hn::StoreU(hn::Mul(sum, hn::Set(d, factors[r])), d, out + r * stride + i);
    });
  }
}

void RunningSumsReversed(const float* x, int64_t stride, const float* factors, int64_t rows, int64_t n, float* total,
                         float* out) {
  for (int64_t r = rows - 1; r >= 0; --r) {
    for_lanes(n, [&](auto d, int64_t i) {
      const auto sum = hn::MulAdd(hn::Set(d, factors[r]), hn::LoadU(d, x + r * stride + i), hn::LoadU(d, total + i));
      hn::StoreU(sum, d, total + i);
      hn::StoreU(sum, d, out + r * stride + i);
    });
  }
}

void AddWeighted(const float* x, int64_t stride, const float* factors, int64_t rows, int64_t n, float* total) {
  for_lanes(n, [&](auto d, int64_t i) {
    auto sum = hn::Zero(d);
    for (int64_t r = 0; r < rows; ++r) {
      const auto v = hn::LoadU(d, x + r * stride + i);
      sum = factors == nullptr ? hn::Add(sum, v) : hn::MulAdd(hn::Set(d, factors[r]), v, sum);
    }
    hn::StoreU(hn::Add(hn::LoadU(d, total + i), sum), d, total + i);
  });
}

void Spread(const float* x, const float* factors, int64_t rows, int64_t n, float* out, int64_t out_stride) {
  for (int64_t r = 0; r < rows; ++r) {
    const float factor = factors == nullptr ? 1.0f : factors[r];
    for_lanes(n, [&](auto d, int64_t i) {
      hn::StoreU(hn::Mul(hn::LoadU(d, x + i), hn::Set(d, factor)), d, out + r * out_stride + i);
    });
  }
}

}  // namespace roformer::rows::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace roformer::rows {
HWY_EXPORT(PointwiseFeatures);
HWY_EXPORT(CutRow);
HWY_EXPORT(RandomFeatures);
HWY_EXPORT(PointwiseFeaturesBackward);
HWY_EXPORT(RandomFeaturesBackward);
HWY_EXPORT(FinishGradient);
HWY_EXPORT(RunningDots);
HWY_EXPORT(RunningSums);
HWY_EXPORT(RunningSumsReversed);
HWY_EXPORT(AddWeighted);
HWY_EXPORT(Spread);

void pointwise_features(FeatureMap map, float* x, int64_t n) { HWY_DYNAMIC_DISPATCH(PointwiseFeatures)(map, x, n); }
float cut_row(float* x, int64_t n) { return HWY_DYNAMIC_DISPATCH(CutRow)(x, n); }
void random_features(float* x, float shift, float root, int64_t n) {
  HWY_DYNAMIC_DISPATCH(RandomFeatures)(x, shift, root, n);
}
void pointwise_features_backward(FeatureMap map, const float* features, float* dfeatures, int64_t n) {
  HWY_DYNAMIC_DISPATCH(PointwiseFeaturesBackward)(map, features, dfeatures, n);
}
float random_features_backward(const float* features, float lowest, float highest, float* dfeatures, int64_t n) {
  return HWY_DYNAMIC_DISPATCH(RandomFeaturesBackward)(features, lowest, highest, dfeatures, n);
}
void finish_gradient(const float* x, float sum, float factor, float* dx, int64_t n) {
  HWY_DYNAMIC_DISPATCH(FinishGradient)(x, sum, factor, dx, n);
}
void running_dots(const float* x, const float* y, int64_t stride, int64_t rows, int64_t n, float* total, float* dots) {
  HWY_DYNAMIC_DISPATCH(RunningDots)(x, y, stride, rows, n, total, dots);
}
void running_sums(const float* x, int64_t stride, const float* factors, int64_t rows, int64_t n, float* total,
                  float* out) {
  HWY_DYNAMIC_DISPATCH(RunningSums)(x, stride, factors, rows, n, total, out);
}
void running_sums_reversed(const float* x, int64_t stride, const float* factors, int64_t rows, int64_t n, float* total,
                           float* out) {
  HWY_DYNAMIC_DISPATCH(RunningSumsReversed)(x, stride, factors, rows, n, total, out);
}
void add_weighted(const float* x, int64_t stride, const float* factors, int64_t rows, int64_t n, float* total) {
  HWY_DYNAMIC_DISPATCH(AddWeighted)(x, stride, factors, rows, n, total);
}
void spread(const float* x, const float* factors, int64_t rows, int64_t n, float* out, int64_t out_stride) {
  HWY_DYNAMIC_DISPATCH(Spread)(x, factors, rows, n, out, out_stride);
}
}  // namespace roformer::rows
#endif
