// Constant tables, computed on the host.
#pragma once

#include "backend/backend.h"

namespace roformer {

// [rows, columns] with the elements value(row, column), double. `value` must be thread-safe.
template <class Function>
Tensor constant_table(Backend& backend, int64_t rows, int64_t columns, const Function& value) {
  Tensor table = backend.empty({rows, columns});
  constexpr int64_t kRows = 16;
  backend.write(table, [&](const Tensor& host) {
    for_chunks(backend.pool(), rows, kRows, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        for (int64_t c = 0; c < columns; ++c) {
          if (host.dtype() == DType::float64) {
            host.row<double>(r)[c] = value(r, c);
          } else {
            host.row<float>(r)[c] = static_cast<float>(value(r, c));
          }
        }
      }
    });
  });
  return table;
}

}  // namespace roformer
