#include "models/finite.h"

#include <cmath>

#include "base/error.h"

namespace roformer {

namespace {

bool is_finite_number(double x) { return std::isfinite(x); }
bool is_finite_number(Float16 x) { return std::isfinite(widened(x)); }
bool is_finite_number(BFloat16 x) { return std::isfinite(widened(x)); }

// The first element that is not finite, as rows · columns + column; −1 if there is none.
template <class Real>
int64_t first_not_finite(const Tensor& x) {
  for (int64_t i = 0; i < x.rows(); ++i) {
    const Real* const row = x.row<Real>(i);
    for (int64_t j = 0; j < x.columns(); ++j) {
      if (!is_finite_number(row[j])) return i * x.columns() + j;
    }
  }
  return -1;
}

int64_t first_not_finite(const Tensor& x) {
  switch (x.dtype()) {
    case DType::float64: return first_not_finite<double>(x);
    case DType::float16: return first_not_finite<Float16>(x);
    case DType::bfloat16: return first_not_finite<BFloat16>(x);
    default: return first_not_finite<float>(x);
  }
}

}  // namespace

bool is_finite(const Tensor& x) { return first_not_finite(x) < 0; }

void check_finite(const Tensor& x, const std::string& name, const std::string& source) {
  const int64_t at = first_not_finite(x);
  if (at < 0) return;
  throw DataError("{}: row {}, column {} of {} {} is not finite", FilePath(source), at / x.columns(), at % x.columns(),
                  TensorName(name), x.shape().to_string());
}

void check_finite_weights(const Model& model, const std::string& source) {
  for (const NamedParameter& named : model.parameters()) {
    const Parameter& parameter = named.parameter;
    if (parameter.value.defined()) {
      check_finite(model.backend().to_host(parameter.value), named.name, source);
    } else if (!parameter.prepared->finite()) {
      throw DataError("{}: {} {} holds a non-finite value", FilePath(source), TensorName(named.name),
                      parameter.prepared->shape().to_string());
    }
  }
}

}  // namespace roformer
