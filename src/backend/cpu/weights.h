// Weights that CpuBackend::prepare packs.
#pragma once

#include <utility>

#include "backend/cpu/gemm/packing.h"

namespace roformer {

class PackedWeight final : public PreparedWeight {
 public:
  PackedWeight(const Shape& shape, PackedMatrix matrix) : PreparedWeight(shape), matrix_(std::move(matrix)) {}
  const PackedMatrix& matrix() const { return matrix_; }  // [in, out]
  int64_t bytes() const override { return matrix_.bytes(); }
  bool finite() const override { return matrix_.finite(); }

 private:
  PackedMatrix matrix_;
};

// Rows [out, in] as the right factor of x · weightᵀ.
inline Matrix second_factor(const Tensor& rows, bool rounded) {
  return {rows.raw(), rows.row_stride(), true, rows.dtype(), rounded};
}

}  // namespace roformer
