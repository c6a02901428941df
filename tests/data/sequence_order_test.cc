#include "data/sequence_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "base/error.h"

namespace roformer {
namespace {

TEST(SequenceOrder, EveryEpochIsAnotherPermutation) {
  const RandomStream stream{.seed = 1, .stream = 2};
  std::vector<int64_t> identity(50);
  std::iota(identity.begin(), identity.end(), 0);
  for (int64_t epoch = 0; epoch < 4; ++epoch) {
    auto order = epoch_order(stream, 50, epoch);
    EXPECT_NE(order, identity);
    EXPECT_NE(order, epoch_order(stream, 50, epoch + 1));
    EXPECT_NE(order, epoch_order({.seed = 2, .stream = 2}, 50, epoch));
    std::sort(order.begin(), order.end());
    EXPECT_EQ(order, identity);
  }
}

TEST(SequenceOrder, PositionsDoNotDependOnWhatWasAskedBefore) {
  const RandomStream stream{.seed = 9, .stream = 0};
  SequenceOrder forward(stream, 7);
  std::vector<int64_t> seen;
  for (int64_t i = 0; i < 30; ++i) seen.push_back(forward.at(i));
  for (int64_t i = 29; i >= 0; i -= 3) EXPECT_EQ(SequenceOrder(stream, 7).at(i), seen[static_cast<size_t>(i)]);
  EXPECT_EQ(forward.at(3), seen[3]);
  EXPECT_EQ(SequenceOrder(stream, 1).at(1'000'000'000'000), 0);
}

// Each of the 6 orders of 3 things comes up about as often: chi-square with 5 degrees of freedom, 0.1 % point 20.5.
TEST(SequenceOrder, OrdersAreUniform) {
  std::array<int, 27> counts{};
  for (int64_t epoch = 0; epoch < 6000; ++epoch) {
    const auto order = epoch_order({.seed = 5, .stream = 5}, 3, epoch);
    ++counts[static_cast<size_t>(order[0] * 9 + order[1] * 3 + order[2])];
  }
  double chi_square = 0;
  for (const int count : counts) chi_square += count ? (count - 1000.0) * (count - 1000.0) / 1000 : 0;
  EXPECT_EQ(std::count(counts.begin(), counts.end(), 0), 21);
  EXPECT_LT(chi_square, 20.5);
}

TEST(SequenceOrder, BadArguments) {
  EXPECT_THROW(SequenceOrder({}, 0), UsageError);
  EXPECT_THROW(SequenceOrder({}, 3).at(-1), UsageError);
}

}  // namespace
}  // namespace roformer
