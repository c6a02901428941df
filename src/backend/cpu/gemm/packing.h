// The factors of a matrix product as the tile kernels read them (tile.h): the second in panels, packed once for many
// products, for one, or by a thread for itself; the first in rows of its type or, where it is stored transposed, in
// whole tiles. What is multiplied with what is product.h's.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/gemm/tile_rows.h"

namespace roformer {

struct Matrix {
  const void* data;
  int64_t stride;                // elements between rows as stored
  bool transposed = false;       // use the stored matrix transposed
  DType dtype = DType::float32;  // of a transposed second factor also bfloat16 and float16
  bool rounded = false;          // of a second factor: use its numbers rounded to bfloat16
};

// What a panel holds (tile.h); pairs of float16 are as those of bfloat16.
enum class PanelType : uint8_t { float32, bfloat16, float16, int8 };

// A second factor in panels: in bfloat16, in int8 with a scale and a sum for each column, or else in the type of its
// rows.
class PackedMatrix {
 public:
  PackedMatrix() = default;
  // Packs b [depth, columns] in parallel into `memory`, at least `floats` float32 numbers in a row. int8: b.transposed
  // only, and depth at most 65,536.
  PackedMatrix(ThreadPool& pool, Tensor memory, Precision precision, const Matrix& b, int64_t depth, int64_t columns);
  static int64_t floats(Precision precision, int64_t depth, int64_t columns, DType of_rows = DType::float32);

  int64_t depth() const { return depth_; }
  int64_t columns() const { return columns_; }
  int64_t panels() const { return ceil_div(columns_, tile::kPanel); }
  int64_t bytes() const;
  bool finite() const;  // whether all numbers are

  // Whether panels must become float32 before they meet factors of this type, which must be float32 then.
  bool widened_for(Precision lhs) const;
  const float* widened(int64_t panel) const;  // in memory of this thread, which its next one takes

  const void* panel(int64_t i) const;
  int64_t panel_bytes() const;
  tile::Scales scales(int64_t panel) const;  // without rows

 private:
  PanelType type_ = PanelType::float32;
  int64_t depth_ = 0, columns_ = 0;
  Tensor panels_;
  std::vector<float> column_scale_;
  std::vector<int32_t> column_sum_;
};

// Panels one behind the other.
struct PanelRange {
  const char* data;
  int64_t bytes;  // of each
};
// The panels first … last − 1 of b [depth, columns], of this precision, for this thread alone: in memory that its next
// ones take. Not int8.
PanelRange pack_panels(Precision precision, const Matrix& b, int64_t depth, int64_t columns, int64_t first,
                       int64_t last);

constexpr int64_t factor_bytes(Precision precision) {
  switch (precision) {
    case Precision::float32: return 4;
    case Precision::bfloat16: return 2;
    case Precision::int8: return 1;
  }
  return 4;
}
// Of 32 bits, of a row of factors; the last is filled up.
constexpr int64_t row_words(Precision precision, int64_t depth) { return ceil_div(depth * factor_bytes(precision), 4); }

// Rows of a first factor as the tile kernels read them.
struct LhsRows {
  Precision precision = Precision::float32;
  const void* data = nullptr;
  int64_t stride = 0;                      // elements; 0: whole tiles by depth (tile.h)
  const tile::RowScale* scales = nullptr;  // int8

  const void* at(int64_t row, int64_t depth) const {
    const int64_t bytes = stride == 0 ? row_words(precision, depth) * 4 : stride * factor_bytes(precision);
    return static_cast<const char*>(data) + row * bytes;
  }
  LhsRows from(int64_t row) const;  // not of those by depth
};

// Where LhsRows are made: one a thread or a shared block, kept between uses.
class LhsBuffer {
 public:
  LhsBuffer() = default;
  // In memory of at least `floats` float32 numbers.
  explicit LhsBuffer(Tensor memory) : memory_(std::move(memory)) {}
  static int64_t floats(Precision precision, int64_t rows, int64_t depth);
  // Whether rows so far apart are copied, as are all but those of float32 that do not collide: 4 KiB apart they fall on
  // the same places of the nearest cache, and a tile's twelve do not fit there.
  static bool needed(Precision precision, int64_t stride);

  // Rows a[0] … a[rows − 1]. Those that need no copy stay where they are.
  LhsRows of(Precision precision, const Matrix& a, int64_t rows, int64_t depth);
  // The same by all threads; `a` is not transposed.
  LhsRows of(ThreadPool& pool, Precision precision, const Matrix& a, int64_t rows, int64_t depth);
  // In parts: make room for all rows, then fill some, e.g. from different tasks.
  LhsRows reserve(Precision precision, int64_t rows, int64_t depth);
  void fill(const float* a, int64_t stride, int64_t first, int64_t rows);

  void* data() const { return memory_.raw(); }  // of reserve(): for products that write their results here

 private:
  LhsRows rows_;
  int64_t depth_ = 0;
  Tensor memory_;
  std::vector<tile::RowScale> scales_;
};

// All rows of a transposed first factor, by depth; made by all threads.
class LhsColumns {
 public:
  LhsColumns(Backend& backend, Precision precision, const Matrix& a, int64_t rows, int64_t depth);
  LhsRows rows(int64_t row) const { return {precision_, memory_.data<float>() + row * words_, 0, nullptr}; }

 private:
  Precision precision_;
  int64_t words_;
  Tensor memory_;
};

}  // namespace roformer
