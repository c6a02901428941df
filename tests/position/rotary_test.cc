#include "position/rotary.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>
#include <vector>

#include "base/error.h"
#include "base/random.h"

namespace roformer {
namespace {

using Vector = std::vector<double>;

Vector random_vector(Generator& generator, int64_t size) {
  Vector result(size);
  for (double& x : result) x = generator.normal();
  return result;
}

Vector rotated(Vector x, const Rotary& rotary, int64_t position, RotaryDirection direction = RotaryDirection::forward) {
  rotate(std::span<double>(x), RotaryFrequencies(rotary), position, direction);
  return x;
}

double dot(const Vector& a, const Vector& b) { return std::inner_product(a.begin(), a.end(), b.begin(), 0.0); }

void expect_near(const Vector& a, const Vector& b, double tolerance) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], tolerance) << "element " << i;
}

// transformers, tests/models/roformer/test_modeling_roformer.py: q = arange(2·12·16·64) / 100 in shape [2, 12, 16, 64],
// the rows [0, 0, 0:6, 0:8] after rotation, as printed there; k = −q.
TEST(Rotary, GoldenRowsOfTransformers) {
  constexpr double kExpected[6][8] = {
      {0, .01, .02, .03, .04, .05, .06, .07},
      {-.2012, .8897, .0263, .9401, .2074, .9463, .3481, .9343},
      {-1.7057, .6271, -1.2145, 1.3897, -.6303, 1.7647, -.1173, 1.8985},
      {-2.1731, -1.6397, -2.7358, .2854, -2.1840, 1.7183, -1.3018, 2.4871},
      {.2717, -3.6173, -2.9206, -2.1988, -3.6638, .3858, -2.9155, 2.2980},
      {3.9859, -2.1580, -.7984, -4.4904, -4.1181, -2.0252, -4.4782, 1.1253},
  };
  const RotaryFrequencies frequencies(Rotary{64});
  for (int position = 0; position < 6; ++position) {
    std::vector<float> q(64), k(64);
    for (int i = 0; i < 64; ++i) {
      q[i] = static_cast<float>(position * 64 + i) / 100;
      k[i] = -q[i];
    }
    rotate(std::span<float>(q), frequencies, position);
    rotate(std::span<float>(k), frequencies, position);
    for (int i = 0; i < 8; ++i) {
      EXPECT_NEAR(q[i], kExpected[position][i], 1e-4) << "q at " << position << ", " << i;
      EXPECT_NEAR(k[i], -kExpected[position][i], 1e-4) << "k at " << position << ", " << i;
    }
  }
}

// base = 2^(dim/2) gives θ_i = 2^−i, so m·θ_i is exact in long double and so are its cosine and sine.
TEST(Rotary, AnglesAreExactWhereTheFrequencyIsADyadicFraction) {
  const RotaryFrequencies frequencies(Rotary{16, RotaryLayout::adjacent, 256});
  Generator generator({1, 2});
  std::vector<int64_t> positions = {0, 1, 2, 131072, kMaxRotaryPosition - 1, kMaxRotaryPosition};
  for (int i = 0; i < 500; ++i) positions.push_back(static_cast<int64_t>(generator.below(kMaxRotaryPosition + 1)));
  for (const int64_t position : positions) {
    for (int64_t pair = 0; pair < frequencies.pairs(); ++pair) {
      const long double angle = std::ldexp(static_cast<long double>(position), static_cast<int>(-pair));
      const auto [cos, sin] = frequencies.angle(position, pair);
      EXPECT_NEAR(cos, static_cast<double>(std::cos(angle)), 1e-15) << position << ", " << pair;
      EXPECT_NEAR(sin, static_cast<double>(std::sin(angle)), 1e-15) << position << ", " << pair;
    }
  }
}

