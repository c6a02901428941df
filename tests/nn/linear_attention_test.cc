// Random features: orthogonal, a function of seed, layer and draw, and closer to softmax with their number.
#include "nn/linear_attention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "base/error.h"
#include "tests/backend/trial.h"
#include "tests/base/error_detail.h"

namespace roformer::test {
namespace {

double product(const std::vector<double>& rows, int64_t i, int64_t j, int64_t dim) {
  double sum = 0;
  for (int64_t c = 0; c < dim; ++c)
    sum += rows[static_cast<size_t>(i * dim + c)] * rows[static_cast<size_t>(j * dim + c)];
  return sum;
}

TEST(FavorProjection, HasBlocksOfOrthogonalRows) {
  constexpr int64_t kDim = 8, kFeatures = 20;
  const std::vector<double> rows = favor_projection(1, 0, 0, kFeatures, kDim);
  double squares = 0;
  for (int64_t i = 0; i < kFeatures; ++i) {
    squares += product(rows, i, i, kDim);
    for (int64_t j = i / kDim * kDim; j < i; ++j) EXPECT_NEAR(product(rows, i, j, kDim), 0, 1e-12) << i << ", " << j;
  }
  // Lengths like normal vectors: E |ω|² = d; the mean deviates by √(2d / m).
  EXPECT_NEAR(squares / kFeatures, kDim, 4 * std::sqrt(2.0 * kDim / kFeatures));
  EXPECT_GT(std::abs(product(rows, 0, 0, kDim) - product(rows, 1, 1, kDim)), 1e-3);
}

TEST(FavorProjection, IsAFunctionOfSeedLayerAndDraw) {
  const std::vector<double> rows = favor_projection(1, 2, 3, 6, 4);
  EXPECT_EQ(rows, favor_projection(1, 2, 3, 6, 4));
  EXPECT_NE(rows, favor_projection(2, 2, 3, 6, 4));
  EXPECT_NE(rows, favor_projection(1, 1, 3, 6, 4));
  EXPECT_NE(rows, favor_projection(1, 2, 4, 6, 4));
}

TEST(FavorProjection, FeaturesAreEven) {
  EXPECT_EQ(default_favor_features(64), 266);  // int(64 · ln 64) of performer-pytorch
  EXPECT_EQ(default_favor_features(16), 44);
  EXPECT_EQ(default_favor_features(6), 10);
  EXPECT_EQ(default_favor_features(1), 2);
  EXPECT_EQ(feature_rotary({.dim = 64}, 64, 266).dim, 266);
  EXPECT_EQ(feature_rotary({.dim = 16}, 64, 266).dim, 66);
  EXPECT_EQ(feature_rotary({.dim = 2}, 64, 8).dim, 2);
}

// The root mean square difference from softmax attention, over draws.
double softmax_error(int64_t features) {
  constexpr int64_t kTokens = 24, kDim = 16, kDraws = 8;
  ThreadPool pool(1);
  const auto backend = make_reference_backend(pool, DType::float64);
  Trial trial(*backend, 4, false);
  const std::vector<int32_t> offsets = {0, kTokens};
  const Tensor q = trial.random(kTokens, kDim, 0.3), k = trial.random(kTokens, kDim, 0.3);
  const Tensor v = trial.random(kTokens, kDim);
  const auto columns = [](const Tensor& x) { return Columns(Value(x)); };
  const Context context{.backend = *backend};
  const AttentionOptions softmax{.query_offsets = offsets, .key_offsets = offsets};
  const std::vector<double> expected =
      values_of(attention(context, softmax, columns(q), columns(k), columns(v), {}).data);
  double squares = 0;
  for (int64_t draw = 0; draw < kDraws; ++draw) {
    const Tensor projection = backend->empty({features, kDim});
    assign(projection, favor_projection(7, 0, draw, features, kDim));
    const LinearAttentionOptions options{.map = FeatureMap::favor, .projection = projection, .offsets = offsets};
    const std::vector<double> out =
        values_of(linear_attention(context, options, columns(q), columns(k), columns(v)).data);
    for (size_t i = 0; i < out.size(); ++i) squares += (out[i] - expected[i]) * (out[i] - expected[i]);
  }
  return std::sqrt(squares / static_cast<double>(kDraws * kTokens * kDim));
}

TEST(FavorProjection, ErrorFallsAsTheRootOfTheFeatures) {
  const double few = softmax_error(32), many = softmax_error(512);
  EXPECT_LT(few, 0.1);
  EXPECT_GT(few / many, 2);  // 4 if all rows were independent; orthogonal ones are better
  EXPECT_LT(few / many, 6);
}

// A layer in chunks with continued positions equals the layer at once.
TEST(LinearAttentionLayer, GoesOnFromAState) {
  constexpr int32_t kTokens = 11, kCut = 4;
  ThreadPool pool(1);
  const auto backend = make_reference_backend(pool, DType::float64);
  Trial trial(*backend, 6, false);
  const LinearAttentionConfig shape{
      .kind = AttentionKind::linear_favor, .settings = {.favor_features = 10}, .hidden = 8, .heads = 2, .layer = 3};
  const LinearAttention layer(shape);
  NewParameters source(*backend, false);
  const TrunkPositions trunk(
      Scope{source, "trunk"},
      {.encoding = RotaryPosition{.rotary = {.dim = 4}}, .hidden = 8, .heads = 2, .features = 10});
  const Context context{.backend = *backend};
  const Tensor qkv = trial.random(kTokens, 24);
  std::vector<int32_t> positions(kTokens);
  std::iota(positions.begin(), positions.end(), 5);
  const auto attend = [&](int32_t begin, int32_t end, const LinearAttentionState& state) {
    const std::vector<int32_t> offsets = {0, end - begin};
    const std::span<const int32_t> places =
        std::span(positions).subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
    const auto shared = trunk.forward(context, places, offsets);
    return layer.attend(context, Value(qkv.row_range(begin, end - begin)), offsets, true, *shared.front(), state).data;
  };
  const Tensor whole = attend(0, kTokens, {});
  const LinearAttentionState state = layer.start(*backend, 1);
  expect_close({{"first", values_of(attend(0, kCut, state))}}, {{"first", values_of(whole.row_range(0, kCut))}}, 1e-12);
  expect_close({{"second", values_of(attend(kCut, kTokens, state))}},
               {{"second", values_of(whole.row_range(kCut, kTokens - kCut))}}, 1e-12);
}

TEST(AttentionNames, AreReadAsTheyAreWritten) {
  for (const std::string& name : attention_names()) EXPECT_EQ(attention_name(parse_attention(name)), name);
  EXPECT_THAT([] { parse_attention("linear"); },
              ::testing::ThrowsMessage<UsageError>(::testing::HasSubstr("'linear'; expected softmax, linear-elu")));
  EXPECT_EQ(detail_of<UsageError>([] { parse_attention("linear"); }).field, "attention");
  EXPECT_EQ(detail_of<UsageError>([] { parse_feature_rotation("never"); }).field, "attention_rotation");
}

}  // namespace
}  // namespace roformer::test
