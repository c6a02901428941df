#include "position/rerotation.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "base/random.h"

namespace roformer {
namespace {

constexpr int64_t kDim = 8;
const LongRopeScaling kLongRope{{1, 1.25, 1.5, 2}, {1, 2, 6, 8}, 512, 16, {}};

std::vector<double> key_of(const KeyRotation& rotation, std::vector<double> key, int64_t position) {
  rotate(std::span(key), rotation.frequencies, position);
  for (int64_t i = 0; rotation.xpos && i < rotation.frequencies.pairs(); ++i) {
    const auto [first, second] = rotary_pair(rotation.frequencies.rotary(), i);
    for (const int64_t element : {first, second}) key[element] /= xpos_scale(*rotation.xpos, kDim, i, position);
  }
  return key;
}

struct Switch {
  std::string name;
  KeyRotation from, to;
};

KeyRotation plain(const RotaryScaling& scaling, int64_t length, RotaryLayout layout = RotaryLayout::adjacent) {
  return {RotaryFrequencies({.dim = kDim, .layout = layout, .scaling = scaling}, length)};
}

std::vector<Switch> switches() {
  const Rotary rotary{.dim = kDim};
  return {
      {"shift", plain({}, 0), plain({}, 0)},
      {"shift of halves", plain({}, 0, RotaryLayout::half), plain({}, 0, RotaryLayout::half)},
      {"dynamic", plain(DynamicNtkScaling{2, 512}, 600), plain(DynamicNtkScaling{2, 512}, 5000)},
      {"dynamic from training", plain(DynamicNtkScaling{2, 512}, 0), plain(DynamicNtkScaling{2, 512}, 700)},
      {"longrope", plain(kLongRope, 512, RotaryLayout::half), plain(kLongRope, 513, RotaryLayout::half)},
      {"to yarn", plain({}, 0), plain(YarnScaling{.factor = 8, .original_positions = 64}, 0)},
      {"from yarn", plain(YarnScaling{.factor = 8, .original_positions = 64}, 0), plain(LinearScaling{8}, 0)},
      {"base", {RotaryFrequencies(rotary)}, {RotaryFrequencies({.dim = kDim, .base = 500000})}},
      {"learned", {RotaryFrequencies(rotary)}, {RotaryFrequencies(rotary, std::vector<double>{1, .5, .2, .01})}},
      {"xpos", {RotaryFrequencies(rotary), XPos{512, 0}}, {RotaryFrequencies(rotary), XPos{512, 0}}},
      {"xpos center", {RotaryFrequencies(rotary), XPos{512, 900}}, {RotaryFrequencies(rotary), XPos{300, 40}}},
      {"to xpos", {RotaryFrequencies(rotary)}, {RotaryFrequencies(rotary), XPos{512, 40}}},
      {"grid",
       {RotaryFrequencies({.dim = kDim, .grid_width = 7})},
       {RotaryFrequencies({.dim = kDim, .grid_width = 9})}},
      {"proportion", {RotaryFrequencies({.dim = kDim, .proportion = 0.5})}, {RotaryFrequencies(rotary)}},
  };
}

TEST(Rerotation, GivesWhatRotatingAnewWould) {
  Generator generator({21, 22});
  for (const auto& [name, from, to] : switches()) {
    const Rerotation rerotation(from, to);
    for (const auto& [old_position, new_position] :
         {std::pair<int64_t, int64_t>{0, 0}, {900, 900}, {900, 400}, {3, 1100}, {4000, 40}}) {
      std::vector<double> key(kDim + 2);
      for (double& x : key) x = generator.normal();
      const std::vector<double> expected = key_of(to, key, new_position);
      std::vector<double> cached = key_of(from, key, old_position);
      for (int64_t i = 0; i < rerotation.pairs(); ++i) {
        const auto [first, second] = rotary_pair(rerotation.rotary(), i);
        const auto [cos, sin] = rerotation.angle(old_position, new_position, i);
        rotate_pair(cached[first], cached[second], cos, sin);
      }
      for (size_t i = 0; i < key.size(); ++i) {
        EXPECT_NEAR(cached[i], expected[i], 1e-12 * (1 + std::abs(expected[i]))) << name << ", " << old_position;
      }
    }
  }
}

TEST(Rerotation, AShiftDependsOnTheDistanceOnly) {
  const Rerotation shift(plain({}, 0), plain({}, 0));
  const RotaryFrequencies frequencies(Rotary{kDim});
  for (int64_t pair = 0; pair < kDim / 2; ++pair) {
    const auto back = shift.angle(1'000'256, 1'000'000, pair), direct = frequencies.angle(256, pair);
    EXPECT_NEAR(back.cos, direct.cos, 1e-14);
    EXPECT_NEAR(back.sin, -direct.sin, 1e-14);
  }
}

TEST(Rerotation, OtherElementsOrPairsAreRefused) {
  EXPECT_THROW(Rerotation(plain({}, 0), {RotaryFrequencies(Rotary{4})}), UsageError);
  EXPECT_THROW(Rerotation(plain({}, 0), plain({}, 0, RotaryLayout::half)), UsageError);
  EXPECT_THROW(Rerotation(plain({}, 0), plain({}, 0)).angle(-1, 0, 0), DataError);
  EXPECT_THROW(Rerotation(plain({}, 0), plain({}, 0)).angle(0, kMaxRotaryPosition + 1, 0), DataError);
}

}  // namespace
}  // namespace roformer
