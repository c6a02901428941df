#include "position/hierarchical.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/random.h"

namespace roformer {
namespace {

constexpr int64_t kRows = 7;

// bert4keras, layers.py PositionEmbedding with hierarchical = True: u = (row − α·row_0) / (1 − α), then
// α·u[p // n] + (1 − α)·u[p % n].
double published(const std::vector<double>& table, int64_t position) {
  const auto u = [&](int64_t row) { return (table[row] - 0.4 * table[0]) / (1 - 0.4); };
  return 0.4 * u(position / kRows) + (1 - 0.4) * u(position % kRows);
}

TEST(Hierarchical, RowsAreThePublishedOnes) {
  Generator generator({81, 82});
  std::vector<double> table(kRows);
  for (double& x : table) x = generator.normal();
  for (int64_t position = 0; position < kRows * kRows; ++position) {
    const auto [row, block, factor] = hierarchical_row(position, kRows);
    const double found = table[row] + factor * (table[block] - table[0]);
    EXPECT_NEAR(found, published(table, position), 1e-14) << position;
    if (position < kRows) {
      EXPECT_EQ(found, table[position]) << position;
    }
  }
}

}  // namespace
}  // namespace roformer
