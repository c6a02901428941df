// Compiled for speed and alone (CMakeLists.txt): a step of thousands of texts spends its time here.
#include "tasks/vectors/vector_matrix.h"

#include <algorithm>
#include <cmath>

namespace roformer {

namespace {

// Products of kRows rows of a with one of b: sums side by side, so that the compiler uses vectors.
template <int kRows>
void products(const double* a, const double* b, int64_t width, double* out, int64_t stride) {
  constexpr int kLanes = 4;
  double sums[kRows][kLanes] = {};
  int64_t k = 0;
  for (; k + kLanes <= width; k += kLanes) {
    for (int row = 0; row < kRows; ++row) {
      for (int lane = 0; lane < kLanes; ++lane) sums[row][lane] += a[row * width + k + lane] * b[k + lane];
    }
  }
  for (; k < width; ++k) {
    for (int row = 0; row < kRows; ++row) sums[row][0] += a[row * width + k] * b[k];
  }
  for (int row = 0; row < kRows; ++row) {
    out[row * stride] = (sums[row][0] + sums[row][1]) + (sums[row][2] + sums[row][3]);
  }
}

}  // namespace

void row_products(const double* a, int64_t m, const double* b, int64_t n, int64_t width, double* out, int64_t stride) {
  constexpr int64_t kTogether = 4;
  int64_t i = 0;
  for (; i + kTogether <= m; i += kTogether) {
    for (int64_t j = 0; j < n; ++j)
      products<kTogether>(a + i * width, b + j * width, width, out + i * stride + j, stride);
  }
  for (; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) products<1>(a + i * width, b + j * width, width, out + i * stride + j, stride);
  }
}

void add_weighted_rows(const double* weights, int64_t stride, const double* b, int64_t n, int64_t width, double* out) {
  constexpr int64_t kTogether = 4;
  int64_t j = 0;
  for (; j + kTogether <= n; j += kTogether) {
    const double w0 = weights[j * stride], w1 = weights[(j + 1) * stride], w2 = weights[(j + 2) * stride],
                 w3 = weights[(j + 3) * stride];
    const double *b0 = b + j * width, *b1 = b0 + width, *b2 = b1 + width, *b3 = b2 + width;
    for (int64_t k = 0; k < width; ++k) out[k] += (w0 * b0[k] + w1 * b1[k]) + (w2 * b2[k] + w3 * b3[k]);
  }
  for (; j < n; ++j) {
    const double w = weights[j * stride];
    for (int64_t k = 0; k < width; ++k) out[k] += w * b[j * width + k];
  }
}

UnitVectors::UnitVectors(const VectorMatrix& vectors, int64_t width) : rows_(vectors.rows, width) {
  lengths_.resize(static_cast<size_t>(vectors.rows));
  for (int64_t i = 0; i < vectors.rows; ++i) {
    const double* from = vectors.row(i);
    double squares = 0;
    for (int64_t k = 0; k < width; ++k) squares += from[k] * from[k];
    const double length = std::sqrt(squares);
    lengths_[static_cast<size_t>(i)] = length;
    for (int64_t k = 0; k < width; ++k) rows_.row(i)[k] = length == 0 ? 0 : from[k] / length;
  }
}

VectorMatrix UnitVectors::select(std::span<const int32_t> rows) const {
  VectorMatrix result(static_cast<int64_t>(rows.size()), rows_.width);
  for (int64_t i = 0; i < result.rows; ++i) {
    std::copy_n(rows_.row(rows[static_cast<size_t>(i)]), rows_.width, result.row(i));
  }
  return result;
}

void UnitVectors::add_gradient(int64_t i, const double* by_unit, VectorMatrix& gradient) const {
  const double length = lengths_[static_cast<size_t>(i)];
  if (length == 0) return;
  const double* unit = rows_.row(i);
  double along = 0;
  for (int64_t k = 0; k < rows_.width; ++k) along += unit[k] * by_unit[k];
  for (int64_t k = 0; k < rows_.width; ++k) gradient.row(i)[k] += (by_unit[k] - along * unit[k]) / length;
}

}  // namespace roformer
