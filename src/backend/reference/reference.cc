#include "backend/reference/reference.h"

#include "backend/reference/attention.h"
#include "backend/reference/dense.h"
#include "backend/reference/elementwise.h"
#include "backend/reference/linear_attention.h"
#include "backend/reference/loss.h"
#include "backend/reference/norm.h"
#include "base/error.h"

namespace roformer {

std::unique_ptr<Backend> make_reference_backend(ThreadPool& pool, DType real) {
  switch (real) {
    case DType::float32: return std::make_unique<ReferenceBackend<float>>(pool);
    case DType::float64: return std::make_unique<ReferenceBackend<double>>(pool);
    default:
      throw UsageError("the reference backend cannot compute in {}; expected float32 or float64", dtype_name(real));
  }
}

}  // namespace roformer
