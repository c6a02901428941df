#include "interchange/rotary_relayout.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "base/error.h"
#include "base/random.h"

namespace roformer {
namespace {

using Vector = std::vector<double>;

Tensor random(Shape shape, Generator& generator) {
  const Tensor x = Tensor::allocate(shape, DType::float64);
  for (int64_t i = 0; i < x.elements(); ++i) x.data<double>()[i] = generator.normal();
  return x;
}

Vector project(const Tensor& weight, const Tensor& bias, const Vector& x) {
  Vector y;
  for (int64_t row = 0; row < weight.rows(); ++row) {
    y.push_back(std::inner_product(x.begin(), x.end(), weight.row<double>(row), bias.data<double>()[row]));
  }
  return y;
}

void expect_same_bits(const Tensor& a, const Tensor& b) {
  ASSERT_EQ(a.shape(), b.shape());
  for (int64_t row = 0; row < a.rows(); ++row) {
    for (int64_t i = 0; i < a.columns(); ++i) EXPECT_EQ(a.row<double>(row)[i], b.row<double>(row)[i]);
  }
}

// Grouped attention: 6 query heads share 2 key and value heads; 8 of 10 elements per head are rotated.
class GroupedHeads : public ::testing::Test {
 protected:
  static constexpr int64_t kHead = 10, kQueries = 6, kKeys = 2, kHidden = 7;
  static constexpr Rotary kAdjacent{.dim = 8}, kHalf{.dim = 8, .layout = RotaryLayout::half};

  // Σ over keys of score · value, with values rotated, for one query.
  static Vector attend(const Rotary& rotary, const Tensor (&w)[3], const Tensor (&b)[3], const Tensor& output,
                       const std::vector<Vector>& tokens) {
    const RotaryFrequencies frequencies(rotary);
    const auto heads_of = [&](int part, size_t position) {
      Vector y = project(w[part], b[part], tokens[position]);
      for (size_t begin = 0; begin < y.size(); begin += kHead) {
        rotate(std::span(y).subspan(begin, kHead), frequencies, static_cast<int64_t>(position));
      }
      return y;
    };
    const Vector q = heads_of(0, tokens.size() - 1);
    Vector mixed(kQueries * kHead, 0.0);
    for (size_t position = 0; position < tokens.size(); ++position) {
      const Vector k = heads_of(1, position), v = heads_of(2, position);
      for (int64_t head = 0; head < kQueries; ++head) {
        const int64_t group = head / (kQueries / kKeys) * kHead;
        double score = 0;
        for (int64_t i = 0; i < kHead; ++i) score += q[head * kHead + i] * k[group + i];
        for (int64_t i = 0; i < kHead; ++i) mixed[head * kHead + i] += score * v[group + i];
      }
    }
    return project(output, Tensor(b[0]), mixed);
  }

  Generator generator_{{71, 72}};
};

TEST_F(GroupedHeads, OutputsStayAndThereAndBackGivesTheSameBits) {
  const Tensor w[3] = {random({kQueries * kHead, kHidden}, generator_), random({kKeys * kHead, kHidden}, generator_),
                       random({kKeys * kHead, kHidden}, generator_)};
  const Tensor b[3] = {random({kQueries * kHead}, generator_), random({kKeys * kHead}, generator_),
                       random({kKeys * kHead}, generator_)};
  const Tensor output = random({kHidden, kQueries * kHead}, generator_);
  const auto there = rotary_permutation(kAdjacent, RotaryLayout::half, kHead);
  const auto back = rotary_permutation(kHalf, RotaryLayout::adjacent, kHead);
  Tensor w2[3], b2[3];
  for (int part = 0; part < 3; ++part) {
    w2[part] = permute_head_rows(w[part], there, "w");
    b2[part] = permute_head_rows(b[part], there, "b");
    expect_same_bits(permute_head_rows(w2[part], back, "w"), w[part]);
    expect_same_bits(permute_head_rows(b2[part], back, "b"), b[part]);
  }
  const Tensor output2 = permute_head_columns(output, there, "o");
  expect_same_bits(permute_head_columns(output2, back, "o"), output);

  std::vector<Vector> tokens(5, Vector(kHidden));
  for (Vector& token : tokens) {
    for (double& x : token) x = generator_.normal();
  }
  // The output bias is common to both.
  Tensor same[3] = {b2[0], b2[1], b2[2]};
  const Vector before = attend(kAdjacent, w, b, output, tokens), after = attend(kHalf, w2, same, output2, tokens);
  const Tensor plain_bias = b[0], permuted_bias = b2[0];
  for (size_t i = 0; i < before.size(); ++i) {
    EXPECT_NEAR(after[i] - permuted_bias.data<double>()[i], before[i] - plain_bias.data<double>()[i], 1e-9);
  }
  EXPECT_GT(std::abs(attend(kHalf, w, b, output, tokens)[0] - before[0]), 1e-3);
}

TEST_F(GroupedHeads, RowsOfOthersAreViewsToo) {
  // A slice of a fused projection has a row stride.
  const Tensor fused = random({20, 9}, generator_);
  const Tensor slice = fused.column_range(2, 5);
  const auto there = rotary_permutation(kAdjacent, RotaryLayout::half, kHead);
  const Tensor permuted = permute_head_rows(slice, there, "w");
  EXPECT_EQ(permuted.row<double>(11)[3], slice.row<double>(10 + there[1])[3]);
  EXPECT_TRUE(permuted.contiguous());
}

TEST_F(GroupedHeads, PartsOfHeadsAreRefused) {
  const auto there = rotary_permutation(kAdjacent, RotaryLayout::half, kHead);
  EXPECT_THROW(permute_head_rows(random({15, 4}, generator_), there, "w"), ShapeError);
  EXPECT_THROW(permute_head_columns(random({4, 15}, generator_), there, "w"), ShapeError);
  EXPECT_THROW(permute_head_rows(random({15}, generator_), there, "b"), ShapeError);
}

}  // namespace
}  // namespace roformer
