// Tables of numbers that no one trains, computed on the host.
#pragma once

#include "backend/backend.h"

namespace roformer {

// [rows, columns] with value(row, column), a double, at each place.
template <class Function>
Tensor constant_table(Backend& backend, int64_t rows, int64_t columns, const Function& value) {
  const Tensor table = backend.empty({rows, columns});
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      if (backend.real() == DType::float64) {
        table.row<double>(r)[c] = value(r, c);
      } else {
        table.row<float>(r)[c] = static_cast<float>(value(r, c));
      }
    }
  }
  return table;
}

}  // namespace roformer
