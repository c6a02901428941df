// Matrix products of the cpu backend. c [m, n] = a [m, k] · b [k, n]: b is packed into panels, a is read in rows, tiles
// of sums (tile.h) are finished (tile_rows.h) one by one. Each number of c is one running sum over k, or over chunks of
// kDepthChunk in order where products of gradients add to c: the same whatever the grid, and however many rows.
#pragma once

#include <cstdint>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/tile_rows.h"

namespace roformer {

struct Matrix {
  const float* data;
  int64_t stride;           // elements between rows as stored
  bool transposed = false;  // use the stored matrix transposed
};

// A second factor in panels. int8 keeps a scale and a sum for each column.
class PackedMatrix {
 public:
  PackedMatrix() = default;
  // Packs b [depth, columns] in parallel into `memory`, at least `floats` float32 numbers in a row. int8: b.transposed
  // only, and depth at most 65,536.
  PackedMatrix(ThreadPool& pool, Tensor memory, Precision precision, const Matrix& b, int64_t depth, int64_t columns);
  static int64_t floats(Precision precision, int64_t depth, int64_t columns);

  Precision precision() const { return precision_; }
  int64_t depth() const { return depth_; }
  int64_t columns() const { return columns_; }
  int64_t panels() const { return (columns_ + tile::kPanel - 1) / tile::kPanel; }

  const void* panel(int64_t i) const;
  tile::Scales scales(int64_t panel) const;  // without rows

 private:
  Precision precision_ = Precision::float32;
  int64_t depth_ = 0, columns_ = 0;
  Tensor panels_;
  std::vector<float> column_scale_;
  std::vector<int32_t> column_sum_;
};

// Rows of a first factor as the tile kernels read them.
struct LeftRows {
  Precision precision = Precision::float32;
  const void* data = nullptr;
  int64_t stride = 0;                      // elements; 0: whole tiles by depth (tile.h)
  const tile::RowScale* scales = nullptr;  // int8
};

// Where LeftRows are made: one a thread or a shared block, kept between uses.
class LeftRoom {
 public:
  // Rows a[0] … a[rows − 1]. float32 rows that need no copy stay where they are.
  LeftRows of(Precision precision, const Matrix& a, int64_t rows, int64_t depth);
  // In parts: make room for all rows, then fill some, e.g. from different tasks.
  LeftRows reserve(Precision precision, int64_t rows, int64_t depth);
  void fill(const float* a, int64_t stride, int64_t first, int64_t rows);

  void* data() const { return memory_.raw(); }  // of reserve(): for products that write their results here

 private:
  LeftRows rows_;
  int64_t depth_ = 0;
  Tensor memory_;
  std::vector<tile::RowScale> scales_;
};

// Rows 0 … rows − 1 of `a` times the panels first … last − 1 of b, finished as rows `row` … of the result.
void multiply_panels(const LeftRows& a, int64_t rows, const PackedMatrix& b, int64_t first, int64_t last,
                     const tile::Finish& finish, int64_t row = 0);

// All of it, in parallel. finish.accumulate adds to its output and needs Activation::none. Precision int8 is computed
// in float32: its weights are packed beforehand (layers.cc).
void multiply(Backend& backend, Precision precision, int64_t m, int64_t n, int64_t k, const Matrix& a, const Matrix& b,
              const tile::Finish& finish);

// Inside a task, on this thread alone: c = or += a·b.
void multiply_in_task(Precision precision, int64_t m, int64_t n, int64_t k, const Matrix& a, const Matrix& b,
                      bool accumulate, float* c, int64_t c_stride);

}  // namespace roformer
