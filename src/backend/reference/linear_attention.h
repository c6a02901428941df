// Linear attention (Eq. 19), weight by weight: the quadratic form.
#pragma once

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "backend/linear_attention.h"
#include "backend/reference/reference.h"
#include "backend/reference/view.h"

namespace roformer {

// The features of one token and head, of q or k, and their backward. Vectors are [features] except x.
template <class Real>
class LinearFeatures {
 public:
  LinearFeatures(const LinearAttentionSpec& spec, bool query, int64_t head_dim)
      : spec_(spec),
        query_(query),
        angles_(query ? spec.query_angles : spec.key_angles),
        projection_(spec.projection),
        dim_(head_dim),
        scale_(spec.map == FeatureMap::favor ? std::pow(static_cast<double>(head_dim), -0.25) : 1) {}

  // φ and R φ of row `token` of q or k; elements first … of that row.
  void map(const View<Real>& from, int64_t token, int64_t first) {
    x_.assign(static_cast<size_t>(dim_), 0);
    for (int64_t c = 0; c < dim_; ++c) x_[static_cast<size_t>(c)] = from(token, first + c);
    if (spec_.rotation == FeatureRotation::before) rotate(x_, token, false);
    for (double& x : x_) x *= scale_;
    features = spec_.map == FeatureMap::favor ? random_features() : pointwise();
    rotated = features;
    if (spec_.rotation == FeatureRotation::after) rotate(rotated, token, false);
  }

  // The gradient of x, of row `token`, which map() was called with.
  std::vector<double> gradient(std::vector<double> drotated, const std::vector<double>& dfeatures, int64_t token) {
    if (spec_.rotation == FeatureRotation::after) rotate(drotated, token, true);
    std::vector<double> dx(x_.size(), 0);
    for (size_t i = 0; i < features.size(); ++i) {
      const double d = drotated[i] + dfeatures[i];
      if (spec_.map == FeatureMap::favor) {
        if (cut_[i]) continue;
        for (size_t c = 0; c < dx.size(); ++c) {
          dx[c] += d * features[i] * (projection_(static_cast<int64_t>(i), static_cast<int64_t>(c)) - subtracted(c));
        }
      } else {
        dx[i] = d * slope(x_[i]);
      }
    }
    for (size_t c = 0; c < dx.size(); ++c) {
      if (spec_.map == FeatureMap::favor && std::abs(x_[c]) >= kLargestInput) dx[c] = 0;
      dx[c] *= scale_;
    }
    if (spec_.rotation == FeatureRotation::before) rotate(dx, token, true);
    return dx;
  }

  std::vector<double> features, rotated;

 private:
  void rotate(std::vector<double>& x, int64_t token, bool back) const {
    if (angles_ == nullptr) return;
    const View<Real> cosines(angles_->cos), sines(angles_->sin);
    const Rotary rotary{.dim = angles_->dim, .layout = angles_->layout};
    const int32_t row = angles_->row[static_cast<size_t>(token)];
    for (int64_t i = 0; i < angles_->dim / 2; ++i) {
      const RotaryPair pair = rotary_pair(rotary, i);
      const double cos = cosines(row, i), sin = sines(row, i);
      rotate_pair(x[static_cast<size_t>(pair.first)], x[static_cast<size_t>(pair.second)], cos, back ? -sin : sin);
    }
  }

  std::vector<double> pointwise() const {
    std::vector<double> result;
    for (const double x : x_) {
      const double cut = x > kLargestInput ? kLargestInput : x;
      const double elu = cut > 0 ? cut + 1 : std::exp(cut), relu = (cut > 0 ? cut : 0) + kReluFloor;
      result.push_back(spec_.map == FeatureMap::elu ? elu : relu);
    }
    return result;
  }

  double slope(double x) const {
    if (x >= kLargestInput) return 0;
    return x > 0 ? 1 : spec_.map == FeatureMap::elu ? std::exp(x) : 0;
  }

