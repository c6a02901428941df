// Tensor access of reference kernels: elements by row and column, sums in double.
#pragma once

#include <cstdint>
#include <vector>

#include "base/random.h"
#include "tensor/tensor.h"

namespace roformer {

// The elements of a tensor as rows × columns. A rank-1 tensor is one row, read with one index; an undefined tensor
// gives an absent view, which has no elements.
template <class Real>
class View {
 public:
  explicit View(const Tensor& tensor) {
    if (!tensor.defined()) return;
    data_ = tensor.data<Real>();
    rows_ = tensor.rows();
    columns_ = tensor.columns();
    stride_ = tensor.row_stride();
  }
  bool present() const { return data_ != nullptr; }
  int64_t rows() const { return rows_; }
  int64_t columns() const { return columns_; }
  Real& operator()(int64_t row, int64_t column) const { return data_[row * stride_ + column]; }
  Real& operator()(int64_t column) const { return data_[column]; }

 private:
  Real* data_ = nullptr;
  int64_t rows_ = 0, columns_ = 0, stride_ = 0;
};

// An output summed in double and rounded once, by store(). Starts at zero ("writes") or at the tensor's values
// ("adds").
template <class Real>
class Sum {
 public:
  enum class Start { zero, content };
  Sum(const Tensor& tensor, Start start) : target_(tensor), sums_(target_.rows() * target_.columns()) {
    if (start == Start::zero) return;
    for (int64_t i = 0; i < target_.rows(); ++i) {
      for (int64_t j = 0; j < target_.columns(); ++j) (*this)(i, j) = target_(i, j);
    }
  }
  bool present() const { return target_.present(); }
  int64_t rows() const { return target_.rows(); }
  int64_t columns() const { return target_.columns(); }
  double& operator()(int64_t row, int64_t column) { return sums_[row * target_.columns() + column]; }
  double& operator()(int64_t column) { return sums_[column]; }
  void store() {
    for (int64_t i = 0; i < target_.rows(); ++i) {
      for (int64_t j = 0; j < target_.columns(); ++j) target_(i, j) = static_cast<Real>((*this)(i, j));
    }
  }

 private:
  View<Real> target_;
  std::vector<double> sums_;
};

// The dropout factor of an element: 0, or 1 / (1 − probability).
inline double dropout_factor(const Dropout& dropout, int64_t row, int64_t column) {
  if (!dropout.active()) return 1;
  return dropout.keeps(static_cast<uint32_t>(row), static_cast<uint32_t>(column)) ? dropout.scale() : 0;
}

}  // namespace roformer
