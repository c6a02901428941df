// Layer normalization (Ba, Kiros & Hinton 2016) and RMS normalization (Zhang & Sennrich 2019) of residual + dropout(x).
#pragma once

#include <cmath>

#include "backend/reference/reference.h"
#include "backend/reference/view.h"

namespace roformer {

template <class Real>
void ReferenceBackend<Real>::layer_norm(const Tensor& x, const Tensor& residual, const Dropout& dropout,
                                        const Tensor& gain, const Tensor& bias, double epsilon, const Tensor& sum,
                                        const Tensor& statistics, const Tensor& out) {
  const View<Real> in(x), skip(residual), g(gain), b(bias), total(sum), moments(statistics), y(out);
  const int64_t columns = in.columns();
  for (int64_t t = 0; t < in.rows(); ++t) {
    double mean = 0, variance = 0;
    for (int64_t j = 0; j < columns; ++j) {
      const double from_skip = skip.present() ? static_cast<double>(skip(t, j)) : 0;
      total(t, j) = static_cast<Real>(from_skip + in(t, j) * dropout_factor(dropout, t, j));
      mean += static_cast<double>(total(t, j)) / static_cast<double>(columns);
    }
    for (int64_t j = 0; j < columns; ++j) {
      const double centered = total(t, j) - mean;
      variance += centered * centered / static_cast<double>(columns);
    }
    const double inverse = 1 / std::sqrt(variance + epsilon);
    for (int64_t j = 0; j < columns; ++j) {
      y(t, j) = static_cast<Real>((total(t, j) - mean) * inverse * g(j) + (b.present() ? b(j) : 0));
    }
    moments(t, 0) = static_cast<Real>(mean);
    moments(t, 1) = static_cast<Real>(inverse);
  }
}

// With x̂ = (sum − mean) · inverse and dx̂ = dout · gain, and averages taken over the row:
// dsum = inverse · (dx̂ − average(dx̂) − x̂ · average(dx̂ · x̂));  dgain = Σ_t dout · x̂;  dbias = Σ_t dout.
template <class Real>
void ReferenceBackend<Real>::layer_norm_backward(const Tensor& dout, const Tensor& sum, const Tensor& statistics,
                                                 const Tensor& gain, const Dropout& dropout, const Tensor& dsum,
                                                 const Tensor& dx, const Tensor& dgain, const Tensor& dbias) {
  const View<Real> dy(dout), total(sum), moments(statistics), g(gain), dtotal(dsum), din(dx);
  Sum<Real> dg(dgain, Sum<Real>::Start::content), db(dbias, Sum<Real>::Start::content);
  const int64_t columns = dy.columns();
  for (int64_t t = 0; t < dy.rows(); ++t) {
    const double mean = moments(t, 0), inverse = moments(t, 1);
    const auto normalized = [&](int64_t j) { return (total(t, j) - mean) * inverse; };
    const auto dnormalized = [&](int64_t j) { return static_cast<double>(dy(t, j)) * g(j); };
    double average = 0, average_product = 0;
    for (int64_t j = 0; j < columns; ++j) {
      average += dnormalized(j) / static_cast<double>(columns);
      average_product += dnormalized(j) * normalized(j) / static_cast<double>(columns);
      if (dg.present()) dg(j) += dy(t, j) * normalized(j);
      if (db.present()) db(j) += dy(t, j);
    }
    for (int64_t j = 0; j < columns; ++j) {
      const double d = inverse * (dnormalized(j) - average - normalized(j) * average_product);
      dtotal(t, j) = static_cast<Real>(d);
      if (din.present()) din(t, j) = static_cast<Real>(d * dropout_factor(dropout, t, j));
    }
  }
  dg.store();
  db.store();
}

template <class Real>
void ReferenceBackend<Real>::rms_norm(const Tensor& x, const Tensor& residual, const Dropout& dropout,
                                      const Tensor& gain, double epsilon, const Tensor& sum, const Tensor& statistics,
                                      const Tensor& out) {
  const View<Real> in(x), skip(residual), g(gain), total(sum), moments(statistics), y(out);
  const int64_t columns = in.columns();
  for (int64_t t = 0; t < in.rows(); ++t) {
    double mean_square = 0;
    for (int64_t j = 0; j < columns; ++j) {
      const double from_skip = skip.present() ? static_cast<double>(skip(t, j)) : 0;
      const double value = from_skip + in(t, j) * dropout_factor(dropout, t, j);
      total(t, j) = static_cast<Real>(value);
      mean_square += static_cast<double>(total(t, j)) * total(t, j) / static_cast<double>(columns);
    }
    const double inverse = 1 / std::sqrt(mean_square + epsilon);
    for (int64_t j = 0; j < columns; ++j) {
      y(t, j) = static_cast<Real>(total(t, j) * inverse * (g.present() ? static_cast<double>(g(j)) : 1));
    }
    moments(t, 0) = static_cast<Real>(inverse);
  }
}

// With x̂ = sum · inverse and dx̂ = dout · gain: dsum = inverse · (dx̂ − x̂ · average(dx̂ · x̂)).
template <class Real>
void ReferenceBackend<Real>::rms_norm_backward(const Tensor& dout, const Tensor& sum, const Tensor& statistics,
                                               const Tensor& gain, const Dropout& dropout, const Tensor& dsum,
                                               const Tensor& dx, const Tensor& dgain) {
  const View<Real> dy(dout), total(sum), moments(statistics), g(gain), dtotal(dsum), din(dx);
  Sum<Real> dg(dgain, Sum<Real>::Start::content);
  const int64_t columns = dy.columns();
  for (int64_t t = 0; t < dy.rows(); ++t) {
    const double inverse = moments(t, 0);
    const auto dnormalized = [&](int64_t j) { return dy(t, j) * (g.present() ? static_cast<double>(g(j)) : 1); };
    double average_product = 0;
    for (int64_t j = 0; j < columns; ++j) {
      average_product += dnormalized(j) * total(t, j) * inverse / static_cast<double>(columns);
      if (dg.present()) dg(j) += dy(t, j) * total(t, j) * inverse;
    }
    for (int64_t j = 0; j < columns; ++j) {
      const double d = inverse * (dnormalized(j) - total(t, j) * inverse * average_product);
      dtotal(t, j) = static_cast<Real>(d);
      if (din.present()) din(t, j) = static_cast<Real>(d * dropout_factor(dropout, t, j));
    }
  }
  dg.store();
}

}  // namespace roformer