  std::vector<double> random_features() {
    double squares = 0, largest = -HUGE_VAL;
    for (double& x : x_) {
      x = std::clamp(x, -kLargestInput, kLargestInput);
      squares += x * x;
    }
    std::vector<double> exponents;
    for (int64_t i = 0; i < projection_.rows(); ++i) {
      double sum = 0;
      for (int64_t c = 0; c < dim_; ++c) sum += projection_(i, c) * x_[static_cast<size_t>(c)];
      exponents.push_back(sum);
      largest = std::max(largest, sum);
    }
    const double root = std::sqrt(static_cast<double>(exponents.size()));
    cut_.clear();
    for (double& e : exponents) {
      e -= query_ ? largest : squares / 2;
      cut_.push_back(e < kLowestExponent || e > kHighestExponent);
      e = std::exp(std::clamp(e, kLowestExponent, kHighestExponent)) / root;
    }
    return exponents;
  }

  // The derivative of |k|²/2 by element c; 0 for queries.
  double subtracted(size_t c) const { return query_ ? 0 : x_[c]; }

  const LinearAttentionSpec& spec_;
  bool query_;
  const RotaryAngles* angles_;
  View<Real> projection_;
  int64_t dim_;
  double scale_;
  std::vector<double> x_;
  std::vector<bool> cut_;
};

template <class Real>
struct LinearAttentionEquation {
  const LinearAttentionSpec& spec;
  View<Real> q, k, v;
  int64_t dim, value_dim, features;

  LinearAttentionEquation(const LinearAttentionSpec& attention, const AttentionTensors& in)
      : spec(attention),
        q(in.q),
        k(in.k),
        v(in.v),
        dim(q.columns() / attention.heads),
        value_dim(v.columns() / attention.heads),
        features(attention.features(dim)) {}

  // Features of a whole sequence of one head.
  std::vector<LinearFeatures<Real>> map(const View<Real>& x, bool query, size_t sequence, int64_t head) const {
    std::vector<LinearFeatures<Real>> result;
    for (int64_t t = spec.offsets[sequence]; t < spec.offsets[sequence + 1]; ++t) {
      result.emplace_back(spec, query, dim);
      result.back().map(x, t, head * dim);
    }
    return result;
  }

