// The paper's theorems about rotations, for random vectors, far positions and every setting.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "base/random.h"
#include "position/decay.h"
#include "position/rotary.h"

namespace roformer {
namespace {

using Vector = std::vector<double>;
constexpr int64_t kHead = 24;

template <class Real = double>
std::vector<Real> random_vector(Generator& generator, int64_t size = kHead) {
  std::vector<Real> result(size);
  for (Real& x : result) x = static_cast<Real>(generator.normal());
  return result;
}

template <class Real>
std::vector<Real> rotated(std::vector<Real> x, const RotaryFrequencies& frequencies, int64_t position) {
  rotate(std::span<Real>(x), frequencies, position);
  return x;
}

template <class Real>
double dot(const std::vector<Real>& a, const std::vector<Real>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

std::vector<Rotary> all_settings() {
  std::vector<Rotary> settings;
  for (const RotaryLayout layout : {RotaryLayout::adjacent, RotaryLayout::half}) {
    settings.push_back({.dim = kHead, .layout = layout});
    settings.push_back({.dim = 12, .layout = layout, .base = 500000});
    settings.push_back({.dim = kHead, .layout = layout, .proportion = 0.4});
    settings.push_back({.dim = kHead, .layout = layout, .scaling = NtkScaling{4}});
    settings.push_back({.dim = kHead, .layout = layout, .scaling = Llama3Scaling{8, 1, 4, 64}});
    settings.push_back(
        {.dim = kHead, .layout = layout, .scaling = YarnScaling{.factor = 4, .original_positions = 128}});
  }
  return settings;
}

// Eq. 16, at positions of a million, with the angles of this project in float64 and float32.
template <class Real>
void expect_scores_of_distances(double tolerance) {
  Generator generator({41, 42});
  for (const Rotary& rotary : all_settings()) {
    const RotaryFrequencies frequencies(rotary);
    for (int trial = 0; trial < 20; ++trial) {
      const auto q = random_vector<Real>(generator), k = random_vector<Real>(generator);
      const auto distance = static_cast<int64_t>(generator.below(5000));
      const double score = dot(rotated(q, frequencies, distance), rotated(k, frequencies, 0));
      const double size = std::sqrt(dot(q, q) * dot(k, k));
      for (const int64_t far : {1'000'000, 1'048'575, 100'000'000}) {
        const double other = dot(rotated(q, frequencies, far + distance), rotated(k, frequencies, far));
        EXPECT_NEAR(other / size, score / size, tolerance) << far << ", " << distance;
      }
    }
  }
}

TEST(RotaryProperties, ScoresDependOnTheDistanceOnlyAtAMillion) {
  expect_scores_of_distances<double>(1e-12);
  expect_scores_of_distances<float>(1e-6);
}

TEST(RotaryProperties, LengthsAreKeptAndRotationsCompose) {
  Generator generator({43, 44});
  for (const Rotary& rotary : all_settings()) {
    const RotaryFrequencies frequencies(rotary);
    const double factor = frequencies.attention_factor();
    for (int trial = 0; trial < 20; ++trial) {
      const Vector x = random_vector(generator);
      const auto m = static_cast<int64_t>(generator.below(2'000'000)),
                 n = static_cast<int64_t>(generator.below(2'000'000));
      const Vector once = rotated(x, frequencies, m), twice = rotated(once, frequencies, n),
                   direct = rotated(x, frequencies, m + n);
      double length = 0, direct_length = 0;
      for (int64_t i = 0; i < kHead; ++i) {
        const double own = i < rotary.dim ? factor : 1;
        EXPECT_NEAR(twice[i], own * direct[i], 1e-12);
        length += own * x[i] * own * x[i];
        direct_length += once[i] * once[i];
      }
      EXPECT_NEAR(direct_length, length, 1e-11);
    }
  }
}

// R_m of Eq. 14 and 15 as it is printed, i counted from 1.
std::vector<Vector> explicit_matrix(int64_t dim, double base, int64_t m) {
  std::vector<Vector> matrix(dim, Vector(dim, 0));
  for (int64_t i = 1; i <= dim / 2; ++i) {
    const double angle = static_cast<double>(m) * std::pow(base, -2.0 * static_cast<double>(i - 1) / dim);
    matrix[2 * i - 2][2 * i - 2] = matrix[2 * i - 1][2 * i - 1] = std::cos(angle);
    matrix[2 * i - 2][2 * i - 1] = -std::sin(angle);
    matrix[2 * i - 1][2 * i - 2] = std::sin(angle);
  }
  return matrix;
}

Vector times(const std::vector<Vector>& matrix, const Vector& x) {
  Vector result;
  for (const Vector& row : matrix) result.push_back(dot(row, x));
  return result;
}

TEST(RotaryProperties, TheMatricesOfThePaperGiveTheSame) {
  Generator generator({45, 46});
  for (const int64_t dim : {2, 6, 24}) {
    const RotaryFrequencies frequencies(Rotary{.dim = dim});
    for (int trial = 0; trial < 20; ++trial) {
      const Vector q = random_vector(generator, dim), k = random_vector(generator, dim);
      const auto m = static_cast<int64_t>(generator.below(1000)), n = static_cast<int64_t>(generator.below(1000));
      const Vector by_matrix = times(explicit_matrix(dim, 10000, m), q), by_pairs = rotated(q, frequencies, m);
      for (int64_t i = 0; i < dim; ++i) EXPECT_NEAR(by_pairs[i], by_matrix[i], 1e-11);
      // qᵀ R_{n−m} k
      const double relative = dot(q, times(explicit_matrix(dim, 10000, n - m), k));
      EXPECT_NEAR(dot(by_pairs, rotated(k, frequencies, n)), relative, 1e-11);
      EXPECT_NEAR(rotary_score(frequencies, q, k, n - m), relative, 1e-11);
    }
  }
}

TEST(RotaryProperties, OnAGridRowsAndColumnsMatterOnly) {
  Generator generator({47, 48});
  for (const RotaryLayout layout : {RotaryLayout::adjacent, RotaryLayout::half}) {
    constexpr int64_t kWidth = 50;
    const RotaryFrequencies frequencies({.dim = kHead, .layout = layout, .grid_width = kWidth});
    const auto at = [](int64_t row, int64_t column) { return row * kWidth + column; };
    for (int trial = 0; trial < 20; ++trial) {
      const Vector q = random_vector(generator), k = random_vector(generator);
      const auto score = [&](int64_t query, int64_t key) {
        return dot(rotated(q, frequencies, query), rotated(k, frequencies, key));
      };
      const double expected = score(at(3, 7), at(1, 20));
      EXPECT_NEAR(score(at(103, 17), at(101, 30)), expected, 1e-12);
      EXPECT_NEAR(score(at(2000, 0), at(1998, 13)), expected, 1e-12);
      EXPECT_GT(std::abs(score(at(3, 8), at(1, 20)) - expected), 1e-6);
      EXPECT_GT(std::abs(score(at(4, 7), at(1, 20)) - expected), 1e-6);
    }
    EXPECT_NEAR(frequencies.angle(at(9, 4), 0).sin, std::sin(9.0), 1e-15);
    EXPECT_NEAR(frequencies.angle(at(9, 4), 6).sin, std::sin(4.0), 1e-15);
    // Each axis has all frequencies of half the dimension: 1 … base^(−10/12).
    EXPECT_DOUBLE_EQ(frequencies.theta(0), 1);
    EXPECT_DOUBLE_EQ(frequencies.theta(5), std::pow(10000, -10.0 / 12));
    EXPECT_DOUBLE_EQ(frequencies.theta(6), 1);
    EXPECT_DOUBLE_EQ(frequencies.theta(11), std::pow(10000, -10.0 / 12));
  }
}

TEST(RotaryProperties, OfAProportionTheSlowPairsStand) {
  const RotaryFrequencies all(Rotary{.dim = kHead}), some({.dim = kHead, .proportion = 0.4});
  for (int64_t pair = 0; pair < 12; ++pair) {
    EXPECT_EQ(some.theta(pair), pair < 4 ? all.theta(pair) : 0) << pair;  // 0.4 · 12 rounded down
    if (pair >= 4) {
      EXPECT_EQ(some.angle(12345, pair).cos, 1);
      EXPECT_EQ(some.angle(12345, pair).sin, 0);
    }
  }
}

// Eq. 37 in the mean: over random q and k, |score| far away is smaller than near, as the bound is.
TEST(RotaryProperties, TheBoundDecaysInTheMean) {
  const RotaryFrequencies frequencies(Rotary{128});
  const auto mean = [&](int64_t begin, int64_t end) {
    double sum = 0;
    for (int64_t distance = begin; distance < end; ++distance) sum += rotary_decay(frequencies, distance);
    return sum / static_cast<double>(end - begin);
  };
  EXPECT_GT(mean(0, 32), 1.3 * mean(32, 64));
  EXPECT_GT(mean(32, 64), mean(64, 128));
  EXPECT_GT(mean(64, 128), mean(192, 256));
}

TEST(RotaryProperties, AnAttentionFactorGrowsScoresBySquare) {
  const YarnScaling yarn{.factor = 4, .original_positions = 128, .attention_factor = 1.5};
  auto plain = yarn;
  plain.attention_factor = 1;
  const RotaryFrequencies grown({.dim = kHead, .scaling = yarn}), same({.dim = kHead, .scaling = plain});
  Generator generator({49, 50});
  const Vector q = random_vector(generator), k = random_vector(generator);
  EXPECT_NEAR(rotary_score(grown, q, k, 9), 2.25 * rotary_score(same, q, k, 9), 1e-12);
  EXPECT_NEAR(rotary_score(grown, q, k, 9), dot(rotated(q, grown, 1), rotated(k, grown, 10)), 1e-12);
  EXPECT_NEAR(rotary_decay(grown, 9), rotary_decay(same, 9), 1e-12);
}

}  // namespace
}  // namespace roformer
