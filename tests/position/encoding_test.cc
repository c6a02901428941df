#include "position/encoding.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "base/error.h"

namespace roformer {
namespace {

// transformers, tests/models/roformer/test_modeling_roformer.py (RoFormerSinusoidalPositionalEmbedding).
TEST(Sinusoid, GoldenRowsOfTransformers) {
  constexpr double kSmall[2][6] = {{0, 0, 0, 1, 1, 1}, {.8415, .0464, .0022, .5403, .9989, 1.0}};
  for (int position = 0; position < 2; ++position) {
    for (int column = 0; column < 6; ++column) {
      EXPECT_NEAR(sinusoid(position, column, 6), kSmall[position][column], 1e-4) << position << ", " << column;
    }
  }
  constexpr double kLarge[2][5] = {{.8415, .8219, .8020, .7819, .7617}, {.9093, .9364, .9581, .9749, .9870}};
  for (int position = 1; position < 3; ++position) {
    for (int column = 0; column < 5; ++column) {
      EXPECT_NEAR(sinusoid(position, column, 512), kLarge[position - 1][column], 1e-4) << position << ", " << column;
    }
  }
}

TEST(Sinusoid, InterleavedHoldsTheSameNumbersInTheOrderOfTheEquation) {
  for (const int64_t dim : {6, 7}) {
    for (int64_t t = 0; t < dim - dim / 2; ++t) {
      EXPECT_EQ(sinusoid(9, 2 * t, dim, SinusoidLayout::interleaved), sinusoid(9, t, dim)) << dim << ", " << t;
    }
    for (int64_t t = 0; t < dim / 2; ++t) {
      EXPECT_EQ(sinusoid(9, 2 * t + 1, dim, SinusoidLayout::interleaved), sinusoid(9, dim - dim / 2 + t, dim))
          << dim << ", " << t;
    }
  }
  EXPECT_DOUBLE_EQ(sinusoid(9, 3, 4, SinusoidLayout::interleaved), std::cos(0.09));
}

TEST(Sinusoid, OutOfRangeIsRefused) {
  EXPECT_THROW(sinusoid(-1, 0, 4), DataError);
  EXPECT_THROW(sinusoid((int64_t{1} << 29) + 1, 0, 4), DataError);
  EXPECT_THROW(sinusoid(0, 4, 4), ShapeError);
  EXPECT_THROW(sinusoid(0, -1, 4), ShapeError);
}

TEST(PositionEncoding, NamesAndValuesCorrespond) {
  std::set<size_t> kinds;
  for (const auto name : position_names()) {
    EXPECT_EQ(position_name(parse_position(name)), name);
    kinds.insert(parse_position(name).index());
  }
  EXPECT_EQ(kinds.size(), std::variant_size_v<PositionEncoding>);  // every kind has a name
  EXPECT_TRUE(std::holds_alternative<NoPosition>(parse_position("none")));
  EXPECT_TRUE(std::holds_alternative<SinusoidalPosition>(parse_position("sinusoidal")));
  EXPECT_TRUE(std::holds_alternative<LearnedPosition>(parse_position("learned")));
  EXPECT_TRUE(std::holds_alternative<RotaryPosition>(parse_position("rotary")));
  EXPECT_THROW(parse_position("rope"), UsageError);
  EXPECT_NE(parse_position("rotary"), PositionEncoding(RotaryPosition{Rotary{64}}));
}

}  // namespace
}  // namespace roformer
