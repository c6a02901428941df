#include "base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <vector>

namespace roformer {
namespace {

using Words = std::array<uint32_t, 4>;

// Random123, examples/kat_vectors: philox4x32 10 (counter words 0-3, key words 0-1 → output).
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(philox4x32({0, 0}, 0), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({~uint64_t{0}, ~uint64_t{0}}, ~uint64_t{0}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x299f31d0a4093822, 0x0370734413198a2e}, 0x85a308d3243f6a88),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Substream, DiffersByIndexParentAndSeed) {
  std::set<uint64_t> streams;
  for (const RandomStream parent : {RandomStream{1, 0}, RandomStream{2, 0}, RandomStream{1, 5}}) {
    for (uint64_t index = 0; index < 1000; ++index) streams.insert(substream(parent, index).stream);
    EXPECT_EQ(substream(parent, 3).seed, parent.seed);
  }
  EXPECT_EQ(streams.size(), 3000u);
}

TEST(Generator, IsAFunctionOfItsStream) {
  Generator a({1, 2}), b({1, 2}), c({1, 3});
  int equal = 0;
  for (int i = 0; i < 100; ++i) {
    const uint32_t x = a.next();
    EXPECT_EQ(x, b.next());
    equal += x == c.next();
  }
  EXPECT_LE(equal, 1);
}

TEST(Generator, UniformHasItsMomentsAndStaysInItsInterval) {
  Generator generator({3, 4});
  constexpr int kDraws = 100000;
  double sum = 0, squares = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double x = generator.uniform();
    ASSERT_GE(x, 0);
    ASSERT_LT(x, 1);
    sum += x;
    squares += x * x;
  }
  EXPECT_NEAR(sum / kDraws, 0.5, 5 * std::sqrt(1.0 / 12 / kDraws));
  EXPECT_NEAR(squares / kDraws, 1.0 / 3, 5 * std::sqrt(4.0 / 45 / kDraws));
}

TEST(Generator, NormalHasItsMoments) {
  Generator generator({5, 6});
  constexpr int kDraws = 100000;
  double sum = 0, squares = 0, fourth = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double x = generator.normal();
    ASSERT_TRUE(std::isfinite(x));
    sum += x;
    squares += x * x;
    fourth += x * x * x * x;
  }
  EXPECT_NEAR(sum / kDraws, 0, 5 / std::sqrt(kDraws));
  EXPECT_NEAR(squares / kDraws, 1, 5 * std::sqrt(2.0 / kDraws));
  EXPECT_NEAR(fourth / kDraws, 3, 5 * std::sqrt(96.0 / kDraws));
}

TEST(Generator, BelowIsEvenAndInRange) {
  Generator generator({7, 8});
  constexpr int kDraws = 60000, kFaces = 6;
  std::array<int, kFaces> counts{};
  for (int i = 0; i < kDraws; ++i) ++counts.at(generator.below(kFaces));
  for (const int count : counts) EXPECT_NEAR(count, kDraws / kFaces, 5 * std::sqrt(kDraws / kFaces));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(generator.below(1), 0u);
  const uint64_t large = (uint64_t{1} << 63) + 1;
  for (int i = 0; i < 100; ++i) EXPECT_LT(generator.below(large), large);
}

TEST(Dropout, DropsTheGivenShareAsAFunctionOfTheElement) {
  const Dropout dropout{0.1, {9, 10}}, other_site{0.1, {9, 11}};
  int dropped = 0, equal = 0;
  constexpr uint32_t kRows = 200, kColumns = 200;
  for (uint32_t row = 0; row < kRows; ++row) {
    for (uint32_t column = 0; column < kColumns; ++column) {
      const bool kept = dropout.keeps(row, column);
      dropped += !kept;
      equal += kept == other_site.keeps(row, column);
      EXPECT_EQ(kept, dropout.keeps(row, column));
    }
  }
  constexpr double kCount = kRows * kColumns;
  EXPECT_NEAR(dropped / kCount, 0.1, 5 * std::sqrt(0.09 / kCount));
  EXPECT_NEAR(equal / kCount, 0.82, 5 * std::sqrt(0.82 * 0.18 / kCount));  // 0.9² + 0.1²
  EXPECT_DOUBLE_EQ(dropout.scale(), 1 / 0.9);
  EXPECT_FALSE(Dropout{}.active());
  EXPECT_TRUE(Dropout{}.keeps(3, 4));
}

TEST(Dropout, EveryElementHasAWordOfItsOwn) {
  // The layout documented in the header: block (row, 16·(column / 64) + column % 16), word column / 16 % 4.
  const RandomStream stream{11, 12};
  const double probability = 0.5;
  const Dropout dropout{probability, stream};
  std::set<std::pair<uint64_t, uint32_t>> places;
  for (uint32_t row : {0u, 1u, 70000u}) {
    for (uint32_t column = 0; column < 300; ++column) {
      const uint64_t block = (uint64_t{row} << 32) + 16 * (column / 64) + column % 16;
      const uint32_t word = column / 16 % 4;
      EXPECT_TRUE(places.emplace(block, word).second) << row << ", " << column;
      EXPECT_EQ(dropout.keeps(row, column), philox4x32(stream, block)[word] >= 0x80000000u) << row << ", " << column;
    }
  }
}

}  // namespace
}  // namespace roformer
