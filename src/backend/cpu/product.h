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
  bool widened_for(Precision left) const;
  void widen(int64_t panel, float* out) const;  // room for depth, rounded up to fours, times kPanel

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

// Rows of a first factor as the tile kernels read them.
struct LeftRows {
  Precision precision = Precision::float32;
  const void* data = nullptr;
  int64_t stride = 0;                      // elements; 0: whole tiles by depth (tile.h)
  const tile::RowScale* scales = nullptr;  // int8

  LeftRows from(int64_t row) const;  // not of those by depth
};

// Where LeftRows are made: one a thread or a shared block, kept between uses.
class LeftRoom {
 public:
  LeftRoom() = default;
  // In memory of at least `floats` float32 numbers.
  explicit LeftRoom(Tensor memory) : memory_(std::move(memory)) {}
  static int64_t floats(Precision precision, int64_t rows, int64_t depth);

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

// Rows 0 … rows − 1 of `a` times the panels first … last − 1 of b, finished as rows `row` … of the result. Panels that
// are not in the type of `a` are widened, one at a time.
void multiply_panels(const LeftRows& a, int64_t rows, const PackedMatrix& b, int64_t first, int64_t last,
                     const tile::Finish& finish, int64_t row = 0);

// Where the second factor of many rows is packed: all of it, to be shared by blocks of rows, or some panels at a time
// by the task that needs them, which takes no memory and gives the same bits.
enum class Packing { in_memory, in_cache };

// All of it, in parallel, with both factors in `precision`. finish.accumulate adds to its output and needs
// Activation::none. in_cache is not for a transposed a.
void multiply(Backend& backend, Precision precision, int64_t m, int64_t n, int64_t k, const Matrix& a, const Matrix& b,
              const tile::Finish& finish, Packing packing = Packing::in_memory);
// The same with a packed second factor.
void multiply(Backend& backend, Precision precision, int64_t m, const Matrix& a, const PackedMatrix& b,
              const tile::Finish& finish);

}  // namespace roformer
