// Extends a table of n learned positions to n² (Su Jianlin 2020, "Hierarchical decomposition of position codes",
// kexue.fm/archives/7947): with p = i·n + j, row p is α·u_i + (1 − α)·u_j, where u_i = (row_i − α·row_0) / (1 − α), so
// that rows below n are unchanged. Equivalently row_j + a · (row_i − row_0) with a = α / (1 − α).
#pragma once

#include <cstdint>

namespace roformer {

inline constexpr double kHierarchicalAlpha = 0.4;  // as published

struct HierarchicalRow {
  int64_t row, block;   // j and i
  double block_factor;  // a
};

inline HierarchicalRow hierarchical_row(int64_t position, int64_t rows) {
  return {position % rows, position / rows, kHierarchicalAlpha / (1 - kHierarchicalAlpha)};
}

}  // namespace roformer
