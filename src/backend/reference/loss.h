// Cross-entropy over the vocabulary, and pooling to one vector per sequence.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "backend/reference/reference.h"
#include "backend/reference/view.h"

namespace roformer {

// −Σ_o t_o log p_o = log Σ_o exp(logit_o) − Σ_o t_o logit_o with targets t that sum to 1, so that dlogit_o = p_o − t_o.
template <class Real>
Loss ReferenceBackend<Real>::cross_entropy(const Tensor& hidden, const WeightView& weight, const Tensor& bias,
                                           const LabelSpec& spec, const Tensor& dhidden, const Tensor& dweight,
                                           const Tensor& dbias) {
  const std::span<const int32_t> labels = spec.labels;
  const View<Real> h(hidden), w(weight.rows), b(bias);
  Sum<Real> dh(dhidden, Sum<Real>::Start::zero);
  Sum<Real> dw(dweight, Sum<Real>::Start::content), db(dbias, Sum<Real>::Start::content);
  LossSum loss;
  std::vector<double> logits(w.rows());
  const double share = spec.smoothing / static_cast<double>(w.rows()), cap = spec.logit_cap;
  for (size_t n = 0; n < labels.size(); ++n) {
    for (int64_t o = 0; o < w.rows(); ++o) {
      logits[o] = b.present() ? static_cast<double>(b(o)) : 0;
      for (int64_t i = 0; i < w.columns(); ++i) logits[o] += static_cast<double>(h(n, i)) * w(o, i);
      if (cap != 0) logits[o] = cap * std::tanh(logits[o] / cap);
    }
    const auto largest = std::max_element(logits.begin(), logits.end());
    double total = 0;
    for (const double logit : logits) total += std::exp(logit - *largest);
    const double log_total = *largest + std::log(total);
    loss.sum += log_total - (1 - spec.smoothing) * logits[labels[n]];
    for (const double logit : logits) loss.sum -= share * logit;
    if (largest - logits.begin() == labels[n]) ++loss.correct;

    if (!dh.present()) continue;
    for (int64_t o = 0; o < w.rows(); ++o) {
      const double target = share + (o == labels[n] ? 1 - spec.smoothing : 0);
      const double slope = cap == 0 ? 1 : 1 - logits[o] * logits[o] / (cap * cap);
      const double dlogit = spec.gradient_scale * (std::exp(logits[o] - log_total) - target) * slope;
      for (int64_t i = 0; i < w.columns(); ++i) {
        dh(n, i) += dlogit * w(o, i);
        if (dw.present()) dw(o, i) += dlogit * h(n, i);
      }
      if (db.present()) db(o) += dlogit;
    }
  }
  dh.store();
  dw.store();
  db.store();
  return Loss(*this, loss);
}

// A sequence without tokens gives zeros, and −1 in `argmax`.
template <class Real>
void ReferenceBackend<Real>::pool(Pooling pooling, const Tensor& x, std::span<const int32_t> offsets, const Tensor& out,
                                  const Tensor& argmax) {
  const View<Real> in(x), y(out);
  const View<int32_t> rows(pooling == Pooling::max ? argmax : Tensor());
  for (int64_t s = 0; s < y.rows(); ++s) {
    const int32_t begin = offsets[s], end = offsets[s + 1];
    for (int64_t j = 0; j < y.columns(); ++j) {
      double result = begin < end ? in(begin, j) : 0;
      int32_t best = begin < end ? begin : -1;
      for (int32_t t = begin + 1; t < end; ++t) {
        if (pooling == Pooling::mean) result += in(t, j);
        if (pooling == Pooling::max && in(t, j) > result) {
          result = in(t, j);
          best = t;
        }
      }
      if (pooling == Pooling::mean && begin < end) result /= end - begin;
      if (rows.present()) rows(s, j) = best;
      y(s, j) = static_cast<Real>(result);
    }
  }
}

template <class Real>
void ReferenceBackend<Real>::pool_backward(Pooling pooling, const Tensor& dout, std::span<const int32_t> offsets,
                                           const Tensor& argmax, const Tensor& dx) {
  const View<Real> dy(dout), din(dx);
  const View<int32_t> rows(pooling == Pooling::max ? argmax : Tensor());
  fill(dx, 0);
  for (int64_t s = 0; s < dy.rows(); ++s) {
    const int32_t begin = offsets[s], end = offsets[s + 1];
    if (begin == end) continue;
    for (int64_t j = 0; j < dy.columns(); ++j) {
      switch (pooling) {
        case Pooling::cls: din(begin, j) = dy(s, j); break;
        case Pooling::max: din(rows(s, j), j) = dy(s, j); break;
        case Pooling::mean:
          for (int32_t t = begin; t < end; ++t) din(t, j) = static_cast<Real>(dy(s, j) / double(end - begin));
          break;
      }
    }
  }
}

}  // namespace roformer
