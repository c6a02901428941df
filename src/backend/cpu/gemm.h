// Single-threaded float32 matrix products for use inside a task: oneDNN's sgemm, row-major.
#pragma once

#include <cstdint>

#include "backend/cpu/product.h"

namespace roformer {

// Whether oneDNN multiplies by its AVX-512 kernels, whose products with a transposed b are slow from 16 rows on.
bool packs_transposed();

// c [m, n] = alpha · a [m, k] · b [k, n] + beta · c. DataError if oneDNN refuses.
void gemm(int64_t m, int64_t n, int64_t k, float alpha, Matrix a, Matrix b, float beta, float* c, int64_t c_stride);

}  // namespace roformer
