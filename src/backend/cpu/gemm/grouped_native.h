// multiply_groups (grouped.h) with AVX512_VNNI. x86-64 only. The same integers as elsewhere, and float32 sums in the
// same order.
#pragma once

#include "backend/cpu/gemm/grouped.h"

namespace roformer::tile {

void multiply_groups_native(const GroupedRows& x, int64_t row, int64_t rows, GroupedForm form, const char* panel,
                            float* out);

}  // namespace roformer::tile
