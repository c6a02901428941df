// Vectors of texts on the host, in double, and the products of their rows.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace roformer {

struct VectorMatrix {
  int64_t rows = 0, width = 0;
  std::vector<double> values;  // [rows, width]

  VectorMatrix() = default;
  VectorMatrix(int64_t row_count, int64_t row_width)
      : rows(row_count), width(row_width), values(static_cast<size_t>(row_count * row_width)) {}

  double* row(int64_t i) { return values.data() + i * width; }
  const double* row(int64_t i) const { return values.data() + i * width; }
};

// out[i · stride + j] = a_i · b_j for m rows of a and n of b, all of `width` numbers. The order of a sum depends on
// `width` only.
void row_products(const double* a, int64_t m, const double* b, int64_t n, int64_t width, double* out, int64_t stride);

// out += Σ_j weights[j · stride] · b_j for n rows of b. The order of the sums depends on n only.
void add_weighted_rows(const double* weights, int64_t stride, const double* b, int64_t n, int64_t width, double* out);

// The rows of `vectors`, cut to their first `width` numbers, at length 1; a zero vector stays one.
class UnitVectors {
 public:
  UnitVectors(const VectorMatrix& vectors, int64_t width);

  const VectorMatrix& rows() const { return rows_; }
  // Those of some rows.
  VectorMatrix select(std::span<const int32_t> rows) const;
  // Adds to the gradient by row i of the vectors that which a gradient by its unit vector means.
  void add_gradient(int64_t i, const double* by_unit, VectorMatrix& gradient) const;

 private:
  VectorMatrix rows_;
  std::vector<double> lengths_;
};

}  // namespace roformer
