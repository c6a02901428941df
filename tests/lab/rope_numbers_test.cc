#include "lab/rope_numbers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <vector>

#include "base/error.h"

namespace roformer {
namespace {

using testing::HasSubstr;

// By hand: cos 3 = −0.98999, sin 3 = 0.14112; cos 0.03 = 0.99955, sin 0.03 = 0.03.
TEST(RopeNumbers, ShowEachStepOfARotation) {
  const std::vector<double> x = {1, 2, 3, 4};
  const std::string adjacent = rope_numbers(x, 3, RotaryLayout::adjacent, 10000);
  for (const char* part : {"0, 1 ", "2, 3 ", " -0.98999    0.14112", " -1.2722, -1.8389\n", " 2.8787, 4.0882\n",
                           "length 5.4772 before, 5.4772 after\n"}) {
    EXPECT_THAT(adjacent, HasSubstr(part));
  }
  const std::string half = rope_numbers(x, 3, RotaryLayout::half, 10000);
  for (const char* part : {"0, 2 ", "1, 3 ", " -1.4134, -2.8289\n"}) EXPECT_THAT(half, HasSubstr(part));
}

TEST(RopeNumbers, VectorsOfNoPairsAndPositionsOutOfRangeAreRefused) {
  EXPECT_THROW(rope_numbers(std::vector<double>{1, 2, 3}, 3, RotaryLayout::adjacent, 10000), UsageError);
  EXPECT_THROW(rope_numbers({}, 3, RotaryLayout::adjacent, 10000), UsageError);
  EXPECT_THROW(rope_numbers(std::vector<double>{1, 2}, -1, RotaryLayout::adjacent, 10000), DataError);
}

// A column of errors for each way: single precision loses more with each row, rounding at the end never does.
TEST(RopePrecision, OnlyDoubleAnglesDoNotDependOnThePosition) {
  std::istringstream lines(rope_precision(Rotary{64}));
  std::string heading;
  std::getline(lines, heading);
  double last_single = 0, last_mixed = 0;
  int rows = 0;
  for (double end, single, mixed, ours; lines >> end >> single >> mixed >> ours; ++rows) {
    EXPECT_GT(single, 2 * last_single) << end;
    EXPECT_GT(mixed, 2 * last_mixed) << end;
    EXPECT_LE(ours, 3.1e-8) << end;
    last_single = single;
    last_mixed = mixed;
  }
  EXPECT_EQ(rows, 5);
  EXPECT_GT(last_single, 0.01);
}

}  // namespace
}  // namespace roformer
