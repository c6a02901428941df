#include "metrics/mcnemar.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/error.h"

namespace roformer {
namespace {

McNemarTest test_of(size_t only_first, size_t only_second) {
  std::vector<uint8_t> first(only_first + only_second + 2), second(first.size());
  for (size_t i = 0; i < only_first + only_second; ++i) (i < only_first ? first : second)[i] = 1;
  first.back() = second.back() = 1;
  return mcnemar_test(first, second);
}

// Right values: scipy 1.17.1, binomtest, which statsmodels' exact mcnemar equals.
TEST(McNemar, IsTheExactBinomialTest) {
  EXPECT_EQ(test_of(5, 15).only_first, 5);
  EXPECT_EQ(test_of(5, 15).only_second, 15);
  EXPECT_NEAR(test_of(5, 15).p, 0.04138946533203125, 1e-12);
  EXPECT_NEAR(test_of(15, 5).p, 0.04138946533203125, 1e-12);
  EXPECT_NEAR(test_of(0, 4).p, 0.125, 1e-12);
  EXPECT_NEAR(test_of(20, 41).p, 0.009853448195259268, 1e-12);
  EXPECT_NEAR(test_of(480, 560).p, 0.014259079095385853, 1e-11);
  EXPECT_NEAR(test_of(30'000, 30'400).p, 0.10448007727213562, 1e-9);
  EXPECT_EQ(test_of(7, 7).p, 1);
  EXPECT_EQ(test_of(0, 0).p, 1);
  EXPECT_EQ(test_of(0, 3000).p, 0);  // below the smallest double
}

TEST(McNemar, RefusesOtherLengths) {
  EXPECT_THROW(mcnemar_test(std::vector<uint8_t>{1}, std::vector<uint8_t>{1, 0}), ShapeError);
}

}  // namespace
}  // namespace roformer