// For any base: cos and sin at position 2^k must agree with the angle doubled k times from position 1, where the
// doubling runs in 113-bit arithmetic: error 2^k · 2^−113 · a few.
TEST(Rotary, AnglesAreExactAtEveryPositionAllowed) {
  __extension__ using Quad = __float128;
  for (const Rotary& rotary : {Rotary{64}, Rotary{6}, Rotary{128, RotaryLayout::half, 500000}, Rotary{80, {}, 1.5}}) {
    const RotaryFrequencies frequencies(rotary);
    for (int64_t pair = 0; pair < rotary.dim / 2; ++pair) {
      // θ by bisection of base^(−pair) = θ^(dim/2) in 113 bits, independently of the class.
      Quad low = 0, high = 1;
      for (int step = 0; step < 112; ++step) {
        const Quad middle = (low + high) / 2;
        Quad left = 1, right = 1;
        for (int64_t i = 0; i < rotary.dim / 2; ++i) left *= middle;
        for (int64_t i = 0; i < pair; ++i) right /= rotary.base;
        (left < right ? low : high) = middle;
      }
      const Quad theta = pair == 0 ? Quad{1} : low;
      // The Taylor series of cosine and sine at a tiny angle, then doubled up to position 2^29.
      const Quad a = theta / (1 << 20);
      Quad cosine_minus_one = -a * a / 2 * (1 - a * a / 12 * (1 - a * a / 30 * (1 - a * a / 56)));
      Quad sine = a * (1 - a * a / 6 * (1 - a * a / 20 * (1 - a * a / 42)));
      for (int doubling = 0; doubling <= 49; ++doubling) {
        if (doubling >= 20) {
          const auto [cos, sin] = frequencies.angle(int64_t{1} << (doubling - 20), pair);
          EXPECT_NEAR(cos, static_cast<double>(1 + cosine_minus_one), 1e-14) << doubling << ", " << pair;
          EXPECT_NEAR(sin, static_cast<double>(sine), 1e-14) << doubling << ", " << pair;
        }
        const Quad doubled_sine = 2 * sine * (1 + cosine_minus_one);
        cosine_minus_one = -2 * sine * sine;
        sine = doubled_sine;
      }
    }
  }
}

// Composition carries the exactness from powers of two to any position.
TEST(Rotary, AnglesOfSumsAreSumsOfAngles) {
  const RotaryFrequencies frequencies(Rotary{64});
  Generator generator({3, 4});
  for (int i = 0; i < 200; ++i) {
    const auto m = static_cast<int64_t>(generator.below(kMaxRotaryPosition / 2));
    const auto n = static_cast<int64_t>(generator.below(kMaxRotaryPosition / 2));
    for (int64_t pair = 0; pair < 32; ++pair) {
      const auto a = frequencies.angle(m, pair), b = frequencies.angle(n, pair), sum = frequencies.angle(m + n, pair);
      EXPECT_NEAR(sum.cos, a.cos * b.cos - a.sin * b.sin, 1e-14);
      EXPECT_NEAR(sum.sin, a.sin * b.cos + a.cos * b.sin, 1e-14);
    }
  }
}

TEST(Rotary, SinglePrecisionErrorIsARoundingErrorAtAnyPosition) {
  const RotaryFrequencies frequencies(Rotary{64});
  Generator generator({5, 6});
  for (int trial = 0; trial < 300; ++trial) {
    const int64_t position =
        trial == 0 ? kMaxRotaryPosition : static_cast<int64_t>(generator.below(kMaxRotaryPosition));
    for (int64_t pair = 0; pair < 32; ++pair) {
      const auto [cos, sin] = frequencies.angle(position, pair);
      float x0 = static_cast<float>(generator.normal()), x1 = static_cast<float>(generator.normal());
      double exact0 = x0, exact1 = x1;
      const double bound = 2e-7 * std::hypot(exact0, exact1);
      rotate_pair(x0, x1, static_cast<float>(cos), static_cast<float>(sin));
      rotate_pair(exact0, exact1, cos, sin);
      EXPECT_LE(std::hypot(x0 - exact0, x1 - exact1), bound * std::numbers::sqrt2) << position;
      EXPECT_LE(std::max(std::abs(x0 - exact0), std::abs(x1 - exact1)), bound) << position;
    }
  }
}

class RotaryLayouts : public testing::TestWithParam<Rotary> {};

constexpr int64_t kHeadSize = 20;

TEST_P(RotaryLayouts, ScoresDependOnTheDistanceOnly) {
  Generator generator({7, 8});
  const Vector q = random_vector(generator, kHeadSize), k = random_vector(generator, kHeadSize);
  const double score = dot(rotated(q, GetParam(), 3), rotated(k, GetParam(), 8));
  for (const int64_t shift : {1, 100, 131072, 1 << 28}) {
    EXPECT_NEAR(dot(rotated(q, GetParam(), 3 + shift), rotated(k, GetParam(), 8 + shift)), score, 1e-12) << shift;
  }
  EXPECT_GT(std::abs(dot(rotated(q, GetParam(), 3), rotated(k, GetParam(), 9)) - score), 1e-3);
}

TEST_P(RotaryLayouts, RotationsComposeKeepLengthsAndAreUndoneByTheirTranspose) {
  Generator generator({9, 10});
  const Vector x = random_vector(generator, kHeadSize);
  const Vector once = rotated(x, GetParam(), 1000);
  EXPECT_NEAR(dot(once, once), dot(x, x), 1e-12);
  expect_near(rotated(once, GetParam(), 77), rotated(x, GetParam(), 1077), 1e-13);
  expect_near(rotated(once, GetParam(), 1000, RotaryDirection::transposed), x, 1e-13);
  expect_near(rotated(x, GetParam(), 0), x, 0);
}

