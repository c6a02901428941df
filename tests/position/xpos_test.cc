#include "position/xpos.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "position/rotary.h"

namespace roformer {
namespace {

constexpr int64_t kXPosDim = 16;

std::vector<double> random_vector(Generator& generator) {
  std::vector<double> values(kXPosDim);
  for (double& x : values) x = generator.normal();
  return values;
}

double score(std::vector<double> q, std::vector<double> k, const XPos& xpos, int64_t m, int64_t n) {
  const RotaryFrequencies frequencies(Rotary{kXPosDim});
  rotate(std::span(q), frequencies, m);
  rotate(std::span(k), frequencies, n);
  double sum = 0;
  for (int64_t i = 0; i < kXPosDim; ++i) {
    sum += q[i] * xpos_scale(xpos, kXPosDim, i / 2, m) * k[i] / xpos_scale(xpos, kXPosDim, i / 2, n);
  }
  return sum;
}

TEST(XPos, ScoresDependOnTheDistanceOnlyAndOnNoCenter) {
  Generator generator({31, 32});
  for (int trial = 0; trial < 20; ++trial) {
    const auto q = random_vector(generator), k = random_vector(generator);
    const double expected = score(q, k, {512, 0}, 300, 17);
    for (const int64_t shift : {1, 100, 5000}) {
      EXPECT_NEAR(score(q, k, {512, 0}, 300 + shift, 17 + shift), expected, 1e-9) << shift;
    }
    for (const int64_t center : {1, 150, 4000}) {
      EXPECT_NEAR(score(q, k, {512, center}, 300, 17), expected, 1e-9) << center;
    }
    EXPECT_GT(std::abs(score(q, k, {512, 0}, 301, 17) - expected), 1e-6);
    EXPECT_GT(std::abs(score(q, k, {500, 0}, 300, 17) - expected), 1e-6);
  }
}

// ζ_i^((m − n) / scale_base), by the published formula.
TEST(XPos, ThePowerIsThePublishedOne) {
  for (int64_t pair = 0; pair < kXPosDim / 2; ++pair) {
    const double zeta = (2 * static_cast<double>(pair) + 0.4 * kXPosDim) / (1.4 * kXPosDim);
    EXPECT_DOUBLE_EQ(xpos_scale({512, 0}, kXPosDim, pair, 512), zeta);
    EXPECT_NEAR(xpos_scale({100, 30}, kXPosDim, pair, 5), std::pow(zeta, -0.25), 1e-14);
    EXPECT_EQ(xpos_scale({100, 30}, kXPosDim, pair, 30), 1);
  }
  EXPECT_LT(xpos_scale({512, 0}, kXPosDim, 0, 512), xpos_scale({512, 0}, kXPosDim, 7, 512));  // fast pairs decay faster
}

TEST(XPos, AllThatIsAllowedFitsInFloat32) {
  const double smallest = xpos_scale({1, 0}, kXPosDim, 0, 32);
  EXPECT_GT(smallest, std::numeric_limits<float>::min());
  EXPECT_LT(1 / smallest, std::numeric_limits<float>::max());
  EXPECT_THROW(xpos_scale({1, 0}, kXPosDim, 0, 33), DataError);
  EXPECT_THROW(xpos_scale({1, 100}, kXPosDim, 0, 67), DataError);
  EXPECT_NO_THROW(xpos_scale({1, 100}, kXPosDim, 0, 68));
}

TEST(XPos, SettingsAreChecked) {
  EXPECT_NO_THROW(validate(XPos{}));
  for (const double base : {0.0, -1.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    EXPECT_THROW(validate(XPos{base, 0}), UsageError) << base;
  }
  EXPECT_THROW(validate(XPos{512, -1}), UsageError);
  EXPECT_THROW(validate(XPos{512, (int64_t{1} << 29) + 1}), UsageError);
}

}  // namespace
}  // namespace roformer
