// The angles of a backend: of packed sequences, explicit frequencies, xPos, and re-rotation.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "backend/backend.h"
#include "base/error.h"
#include "base/random.h"

namespace roformer {
namespace {

using Positions = std::vector<int32_t>;
const LongRopeScaling kLongRope{{1, 1.25, 1.5, 2}, {1, 2, 6, 8}, 6, 16, {}};

class RotaryAnglesTest : public testing::Test {
 protected:
  Tensor random(int64_t rows, int64_t columns) {
    const Tensor x = backend_->empty({rows, columns});
    for (int64_t i = 0; i < x.elements(); ++i) x.data<double>()[i] = generator_.normal();
    return x;
  }
  Tensor rotated(const Tensor& x, const RotaryAngles& angles) {
    const Tensor result = backend_->empty(x.shape());
    backend_->copy(x, result);
    backend_->rotate(result, 2, angles, false);
    return result;
  }
  static void expect_near(const Tensor& a, const Tensor& b, double tolerance) {
    ASSERT_EQ(a.shape(), b.shape());
    for (int64_t t = 0; t < a.rows(); ++t) {
      for (int64_t i = 0; i < a.columns(); ++i) {
        EXPECT_NEAR(a.row<double>(t)[i], b.row<double>(t)[i], tolerance) << t << ", " << i;
      }
    }
  }

