// The factors of a matrix product as the tile kernels read them (tile.h): the right one in panels, packed once for many
// products, for one product, or by a thread for itself; the left one in rows of its type or, if stored transposed and
// not for tile registers, in whole tiles.
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
  bool transposed = false;       // the factor is the transpose
  DType dtype = DType::float32;  // a transposed right factor may be bfloat16 or float16
  bool rounded = false;          // right factor: round to bfloat16
};

// Element type of a panel (tile.h); float16 has the layout of bfloat16.
enum class PanelType : uint8_t { float32, bfloat16, float16, int8 };

// A right factor in panels: in bfloat16, in int8 with a scale and a sum per column, or in the type of its rows.
class PackedMatrix {
 public:
  PackedMatrix() = default;
  // Packs b [depth, columns] in parallel into `memory`, at least floats() contiguous float32 elements. int8 requires
  // b.transposed and depth ≤ 65,536 (DataError).
  PackedMatrix(ThreadPool& pool, Tensor memory, Precision precision, const Matrix& b, int64_t depth, int64_t columns);
  // The same without packing: the caller packs each panel once before it is read.
  PackedMatrix(Tensor memory, Precision precision, const Matrix& b, int64_t depth, int64_t columns);
  void pack(const Matrix& b, int64_t panel);
  static int64_t floats(Precision precision, int64_t depth, int64_t columns, DType of_rows = DType::float32);

  int64_t depth() const { return depth_; }
  int64_t columns() const { return columns_; }
  int64_t panels() const { return ceil_div(columns_, tile::kPanel); }
  int64_t bytes() const;
  bool finite() const;  // whether all elements are

  // Whether panels must be widened to float32 for left factors of this type, which must then be float32.
  bool widened_for(Precision lhs) const;
  const float* widened(int64_t panel) const;  // in thread-local memory, valid until the thread's next call

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

// Contiguous panels.
struct PanelRange {
  const char* data;
  int64_t bytes;  // of each panel
};
// Packs the panels first … last − 1 of b [depth, columns] into thread-local memory, valid until the thread's next call.
// Not int8.
PanelRange pack_panels(Precision precision, const Matrix& b, int64_t depth, int64_t columns, int64_t first,
                       int64_t last);

constexpr int64_t factor_bytes(Precision precision) {
  switch (precision) {
    case Precision::float32: return 4;
    case Precision::bfloat16: return 2;
    case Precision::int8:
    case Precision::int4: return 1;
  }
  return 4;
}
// 32-bit words of a row of factors; the last is padded.
constexpr int64_t row_words(Precision precision, int64_t depth) { return ceil_div(depth * factor_bytes(precision), 4); }

// Rows of a left factor as the tile kernels read them.
struct LhsRows {
  Precision precision = Precision::float32;
  const void* data = nullptr;
  int64_t stride = 0;                      // elements; 0: whole tiles by depth (tile.h)
  const tile::RowScale* scales = nullptr;  // int8

  const void* at(int64_t row, int64_t depth) const {
    const int64_t bytes = stride == 0 ? row_words(precision, depth) * 4 : stride * factor_bytes(precision);
    return static_cast<const char*>(data) + row * bytes;
  }
  LhsRows from(int64_t row) const;  // not for rows by depth
};

// Reusable memory for LhsRows: one per thread or shared block.
class LhsBuffer {
 public:
  LhsBuffer() = default;
  // Uses `memory` of at least floats() float32 elements.
  explicit LhsBuffer(Tensor memory) : memory_(std::move(memory)) {}
  static int64_t floats(Precision precision, int64_t rows, int64_t depth);
  // Whether rows of this stride must be copied. Only float32 rows are read in place, unless they are a multiple of 4
  // KiB apart: these share a set of the L1 cache, which cannot hold a tile's twelve.
  static bool needed(Precision precision, int64_t stride);

  // Rows a[0] … a[rows − 1]; a view if no copy is needed.
  LhsRows of(Precision precision, const Matrix& a, int64_t rows, int64_t depth);
  // The same with all threads; `a` must not be transposed.
  LhsRows of(ThreadPool& pool, Precision precision, const Matrix& a, int64_t rows, int64_t depth);
  // In parts: reserve all rows, then fill ranges, e.g. from different tasks.
  LhsRows reserve(Precision precision, int64_t rows, int64_t depth);
  void fill(const float* a, int64_t stride, int64_t first, int64_t rows);

  void* data() const { return memory_.raw(); }  // after reserve(): for products that write their results here

 private:
  LhsRows rows_;
  int64_t depth_ = 0;
  Tensor memory_;
  std::vector<tile::RowScale> scales_;
};

// All rows of a transposed left factor, by depth or, for tile registers, as rows. The caller packs each part once
// before it is read.
class LhsColumns {
 public:
  LhsColumns(Backend& backend, Precision precision, int64_t rows, int64_t depth);
  int64_t parts() const;
  void pack(const Matrix& a, int64_t part);
  LhsRows rows(int64_t row) const;  // from a whole tile on

 private:
  Precision precision_;
  int64_t rows_, depth_, words_;
  Tensor memory_;
};

}  // namespace roformer
