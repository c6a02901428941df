// Matrix products of the CPU backend. c [m, n] = a [m, k] · b [k, n]: b is packed into panels, a is read in rows
// (packing.h), and the epilogue (tile_rows.h) is applied to each tile of sums (tile.h). Each element of c is one
// running sum over k, or over chunks of kDepthChunk in order where gradients are added to c: independent of the grid
// and the number of rows.
#pragma once

#include <cstdint>

#include "backend/backend.h"
#include "backend/cpu/gemm/packing.h"
#include "backend/cpu/gemm/tile_rows.h"

namespace roformer {

// Rows that a thread multiplies with all panels in turn: few enough to stay in the L2 cache, and twice as many where
// they share widened panels, or where reading panels would take longer than multiplying them.
int64_t block_rows(Precision precision, bool widened);

// Rows 0 … rows − 1 of `a` times the panels first … last − 1 of b; the epilogue writes rows `row` … of the result.
// Panels of another type than `a` are widened one at a time.
void multiply_panels(const LhsRows& a, int64_t rows, const PackedMatrix& b, int64_t first, int64_t last,
                     const tile::Epilogue& epilogue, int64_t row = 0);

// How the second factor is packed for many rows: at once, shared by all blocks of rows, or a few panels at a time in
// each task, which needs no memory and gives the same bits.
enum class Packing { in_memory, in_cache };

// The whole product, in parallel, with both factors in `precision`. epilogue.accumulate requires Activation::none.
// in_cache requires that a is not transposed.
void multiply(Backend& backend, Precision precision, int64_t m, int64_t n, int64_t k, const Matrix& a, const Matrix& b,
              const tile::Epilogue& epilogue, Packing packing = Packing::in_memory);
// The same with a packed second factor.
void multiply(Backend& backend, Precision precision, int64_t m, const Matrix& a, const PackedMatrix& b,
              const tile::Epilogue& epilogue);

}  // namespace roformer
