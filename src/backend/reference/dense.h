// Kernels with a weight matrix: embedding (rows of it) and linear (products with it).
#pragma once

#include "backend/reference/elementwise.h"
#include "backend/reference/reference.h"
#include "backend/reference/view.h"

namespace roformer {

template <class Real>
void ReferenceBackend<Real>::embedding(const Tensor& table, std::span<const int32_t> ids, double factor,
                                       const Tensor& out, bool accumulate) {
  const View<Real> rows(table), y(out);
  for (size_t t = 0; t < ids.size(); ++t) {
    for (int64_t j = 0; j < y.columns(); ++j) {
      const double before = accumulate ? static_cast<double>(y(t, j)) : 0;
      y(t, j) = static_cast<Real>(before + factor * rows(ids[t], j));
    }
  }
}

template <class Real>
void ReferenceBackend<Real>::embedding_backward(const Tensor& dout, std::span<const int32_t> ids, double factor,
                                                const Tensor& dtable) {
  const View<Real> dy(dout), drows(dtable);
  for (size_t t = 0; t < ids.size(); ++t) {
    for (int64_t j = 0; j < dy.columns(); ++j) drows(ids[t], j) += static_cast<Real>(factor * dy(t, j));
  }
}

// before[t, o] = Σ_i x[t, i] · weight[o, i] + bias[o]
template <class Real>
void ReferenceBackend<Real>::linear(const Tensor& x, const WeightView& weight, const Tensor& bias,
                                    Activation activation, const Tensor& out, const Tensor& before) {
  const View<Real> in(x), w(weight.rows), b(bias), y(out), z(before);
  for (int64_t t = 0; t < in.rows(); ++t) {
    for (int64_t o = 0; o < w.rows(); ++o) {
      double sum = b.present() ? static_cast<double>(b(o)) : 0;
      for (int64_t i = 0; i < w.columns(); ++i) sum += static_cast<double>(in(t, i)) * w(o, i);
      if (z.present()) z(t, o) = static_cast<Real>(sum);
      y(t, o) = static_cast<Real>(activate(activation, sum));
    }
  }
}

// dx[t, i] = Σ_o dout[t, o] · weight[o, i]
template <class Real>
void ReferenceBackend<Real>::linear_backward_input(const Tensor& dout, const Tensor& weight, const Tensor& dx,
                                                   bool accumulate) {
  const View<Real> dy(dout), w(weight);
  Sum<Real> din(dx, accumulate ? Sum<Real>::Start::content : Sum<Real>::Start::zero);
  for (int64_t t = 0; t < dy.rows(); ++t) {
    for (int64_t o = 0; o < w.rows(); ++o) {
      for (int64_t i = 0; i < w.columns(); ++i) din(t, i) += static_cast<double>(dy(t, o)) * w(o, i);
    }
  }
  din.store();
}

// dweight[o, i] += Σ_t dout[t, o] · x[t, i];  dbias[o] += Σ_t dout[t, o]
template <class Real>
void ReferenceBackend<Real>::linear_backward_weight(const Tensor& dout, const Tensor& x, const Tensor& dweight,
                                                    const Tensor& dbias) {
  const View<Real> dy(dout), in(x);
  Sum<Real> dw(dweight, Sum<Real>::Start::content), db(dbias, Sum<Real>::Start::content);
  for (int64_t t = 0; t < dy.rows(); ++t) {
    for (int64_t o = 0; o < dw.rows(); ++o) {
      for (int64_t i = 0; i < dw.columns(); ++i) dw(o, i) += static_cast<double>(dy(t, o)) * in(t, i);
      if (db.present()) db(o) += dy(t, o);
    }
  }
  dw.store();
  db.store();
}

}  // namespace roformer
