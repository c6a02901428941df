#include "position/scaling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "base/error.h"
#include "position/rotary.h"
#include "tests/base/error_detail.h"

namespace roformer {
namespace {

const LongRopeScaling kScalingLongRope{{1, 1.25, 1.5, 2}, {1, 2, 6, 8}, 512, 16, {}};

// Values of every kind against transformers are in tests/conformance.
TEST(Scaling, WithoutOneNothingChanges) {
  const RotaryFrequencies plain(Rotary{16}), longer(Rotary{16}, 1 << 20);
  EXPECT_EQ(plain.attention_factor(), 1);
  for (int64_t i = 0; i < 8; ++i) {
    EXPECT_DOUBLE_EQ(plain.theta(i), std::pow(10000, -static_cast<double>(i) / 8));
    EXPECT_EQ(plain.theta(i), longer.theta(i));
  }
}

TEST(Scaling, OfOneIsNone) {
  const RotaryFrequencies plain(Rotary{8});
  for (const RotaryScaling& scaling : {RotaryScaling(LinearScaling{1}), RotaryScaling(NtkScaling{1}),
                                       RotaryScaling(YarnScaling{.factor = 1, .original_positions = 64}),
                                       RotaryScaling(LongRopeScaling{{1, 1, 1, 1}, {1, 1, 1, 1}, 64, 1, {}}),
                                       RotaryScaling(Llama3Scaling{1, 1, 4, 64})}) {
    const RotaryFrequencies scaled({.dim = 8, .scaling = scaling}, 5000);
    EXPECT_EQ(scaled.attention_factor(), 1) << scaling.index();
    for (int64_t i = 0; i < 4; ++i) EXPECT_DOUBLE_EQ(scaled.theta(i), plain.theta(i)) << scaling.index();
  }
}

// Position interpolation by f rotates position f·m as m without it, exactly, even at a million tokens.
TEST(Scaling, LinearIsExactAtFarPositions) {
  const RotaryFrequencies plain(Rotary{64}), scaled({.dim = 64, .scaling = LinearScaling{3}});
  for (const int64_t position : {7, 1'000'003, 100'000'007}) {
    for (int64_t pair = 0; pair < 32; ++pair) {
      const auto a = plain.angle(position, pair), b = scaled.angle(3 * position, pair);
      EXPECT_NEAR(a.cos, b.cos, 1e-14) << position << ", " << pair;
      EXPECT_NEAR(a.sin, b.sin, 1e-14) << position << ", " << pair;
    }
  }
}

// NTK: the fastest pair is unchanged, the slowest as with interpolation.
TEST(Scaling, NtkInterpolatesTheSlowestPairOnly) {
  const RotaryFrequencies plain(Rotary{64}), ntk({.dim = 64, .scaling = NtkScaling{4}});
  EXPECT_EQ(ntk.theta(0), 1);
  EXPECT_NEAR(ntk.theta(31), plain.theta(31) / 4, 1e-12 * plain.theta(31));
  const DynamicNtkScaling dynamic{2, 100};
  const RotaryFrequencies of_training({.dim = 64, .scaling = dynamic}, 100),
      grown({.dim = 64, .scaling = dynamic}, 250);
  EXPECT_DOUBLE_EQ(of_training.theta(31), plain.theta(31));
  EXPECT_NEAR(grown.theta(31), plain.theta(31) / 4, 1e-12 * plain.theta(31));  // 2 · 2.5 − 1
}

// Fast pairs are unchanged, slow ones interpolated.
TEST(Scaling, YarnAndLlama3KeepFastPairs) {
  const RotaryFrequencies plain(Rotary{64});
  for (const RotaryScaling& scaling : {RotaryScaling(YarnScaling{.factor = 8, .original_positions = 2048}),
                                       RotaryScaling(Llama3Scaling{8, 1, 4, 2048})}) {
    const RotaryFrequencies scaled({.dim = 64, .scaling = scaling});
    EXPECT_EQ(scaled.theta(0), 1) << scaling.index();
    EXPECT_DOUBLE_EQ(scaled.theta(31), plain.theta(31) / 8) << scaling.index();
    for (int64_t pair = 1; pair < 32; ++pair) {
      EXPECT_LE(plain.theta(pair) / scaled.theta(pair) + 1e-12, 8 + 2e-12) << pair;
      EXPECT_GE(plain.theta(pair) / scaled.theta(pair) + 1e-12, plain.theta(pair - 1) / scaled.theta(pair - 1)) << pair;
    }
  }
  EXPECT_NEAR(
      RotaryFrequencies({.dim = 64, .scaling = YarnScaling{.factor = 8, .original_positions = 64}}).attention_factor(),
      0.1 * std::log(8.0) + 1, 1e-15);
}

TEST(Scaling, LengthsThatGiveTheSameFrequenciesShareOne) {
  EXPECT_EQ(scaling_length(LinearScaling{2}, 9000), 0);
  EXPECT_EQ(scaling_length(YarnScaling{.factor = 2, .original_positions = 9}, 9000), 0);
  EXPECT_EQ(scaling_length(DynamicNtkScaling{2, 512}, 512), 0);
  EXPECT_EQ(scaling_length(DynamicNtkScaling{2, 512}, 513), 513);
  EXPECT_EQ(scaling_length(kScalingLongRope, 512), 0);
  EXPECT_EQ(scaling_length(kScalingLongRope, 513), scaling_length(kScalingLongRope, 90000));
  for (const RotaryScaling& scaling : {RotaryScaling(DynamicNtkScaling{2, 512}), RotaryScaling(kScalingLongRope)}) {
    for (const int64_t length : {1, 512, 513, 700, 5000}) {
      const RotaryFrequencies direct({.dim = 8, .scaling = scaling}, length),
          shared({.dim = 8, .scaling = scaling}, scaling_length(scaling, length));
      for (int64_t pair = 0; pair < 4; ++pair) EXPECT_EQ(direct.theta(pair), shared.theta(pair)) << length;
    }
  }
}

TEST(Scaling, LengthensWhatAModelIsMeantFor) {
  EXPECT_EQ(scaled_positions({}, 512), 512);
  EXPECT_EQ(scaled_positions(LinearScaling{4}, 512), 2048);
  EXPECT_EQ(scaled_positions(LinearScaling{0.5}, 512), 512);
  EXPECT_EQ(scaled_positions(NtkScaling{2.5}, 512), 1280);
  EXPECT_EQ(scaled_positions(DynamicNtkScaling{2, 512}, 512), 1024);
  // Qwen 2.5: the files give the training length; DeepSeek V3: the scaled one.
  EXPECT_EQ(scaled_positions(YarnScaling{.factor = 4, .original_positions = 32768}, 32768), 131072);
  EXPECT_EQ(scaled_positions(YarnScaling{.factor = 40, .original_positions = 4096}, 163840), 163840);
  EXPECT_EQ(scaled_positions(LongRopeScaling{{1}, {2}, 4096, 32, {}}, 131072), 131072);
  EXPECT_EQ(scaled_positions(Llama3Scaling{32, 1, 4, 8192}, 131072), 131072);  // Llama 3.2
  EXPECT_EQ(scaled_positions(LinearScaling{1e6}, 512), int64_t{512'000'000});
  EXPECT_EQ(scaled_positions(LinearScaling{1e6}, 1 << 20), int64_t{1} << 29);
}

TEST(Scaling, GivenFrequenciesAreTakenAsTheyAre) {
  const std::vector<double> theta{1.5, 0, -0.25, 1e-3};
  const RotaryFrequencies given({.dim = 8, .proportion = 0.5, .scaling = LinearScaling{9}}, theta);
  EXPECT_EQ(given.attention_factor(), 1);
  for (int64_t pair = 0; pair < 4; ++pair) {
    EXPECT_EQ(given.theta(pair), theta[pair]);
    EXPECT_NEAR(given.angle(40, pair).cos, std::cos(40 * theta[pair]), 1e-13);
    EXPECT_NEAR(given.angle(40, pair).sin, std::sin(40 * theta[pair]), 1e-13);
  }
  EXPECT_THROW(RotaryFrequencies(Rotary{6}, theta), UsageError);
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity(), -65.0}) {
    EXPECT_THROW(RotaryFrequencies(Rotary{2}, std::vector<double>{bad}), DataError) << bad;
  }
  // An angle of a fast explicit frequency at a far position: 2^29 · 63.3 by doubling in 80 bits.
  const double fast = 63.3;
  const long double angle = std::fmod(static_cast<long double>(fast) * (1 << 29), 2 * 3.14159265358979323846264338328L);
  const auto [cos, sin] = RotaryFrequencies(Rotary{2}, std::vector<double>{fast}).angle(1 << 29, 0);
  EXPECT_NEAR(cos, static_cast<double>(std::cos(angle)), 1e-8);
  EXPECT_NEAR(sin, static_cast<double>(std::sin(angle)), 1e-8);
}

