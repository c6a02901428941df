// What functions return that compute vectors: one matrix, whose numbers lie in one block.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace roformer {
inline namespace v0 {

// Rows of a matrix, which must outlive it.
struct MatrixView {
  int64_t rows = 0, columns = 0;
  const float* values = nullptr;  // [rows, columns], row after row

  std::span<const float> row(int64_t index) const {  // 0 <= index < rows
    return {values + index * columns, static_cast<size_t>(columns)};
  }
};

struct Matrix {
  int64_t rows = 0, columns = 0;
  std::vector<float> values;  // [rows, columns], row after row

  std::span<const float> row(int64_t index) const {  // 0 <= index < rows
    return std::span(values).subspan(static_cast<size_t>(index * columns), static_cast<size_t>(columns));
  }
  MatrixView view() const { return {rows, columns, values.data()}; }
};

// The rows of several texts, one text below the other: text i has the rows offsets[i] to offsets[i + 1].
struct TextMatrix : Matrix {
  std::vector<int64_t> offsets = {0};  // [texts + 1]

  size_t texts() const { return offsets.size() - 1; }
  MatrixView of(size_t text) const {  // text < texts()
    return {offsets[text + 1] - offsets[text], columns, values.data() + offsets[text] * columns};
  }
};

}  // namespace v0
}  // namespace roformer
