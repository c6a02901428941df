// Weights of decoders in int8 and int4: groups of 32 along the depth share a float16 scale, and in int4, where they
// come from a file that has them so (ggml's Q4_1), a float16 minimum. Activations are rounded to int8 by groups, too;
// sums within a group are exact integers, and groups are added in order: the same bits for any number of rows and
// threads.
#pragma once

#include <cstdint>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/gemm/tile.h"
#include "backend/cpu/gemm/tile_rows.h"

namespace roformer {

constexpr int64_t kGroup = 32;

// Codes are unsigned: a weight is scale · (code − zero), or scale · code + minimum.
enum class GroupedForm : uint8_t {
  int8,  // zero 128
  int4,  // zero 8
  int4_minimum,
};

// A weight [out, in] in panels of 32 outputs, which hold group after group: the codes, four of the depth of each output
// side by side (int4: in low halves of bytes the first 16 of the group, in high ones the others), then the outputs'
// scales, then their minimums.
class GroupedMatrix {
 public:
  // Losslessly where the rows hold such groups: in int4 if they are int4, in int8 if they are int8, else rounded to
  // `precision` (int8 or int4). `rows`: float32, bfloat16 or float16.
  GroupedMatrix(Backend& backend, Precision precision, const Tensor& rows);

  int64_t outputs() const { return outputs_; }
  int64_t depth() const { return depth_; }
  int64_t groups() const { return ceil_div(depth_, kGroup); }
  int64_t panels() const { return ceil_div(outputs_, tile::kPanel); }
  GroupedForm form() const { return form_; }
  const char* panel(int64_t i) const { return static_cast<const char*>(memory_.raw()) + i * panel_bytes(); }
  int64_t panel_bytes() const { return groups() * group_bytes(form_); }
  int64_t bytes() const { return panels() * panel_bytes(); }
  bool finite() const;
  static int64_t group_bytes(GroupedForm form);  // of all outputs of a panel

 private:
  int64_t outputs_, depth_;
  GroupedForm form_;
  Tensor memory_;
};

class GroupedWeight final : public PreparedWeight {
 public:
  GroupedWeight(const Shape& shape, GroupedMatrix matrix) : PreparedWeight(shape), matrix_(std::move(matrix)) {}
  const GroupedMatrix& matrix() const { return matrix_; }
  int64_t bytes() const override { return matrix_.bytes(); }
  bool finite() const override { return matrix_.finite(); }

 private:
  GroupedMatrix matrix_;
};

// Rows of activations: codes −127 … 127 of whole groups, and of each group its scale and the sum of its codes. A scale
// is NaN unless all elements of the group are finite.
struct GroupedRows {
  int64_t groups = 0;
  std::vector<int8_t> codes;  // [rows, 32 · groups]
  std::vector<float> scales;  // [rows, groups]
  std::vector<int32_t> sums;  // [rows, groups]
};

// out = x · weightᵀ with the epilogue, on all threads.
void multiply_grouped(ThreadPool& pool, const Tensor& x, const GroupedMatrix& weight, const tile::Epilogue& epilogue);

namespace tile {

// Rounds a group of `count` ≤ 32 activations; returns the scale. `codes` has 32 elements, those beyond are 0.
float quantize_group(const float* x, int64_t count, int8_t* codes, int32_t& sum);

// Rows `row` … of x, at most kGroupedRows, times a panel of `form`: out [rows, kPanel].
constexpr int64_t kGroupedRows = 4;
void multiply_groups(const GroupedRows& x, int64_t row, int64_t rows, GroupedForm form, const char* panel, float* out);
// The same without dot products of bytes, for tests.
void multiply_groups_emulated(const GroupedRows& x, int64_t row, int64_t rows, GroupedForm form, const char* panel,
                              float* out);

}  // namespace tile

}  // namespace roformer
