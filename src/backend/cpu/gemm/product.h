// Matrix products of the cpu backend. c [m, n] = a [m, k] · b [k, n]: b is packed into panels, a is read in rows
// (packing.h), tiles of sums (tile.h) are finished (tile_rows.h) one by one. Each number of c is one running sum over
// k, or over chunks of kDepthChunk in order where products of gradients add to c: the same whatever the grid, and
// however many rows.
#pragma once

#include <cstdint>

#include "backend/backend.h"
#include "backend/cpu/gemm/packing.h"
#include "backend/cpu/gemm/tile_rows.h"

namespace roformer {

// Rows 0 … rows − 1 of `a` times the panels first … last − 1 of b, finished as rows `row` … of the result. Panels that
// are not in the type of `a` are widened, one at a time.
void multiply_panels(const LhsRows& a, int64_t rows, const PackedMatrix& b, int64_t first, int64_t last,
                     const tile::Epilogue& epilogue, int64_t row = 0);

// Where the second factor of many rows is packed: all of it, to be shared by blocks of rows, or some panels at a time
// by the task that needs them, which takes no memory and gives the same bits.
enum class Packing { in_memory, in_cache };

// All of it, in parallel, with both factors in `precision`. epilogue.accumulate adds to its output and needs
// Activation::none. in_cache is not for a transposed a.
void multiply(Backend& backend, Precision precision, int64_t m, int64_t n, int64_t k, const Matrix& a, const Matrix& b,
              const tile::Epilogue& epilogue, Packing packing = Packing::in_memory);
// The same with a packed second factor.
void multiply(Backend& backend, Precision precision, int64_t m, const Matrix& a, const PackedMatrix& b,
              const tile::Epilogue& epilogue);

}  // namespace roformer