  ThreadPool pool_{2};
  std::unique_ptr<Backend> backend_ = make_reference_backend(pool_, DType::float64);
  Generator generator_{{51, 52}};
};

// Packed = one by one: sequences of 3, 9, 0, 12 and 6 tokens, one starting at a later position.
TEST_F(RotaryAnglesTest, EachPackedSequenceIsScaledByItsOwnLength) {
  const Positions positions = {0, 1, 2, 0, 1, 2, 3, 4,  5,  6,  7,  8,  0,  1,  2,
                               3, 4, 5, 6, 7, 8, 9, 10, 11, 20, 21, 22, 23, 24, 25},
                  offsets = {0, 3, 12, 12, 24, 30};
  for (const RotaryScaling& scaling : {RotaryScaling(DynamicNtkScaling{2, 6}), RotaryScaling(kLongRope),
                                       RotaryScaling(LinearScaling{2}), RotaryScaling()}) {
    const Rotary rotary{.dim = 8, .scaling = scaling};
    const Tensor x = random(30, 20);
    const Tensor packed = rotated(x, backend_->rotary_angles(rotary, positions, offsets));
    for (size_t s = 0; s + 1 < offsets.size(); ++s) {
      const int64_t begin = offsets[s], count = offsets[s + 1] - begin;
      const auto own = std::span(positions).subspan(begin, count);
      expect_near(packed.row_range(begin, count),
                  rotated(x.row_range(begin, count), backend_->rotary_angles(rotary, own)), 1e-15);
    }
  }
  const Rotary dynamic{.dim = 8, .scaling = DynamicNtkScaling{2, 6}};
  const auto angles = backend_->rotary_angles(dynamic, positions, offsets);
  EXPECT_NE(angles.row[2], angles.row[5]);   // position 2 of a short and a longer sequence
  EXPECT_NE(angles.row[5], angles.row[14]);  // of 9 and of 12 tokens
  const auto longrope = backend_->rotary_angles({.dim = 8, .scaling = kLongRope}, positions, offsets);
  EXPECT_EQ(longrope.row[5], longrope.row[14]);  // both long
}

TEST_F(RotaryAnglesTest, WithoutOffsetsAllIsOneSequence) {
  const Positions positions = {0, 1, 2, 40};
  const RotaryScaling scaling = DynamicNtkScaling{2, 6};
  const auto angles = backend_->rotary_angles({.dim = 8, .scaling = scaling}, positions);
  const RotaryFrequencies expected({.dim = 8, .scaling = scaling}, 41);
  for (int64_t pair = 0; pair < 4; ++pair) {
    EXPECT_EQ(angles.cos.row<double>(angles.row[2])[pair], expected.angle(2, pair).cos);
  }
}

TEST_F(RotaryAnglesTest, GivenFrequencies) {
  const std::vector<double> theta{1, 0.3, 0.02, 0};
  const auto angles = backend_->rotary_angles_of({.dim = 8}, theta, Positions{5, 0, 5});
  EXPECT_EQ(angles.cos.rows(), 2);
  EXPECT_EQ(angles.row[0], angles.row[2]);
  for (int64_t pair = 0; pair < 4; ++pair) {
    EXPECT_NEAR(angles.cos.row<double>(angles.row[0])[pair], std::cos(5 * theta[pair]), 1e-15);
    EXPECT_NEAR(angles.sin.row<double>(angles.row[0])[pair], std::sin(5 * theta[pair]), 1e-15);
  }
  EXPECT_THROW(backend_->rotary_angles_of({.dim = 6}, theta, Positions{0}), UsageError);
  EXPECT_THROW(backend_->rotary_angles_of({.dim = 8}, theta, Positions{-1}), DataError);
}

TEST_F(RotaryAnglesTest, XPosGivesScoresOfDistances) {
  const Rotary rotary{.dim = 8, .layout = RotaryLayout::half};
  const auto score = [&](const Tensor& q, const Tensor& k, const XPos& xpos, int32_t m, int32_t n) {
    const auto query = backend_->xpos_angles(rotary, xpos, Positions{m}).query;
    const auto key = backend_->xpos_angles(rotary, xpos, Positions{n}).key;
    const Tensor a = rotated(q, query), b = rotated(k, key);
    double sum = 0;
    for (int64_t i = 0; i < 20; ++i) sum += a.data<double>()[i] * b.data<double>()[i];
    return sum;
  };
  const Tensor q = random(1, 20), k = random(1, 20);
  const double expected = score(q, k, {512, 0}, 12, 5);
  EXPECT_NEAR(score(q, k, {512, 0}, 2012, 2005), expected, 1e-12);
  EXPECT_NEAR(score(q, k, {512, 700}, 12, 5), expected, 1e-12);
  const auto both = backend_->xpos_angles(rotary, {512, 0}, Positions{100});
  for (int64_t pair = 0; pair < 4; ++pair) {
    const double scale = xpos_scale({512, 0}, 8, pair, 100), cos = RotaryFrequencies(rotary).angle(100, pair).cos;
    EXPECT_NEAR(both.query.cos.row<double>(0)[pair], cos * scale, 1e-15);
    EXPECT_NEAR(both.key.cos.row<double>(0)[pair], cos / scale, 1e-15);
  }
  EXPECT_THROW(backend_->xpos_angles(rotary, {0, 0}, Positions{0}), UsageError);
  EXPECT_THROW(backend_->xpos_angles(rotary, {1, 0}, Positions{40}), DataError);
}

// A cache that grows beyond LongRoPE's limit, and one whose window moves, with the rotate kernel.
TEST_F(RotaryAnglesTest, CachedKeysAreRotatedAnew) {
  const Rotary rotary{.dim = 8, .scaling = kLongRope};
  const Positions old_positions = {2, 3, 4, 5}, new_positions = {0, 1, 2, 3};
  const Tensor keys = random(4, 20);
  const KeyRotation before{RotaryFrequencies(rotary, 6)}, after{RotaryFrequencies(rotary, 9)};
  const Tensor cached = rotated(keys, backend_->rotary_angles(rotary, old_positions));
  expect_near(rotated(cached, backend_->rerotation_angles({before, before}, old_positions, new_positions)),
              rotated(keys, backend_->rotary_angles(rotary, new_positions)), 1e-14);
  const Positions with_more = {2, 3, 4, 5, 8};
  const RotaryAngles grown = backend_->rotary_angles(rotary, with_more);
  const Tensor longer = backend_->empty({5, 20});
  backend_->fill(longer, 0);
  backend_->copy(keys, longer.row_range(0, 4));
  expect_near(rotated(cached, backend_->rerotation_angles({before, after}, old_positions, old_positions)),
              rotated(longer, grown).row_range(0, 4), 1e-14);
  EXPECT_THROW(backend_->rerotation_angles({before, after}, old_positions, with_more), ShapeError);
}

}  // namespace
}  // namespace roformer
