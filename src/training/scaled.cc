#include "training/scaled.h"

#include <numeric>
#include <vector>

namespace roformer {

namespace {

Tensor as_matrix(const Tensor& x) { return x.shape().rank() == 1 ? x.reshaped({1, x.elements()}) : x; }

void gather_all(Backend& backend, double factor, const Tensor& x, const Tensor& out, bool accumulate) {
  std::vector<int32_t> rows(static_cast<size_t>(x.rows()));
  std::iota(rows.begin(), rows.end(), 0);
  backend.embedding(as_matrix(x), rows, factor, as_matrix(out), accumulate);
}

}  // namespace

void scale(Backend& backend, double factor, const Tensor& x, const Tensor& out) {
  gather_all(backend, factor, x, out, false);
}

void add_scaled(Backend& backend, double factor, const Tensor& x, const Tensor& out) {
  gather_all(backend, factor, x, out, true);
}

Tensor scaled(Backend& backend, double factor, const Tensor& x) {
  Tensor out = backend.empty(x.shape());
  scale(backend, factor, x, out);
  return out;
}

Tensor copy_of(Backend& backend, const Tensor& x) {
  Tensor out = backend.empty(x.shape());
  backend.copy(x, out);
  return out;
}

}  // namespace roformer