// The rejected setting.
std::string field_of(const Rotary& rotary) {
  return detail_of<UsageError>([&] { validate(rotary, 64); }).field;
}

std::string field_of(const RotaryScaling& scaling, int64_t dim = 8) {
  return field_of(Rotary{.dim = dim, .scaling = scaling});
}

TEST(Scaling, ErrorsNameTheSetting) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (const double bad : {0.0, -1.0, std::nan(""), kInfinity}) {
    EXPECT_EQ(field_of(LinearScaling{bad}), "factor") << bad;
    EXPECT_EQ(field_of(NtkScaling{bad}), "factor") << bad;
    EXPECT_EQ(field_of(DynamicNtkScaling{bad, 9}), "factor") << bad;
    const YarnScaling yarn{.factor = 2, .original_positions = 9};
    auto changed = yarn;
    changed.factor = bad;
    EXPECT_EQ(field_of(changed), "factor") << bad;
    changed = yarn, changed.beta_fast = bad;
    EXPECT_EQ(field_of(changed), "beta_fast") << bad;
    changed = yarn, changed.beta_slow = bad;
    EXPECT_EQ(field_of(changed), "beta_slow") << bad;
    changed = yarn, changed.attention_factor = bad;
    EXPECT_EQ(field_of(changed), "attention_factor") << bad;
    changed = yarn, changed.mscale = bad;
    EXPECT_EQ(field_of(changed), "mscale") << bad;
    changed = yarn, changed.mscale_all_dim = bad;
    EXPECT_EQ(field_of(changed), "mscale_all_dim") << bad;
    auto longrope = kScalingLongRope;
    longrope.short_factors[2] = bad;
    EXPECT_EQ(field_of(longrope), "short_factors") << bad;
    longrope = kScalingLongRope, longrope.long_factors[3] = bad;
    EXPECT_EQ(field_of(longrope), "long_factors") << bad;
    longrope = kScalingLongRope, longrope.factor = bad;
    EXPECT_EQ(field_of(longrope), "factor") << bad;
    longrope = kScalingLongRope, longrope.attention_factor = bad;
    EXPECT_EQ(field_of(longrope), "attention_factor") << bad;
    EXPECT_EQ(field_of(Llama3Scaling{bad, 1, 4, 9}), "factor") << bad;
    EXPECT_EQ(field_of(Llama3Scaling{2, bad, 4, 9}), "low_freq_factor") << bad;
    EXPECT_EQ(field_of(Llama3Scaling{2, 1, bad, 9}), "high_freq_factor") << bad;
    EXPECT_EQ(field_of(Rotary{.dim = 8, .proportion = bad}), "proportion") << bad;
  }
  EXPECT_EQ(field_of(kScalingLongRope, 10), "short_factors");
  EXPECT_EQ(field_of(DynamicNtkScaling{2, 0}), "original_positions");
  EXPECT_EQ(field_of(YarnScaling{.factor = 2}), "original_positions");
  EXPECT_EQ(field_of(Llama3Scaling{2, 1, 4, 0}), "original_positions");
  EXPECT_EQ(field_of(Llama3Scaling{2, 4, 4, 9}), "high_freq_factor");
  EXPECT_EQ(field_of(NtkScaling{2}, 2), "dim");
  EXPECT_EQ(field_of(DynamicNtkScaling{2, 9}, 2), "dim");
  EXPECT_EQ(field_of(Rotary{.dim = 8, .proportion = 1.01}), "proportion");
  EXPECT_EQ(field_of(Rotary{.dim = 8, .grid_width = -1}), "grid_width");
  EXPECT_EQ(field_of(Rotary{.dim = 6, .grid_width = 4}), "grid_width");
  EXPECT_EQ(field_of(Rotary{.dim = 8, .grid_width = 4, .scaling = LinearScaling{2}}), "grid_width");
  EXPECT_NO_THROW(validate(Rotary{.dim = 8, .grid_width = 4}, 64));
  EXPECT_EQ(field_of(Rotary{.dim = 7}), "dim");
  EXPECT_EQ(field_of(Rotary{.dim = 66}), "dim");
  EXPECT_EQ(field_of(Rotary{.dim = 8, .base = 1}), "base");
  const Rotary vast{.dim = 4, .base = 1e300, .scaling = NtkScaling{1e6}};
  EXPECT_EQ(detail_of<UsageError>([&] { RotaryFrequencies frequencies(vast); }).field, "base");
}

}  // namespace
}  // namespace roformer