  static double dot(const std::vector<double>& x, const std::vector<double>& y) {
    double sum = 0;
    for (size_t i = 0; i < x.size(); ++i) sum += x[i] * y[i];
    return sum;
  }
};

template <class Real>
void ReferenceBackend<Real>::linear_attention(const LinearAttentionSpec& spec, const AttentionTensors& in,
                                              const Tensor& out, const Tensor& denominators,
                                              const LinearAttentionState& state) {
  const LinearAttentionEquation<Real> equation(spec, in);
  const View<Real> y(out), divisors(denominators), sums(state.sums), totals(state.totals);
  const int64_t dv = equation.value_dim, m = equation.features;
  for (size_t s = 0; s + 1 < spec.offsets.size(); ++s) {
    for (int64_t head = 0; head < spec.heads; ++head) {
      const auto queries = equation.map(equation.q, true, s, head), keys = equation.map(equation.k, false, s, head);
      const int64_t begin = spec.offsets[s], row = static_cast<int64_t>(s), first = head * m;
      for (size_t i = 0; i < queries.size(); ++i) {
        std::vector<double> numerator(static_cast<size_t>(dv), 0);
        double denominator = 0;
        for (int64_t f = 0; state.defined() && f < m; ++f) {
          denominator += queries[i].features[static_cast<size_t>(f)] * totals(row, first + f);
          for (int64_t c = 0; c < dv; ++c) {
            numerator[static_cast<size_t>(c)] +=
                queries[i].rotated[static_cast<size_t>(f)] * sums(row, (first + f) * dv + c);
          }
        }
        for (size_t j = 0; j < (spec.causal ? i + 1 : keys.size()); ++j) {
          denominator += equation.dot(queries[i].features, keys[j].features);
          const double weight = equation.dot(queries[i].rotated, keys[j].rotated);
          for (int64_t c = 0; c < dv; ++c) {
            numerator[static_cast<size_t>(c)] += weight * equation.v(begin + static_cast<int64_t>(j), head * dv + c);
          }
        }
        const int64_t token = begin + static_cast<int64_t>(i);
        divisors(head, token) = static_cast<Real>(denominator);
        for (int64_t c = 0; c < dv; ++c) {
          y(token, head * dv + c) =
              static_cast<Real>(numerator[static_cast<size_t>(c)] / std::max(denominator, kLeastDenominator));
        }
      }
      for (size_t j = 0; state.defined() && j < keys.size(); ++j) {
        for (int64_t f = 0; f < m; ++f) {
          totals(row, first + f) += static_cast<Real>(keys[j].features[static_cast<size_t>(f)]);
          for (int64_t c = 0; c < dv; ++c) {
            sums(row, (first + f) * dv + c) += static_cast<Real>(
                keys[j].rotated[static_cast<size_t>(f)] * equation.v(begin + static_cast<int64_t>(j), head * dv + c));
          }
        }
      }
    }
  }
}

// With out_m = numerator_m / D_m and g_m = dout_m / D_m: a weight's gradient is g_m·v_n, the denominator's −g_m·out_m,
// or 0 where it is clamped to kLeastDenominator.
template <class Real>
void ReferenceBackend<Real>::linear_attention_backward(const LinearAttentionSpec& spec, const AttentionTensors& in,
                                                       const Tensor& out, const Tensor& denominators,
                                                       const LinearAttentionState& /*state*/, const Tensor& dout,
                                                       const AttentionTensors& gradients) {
  const LinearAttentionEquation<Real> equation(spec, in);
  const View<Real> y(out), divisors(denominators), dy(dout), dq(gradients.q), dk(gradients.k);
  Sum<Real> dv(gradients.v, Sum<Real>::Start::zero);
  const auto m = static_cast<size_t>(equation.features);
  const int64_t value_dim = equation.value_dim;
  using Rows = std::vector<std::vector<double>>;
  const auto store = [&](std::vector<LinearFeatures<Real>>& side, const Rows& drotated, const Rows& dfeatures,
                         int64_t begin, int64_t head, const View<Real>& to) {
    for (size_t i = 0; i < side.size(); ++i) {
      const int64_t token = begin + static_cast<int64_t>(i);
      const std::vector<double> dx = side[i].gradient(drotated[i], dfeatures[i], token);
      for (int64_t c = 0; c < equation.dim; ++c) {
        to(token, head * equation.dim + c) = static_cast<Real>(dx[static_cast<size_t>(c)]);
      }
    }
  };
  for (size_t s = 0; s + 1 < spec.offsets.size(); ++s) {
    for (int64_t head = 0; head < spec.heads; ++head) {
      auto queries = equation.map(equation.q, true, s, head), keys = equation.map(equation.k, false, s, head);
      const int64_t begin = spec.offsets[s];
      Rows dq_rotated(queries.size(), std::vector<double>(m, 0)), dq_features = dq_rotated, dk_rotated = dq_rotated,
                                                                  dk_features = dq_rotated;
      for (size_t i = 0; i < queries.size(); ++i) {
        const int64_t token = begin + static_cast<int64_t>(i);
        const double divisor = divisors(head, token), inverse = 1 / std::max(divisor, kLeastDenominator);
        double ddenominator = 0;
        for (int64_t c = head * value_dim; c < (head + 1) * value_dim; ++c) {
          ddenominator -= static_cast<double>(dy(token, c)) * y(token, c) * inverse;
        }
        if (divisor < kLeastDenominator) ddenominator = 0;
        for (size_t j = 0; j < (spec.causal ? i + 1 : keys.size()); ++j) {
          const double weight = equation.dot(queries[i].rotated, keys[j].rotated);
          double dweight = 0;
          for (int64_t c = head * value_dim; c < (head + 1) * value_dim; ++c) {
            dweight += dy(token, c) * inverse * equation.v(begin + static_cast<int64_t>(j), c);
            dv(begin + static_cast<int64_t>(j), c) += weight * inverse * dy(token, c);
          }
          for (size_t f = 0; f < m; ++f) {
            dq_rotated[i][f] += dweight * keys[j].rotated[f];
            dk_rotated[j][f] += dweight * queries[i].rotated[f];
            dq_features[i][f] += ddenominator * keys[j].features[f];
            dk_features[j][f] += ddenominator * queries[i].features[f];
          }
        }
      }
      store(queries, dq_rotated, dq_features, begin, head, dq);
      store(keys, dk_rotated, dk_features, begin, head, dk);
    }
  }
  dv.store();
}

}  // namespace roformer
