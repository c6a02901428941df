#include "position/decay.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/random.h"

namespace roformer {
namespace {

using Complex = std::complex<double>;

const RotaryFrequencies& paper() {
  static const RotaryFrequencies frequencies({128, RotaryLayout::adjacent, 10000});
  return frequencies;
}

std::vector<double> random_vector(int64_t size, uint64_t seed) {
  Generator generator({seed, 0});
  std::vector<double> values;
  for (int64_t i = 0; i < size; ++i) values.push_back(generator.normal());
  return values;
}

TEST(Decay, AtDistanceZeroAllTermsAgree) {
  const auto sums = rotary_partial_sums(paper(), 0);
  ASSERT_EQ(sums.size(), 64u);
  for (size_t i = 0; i < sums.size(); ++i) EXPECT_EQ(sums[i], Complex(static_cast<double>(i) + 1, 0));
  EXPECT_DOUBLE_EQ(rotary_decay(paper(), 0), 32.5);
}

TEST(Decay, PartialSumsAreTheDirectOnes) {
  for (const double base : {10000.0, 500.0}) {
    const RotaryFrequencies frequencies({128, RotaryLayout::half, base});
    for (const int64_t distance : {1, 2, 17, 100, 256, -17}) {
      Complex sum = 0;
      double total = 0;
      for (int i = 0; i < 64; ++i) {
        sum += std::polar(1.0, static_cast<double>(distance) * std::pow(base, -i / 64.0));
        total += std::abs(sum);
        EXPECT_LT(std::abs(rotary_partial_sums(frequencies, distance)[static_cast<size_t>(i)] - sum), 1e-11);
      }
      EXPECT_NEAR(rotary_decay(frequencies, distance), total / 64, 1e-11);
    }
  }
}

TEST(Decay, FallsWithDistanceAndIsEven) {
  double near = 0, far = 0;
  for (int64_t distance = 1; distance <= 32; ++distance) {
    near += rotary_decay(paper(), distance);
    far += rotary_decay(paper(), 224 + distance);
    EXPECT_DOUBLE_EQ(rotary_decay(paper(), distance), rotary_decay(paper(), -distance));
  }
  EXPECT_LT(far, 0.5 * near);
  EXPECT_LT(near, 32 * rotary_decay(paper(), 0));
}

// Eq. 35 to 37 for random q and k: the score is Re Σ h_i e^{ı(m−n)θ_i} and within Abel's bound.
TEST(Decay, AbelBoundsTheScore) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const auto q = random_vector(128, 2 * seed), k = random_vector(128, 2 * seed + 1);
    std::vector<Complex> h;
    for (size_t i = 0; i < 64; ++i) h.push_back(Complex(q[2 * i], q[2 * i + 1]) * Complex(k[2 * i], -k[2 * i + 1]));
    h.push_back(0);
    double largest = 0;
    for (size_t i = 0; i < 64; ++i) largest = std::max(largest, std::abs(h[i + 1] - h[i]));
    for (const int64_t distance : {0, 1, 5, 40, 250}) {
      const auto sums = rotary_partial_sums(paper(), distance);
      Complex sum = 0;
      for (size_t i = 0; i < 64; ++i) sum += h[i] * (sums[i] - (i == 0 ? Complex() : sums[i - 1]));
      EXPECT_NEAR(rotary_score(paper(), q, k, -distance), sum.real(), 1e-10);
      EXPECT_LE(std::abs(sum), largest * 64 * rotary_decay(paper(), distance) * (1 + 1e-12));
    }
  }
}

TEST(Decay, ScoreIsThatOfRotatedVectors) {
  for (const RotaryLayout layout : {RotaryLayout::adjacent, RotaryLayout::half}) {
    const RotaryFrequencies frequencies({6, layout, 100});
    const auto q = random_vector(9, 1), k = random_vector(9, 2);  // three elements are not rotated
    for (const int64_t query : {0, 3, 50}) {
      for (const int64_t key : {0, 1, 50, 90}) {
        auto a = q, b = k;
        rotate(std::span(a), frequencies, query);
        rotate(std::span(b), frequencies, key);
        double expected = 0;
        for (size_t i = 0; i < a.size(); ++i) expected += a[i] * b[i];
        EXPECT_NEAR(rotary_score(frequencies, q, k, key - query), expected, 1e-12);
      }
    }
  }
}

TEST(Decay, OnAGridDistancesSayNothing) {
  const RotaryFrequencies grid({.dim = 8, .grid_width = 4});
  EXPECT_THROW(rotary_decay(grid, 1), UsageError);
  EXPECT_THROW(rotary_score(grid, std::vector<double>(8), std::vector<double>(8), 1), UsageError);
}

TEST(Decay, DistancesBeyondThePositionsAreRefused) {
  EXPECT_THROW(rotary_decay(paper(), kMaxRotaryPosition + 1), DataError);
  EXPECT_THROW(rotary_decay(paper(), -kMaxRotaryPosition - 1), DataError);
}

}  // namespace
}  // namespace roformer