TEST_P(RotaryLayouts, TheGradientIsTheTransposedRotation) {
  // (R x)·y = x·(Rᵀ y)
  Generator generator({11, 12});
  const Vector x = random_vector(generator, kHeadSize), y = random_vector(generator, kHeadSize);
  EXPECT_NEAR(dot(rotated(x, GetParam(), 41), y), dot(x, rotated(y, GetParam(), 41, RotaryDirection::transposed)),
              1e-12);
}

TEST_P(RotaryLayouts, ElementsBeyondTheRotaryDimensionPassThrough) {
  Generator generator({13, 14});
  const Vector x = random_vector(generator, kHeadSize), y = rotated(x, GetParam(), 5);
  for (int64_t i = 0; i < kHeadSize; ++i) {
    if (i >= GetParam().dim) {
      EXPECT_EQ(x[i], y[i]) << i;
    } else {
      EXPECT_NE(x[i], y[i]) << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, RotaryLayouts,
                         testing::Values(Rotary{20}, Rotary{20, RotaryLayout::half}, Rotary{12},
                                         Rotary{12, RotaryLayout::half, 500}, Rotary{2}));

TEST(Rotary, AnAdjacentPairIsTurnedByItsAngle) {
  // dim 4: θ = 1, 1/100.
  const Vector y = rotated({1, 0, 0, 1}, Rotary{4}, 3);
  expect_near(y, {std::cos(3), std::sin(3), -std::sin(0.03), std::cos(0.03)}, 1e-15);
  const Vector half = rotated({1, 0, 0, 1}, Rotary{4, RotaryLayout::half}, 3);
  expect_near(half, {std::cos(3), -std::sin(0.03), std::sin(3), std::cos(0.03)}, 1e-15);
}

TEST(Rotary, LayoutsDifferByThePermutation) {
  Generator generator({15, 16});
  for (const int64_t dim : {20, 12}) {
    const Rotary adjacent{dim}, half{dim, RotaryLayout::half};
    const Vector x = random_vector(generator, kHeadSize);
    const auto permutation = rotary_permutation(adjacent, RotaryLayout::half, kHeadSize);
    const auto permuted = [&](const Vector& v) {
      Vector result(kHeadSize);
      for (int64_t j = 0; j < kHeadSize; ++j) result[j] = v[permutation[j]];
      return result;
    };
    expect_near(rotated(permuted(x), half, 9), permuted(rotated(x, adjacent, 9)), 0);
    const auto back = rotary_permutation(half, RotaryLayout::adjacent, kHeadSize);
    for (int64_t j = 0; j < kHeadSize; ++j) EXPECT_EQ(permutation[back[j]], j);
  }
  EXPECT_EQ(rotary_permutation(Rotary{4}, RotaryLayout::half, 6), (std::vector<int64_t>{0, 2, 1, 3, 4, 5}));
}

TEST(Rotary, PositionsOutOfRangeAreRefused) {
  const RotaryFrequencies frequencies(Rotary{8});
  EXPECT_THROW(frequencies.angle(-1, 0), DataError);
  EXPECT_THROW(frequencies.angle(kMaxRotaryPosition + 1, 0), DataError);
  EXPECT_THROW(frequencies.angle(std::numeric_limits<int64_t>::min(), 0), DataError);
  EXPECT_NO_THROW(frequencies.angle(kMaxRotaryPosition, 3));
}

TEST(Rotary, SettingsThatCannotRotateAreRefused) {
  EXPECT_NO_THROW(validate(Rotary{64}, 64));
  EXPECT_NO_THROW(validate(Rotary{32}, 64));
  for (const int64_t dim : {0, -2, 3, 66}) EXPECT_THROW(validate(Rotary{dim}, 64), UsageError) << dim;
  for (const double base : {0.0, 1.0, -10000.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    EXPECT_THROW(validate(Rotary{64, RotaryLayout::adjacent, base}, 64), UsageError) << base;
    EXPECT_THROW(RotaryFrequencies(Rotary{64, RotaryLayout::adjacent, base}), UsageError) << base;
  }
}

TEST(Rotary, LayoutNames) {
  EXPECT_EQ(parse_rotary_layout("half"), RotaryLayout::half);
  EXPECT_EQ(rotary_layout_name(parse_rotary_layout("adjacent")), "adjacent");
  EXPECT_THROW(parse_rotary_layout("neox"), UsageError);
}

}  // namespace
}  // namespace roformer
