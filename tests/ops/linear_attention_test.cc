// Linear attention: gradients against central differences, computation in chunks and token by token, shifted positions,
// and errors.
#include "ops/linear_attention.h"

#include <gtest/gtest.h>

#include <numeric>
#include <tuple>

#include "base/error.h"
#include "tests/backend/linear_attention_cases.h"
#include "tests/ops/gradient_check.h"

namespace roformer::test {
namespace {

constexpr int64_t kLinearHeads = 2;

LinearAttentionOptions options_of(const LinearAttentionSpec& spec) {
  const auto shared = [](const RotaryAngles* angles) {
    return angles == nullptr ? std::shared_ptr<const RotaryAngles>() : shared_angles(*angles);
  };
  return {spec.heads,   spec.map,      spec.projection,           spec.causal,
          spec.offsets, spec.rotation, shared(spec.query_angles), shared(spec.key_angles)};
}

class LinearAttentionGradientTest : public OperatorTest,
                                    public ::testing::WithParamInterface<std::tuple<FeatureMap, bool, RotationOrder>> {
};

TEST_P(LinearAttentionGradientTest, OfEveryInput) {
  const auto [map, causal, order] = GetParam();
  const LinearAttentionPlan plan{.lengths = {1, 0, 4, 3},
                                 .heads = kLinearHeads,
                                 .head_dim = 4,
                                 .value_dim = 3,
                                 .map = map,
                                 .features = 6,
                                 .causal = causal,
                                 .order = order,
                                 .layout = RotaryLayout::half};
  const LinearInputs inputs(trial_, plan);
  const Tensor joint = trial_.random(8, 2 * 8 + 6);
  OperatorCheck check;
  check.inputs = {{"qkv", joint}};
  const LinearAttentionSpec& spec = inputs.spec;
  check.apply = [&](const Context& context, const std::vector<Value>& in) {
    return linear_attention(context, options_of(spec), columns_of(in[0], 0, 8), columns_of(in[0], 8, 8),
                            columns_of(in[0], 16, 6));
  };
  expect_gradients(trial_, check);
}

INSTANTIATE_TEST_SUITE_P(, LinearAttentionGradientTest,
                         ::testing::Combine(::testing::ValuesIn(kFeatureMaps), ::testing::Bool(),
                                            ::testing::Values(RotationOrder::none, RotationOrder::after,
                                                              RotationOrder::before)),
                         [](const auto& test) {
                           const RotationOrder order = std::get<2>(test.param);
                           return std::string(map_name(std::get<0>(test.param))) +
                                  (std::get<1>(test.param) ? "_causal" : "_all") +
                                  (order == RotationOrder::none    ? "_plain"
                                   : order == RotationOrder::after ? "_after"
                                                                   : "_before");
                         });

// On the CPU backend, where chunks and tokens take other paths than the whole.
class LinearAttentionStateTest : public ::testing::TestWithParam<std::tuple<FeatureMap, RotationOrder>> {
 protected:
  // A text in pieces of these lengths against all of it at once.
  void expect_pieces_are_the_whole(const std::vector<int32_t>& pieces) {
    const auto [map, order] = GetParam();
    int32_t length = 0;
    for (const int32_t piece : pieces) length += piece;
    const LinearAttentionPlan plan{
        .lengths = {length}, .heads = kLinearHeads, .head_dim = 8, .map = map, .causal = true, .order = order};
    const LinearInputs whole(trial_, plan);
    const Context context{.backend = *backend_};
    const Value out = linear_attention(context, options_of(whole.spec), columns(whole.in.q, 0, length),
                                       columns(whole.in.k, 0, length), columns(whole.in.v, 0, length));
    const LinearAttentionState state = make_state(*backend_, whole.spec, 1, 8, 8);
    int32_t begin = 0;
    for (const int32_t piece : pieces) {
      const std::vector<int32_t> offsets = {0, piece};
      RotaryAngles angles = whole.angles;
      if (order != RotationOrder::none) {
        angles.row = {whole.angles.row.begin() + begin, whole.angles.row.begin() + begin + piece};
      }
      LinearAttentionSpec spec = whole.spec;
      spec.offsets = offsets;
      if (order != RotationOrder::none) spec.query_angles = spec.key_angles = &angles;
      const Value part = linear_attention(context, options_of(spec), columns(whole.in.q, begin, piece),
                                          columns(whole.in.k, begin, piece), columns(whole.in.v, begin, piece), state);
      expect_close({{"piece", values_of(part.data)}}, {{"piece", values_of(out.data.row_range(begin, piece))}}, 1e-5);
      begin += piece;
    }
  }
  static Columns columns(const Tensor& x, int32_t begin, int32_t count) {
    return Columns(Value(x.row_range(begin, count)));
  }

  ThreadPool pool_{2};
  std::unique_ptr<Backend> backend_ = make_cpu_backend(pool_);
  Trial trial_{*backend_, 3, false};
};

TEST_P(LinearAttentionStateTest, TokenByTokenIsTheWhole) { expect_pieces_are_the_whole(std::vector<int32_t>(70, 1)); }

TEST_P(LinearAttentionStateTest, PiecesAreTheWhole) { expect_pieces_are_the_whole({1, 63, 64, 65, 0, 7, 2100}); }

INSTANTIATE_TEST_SUITE_P(, LinearAttentionStateTest,
                         ::testing::Combine(::testing::ValuesIn(kFeatureMaps),
                                            ::testing::Values(RotationOrder::none, RotationOrder::after,
                                                              RotationOrder::before)),
                         [](const auto& test) {
                           return std::string(map_name(std::get<0>(test.param))) +
                                  std::to_string(static_cast<int>(std::get<1>(test.param)));
                         });

class LinearAttentionTest : public OperatorTest {
 protected:
  // The output for positions shift, shift + 1, …
  std::vector<double> shifted(FeatureMap map, RotationOrder order, int32_t shift) {
    Trial trial(*backend_, 5, false);
    LinearInputs inputs(trial, {.lengths = {9}, .heads = kLinearHeads, .map = map, .causal = true, .order = order});
    std::vector<int32_t> positions(9);
    std::iota(positions.begin(), positions.end(), shift);
    const int64_t dim = order == RotationOrder::after ? inputs.spec.features(8) : 8;
    inputs.angles = backend_->rotary_angles({.dim = dim}, positions);
    const Tensor out = backend_->empty({9, 16}), denominators = backend_->empty({kLinearHeads, 9});
    backend_->linear_attention(inputs.spec, inputs.in, out, denominators, {});
    return values_of(out);
  }
  std::string refusal(const LinearAttentionSpec& spec, const LinearAttentionState& state = {}) {
    const auto columns = [&] { return Columns(Value(trial_.random(3, 8))); };
    try {
      linear_attention({.backend = *backend_}, options_of(spec), columns(), columns(), columns(), state);
    } catch (const ShapeError& error) {
      return error.what();
    }
    return "accepted";
  }
};

// The property of Eq. 19: only distances matter.
TEST_F(LinearAttentionTest, PositionsMayBeShifted) {
  for (const FeatureMap map : kFeatureMaps) {
    const std::vector<double> here = shifted(map, RotationOrder::after, 0),
                              there = shifted(map, RotationOrder::after, 1000);
    expect_close({{"out", there}}, {{"out", here}}, 1e-9);
  }
  // Rotated before the map, the sum of features depends on the position.
  const std::vector<double> here = shifted(FeatureMap::elu, RotationOrder::before, 0),
                            there = shifted(FeatureMap::elu, RotationOrder::before, 1000);
  double difference = 0;
  for (size_t i = 0; i < here.size(); ++i) difference = std::max(difference, std::abs(here[i] - there[i]));
  EXPECT_GT(difference, 1e-3);
}

// Eq. 19 by hand: elu(0) + 1 is 1, so weights are cosines of distances, times two pairs of features.
TEST_F(LinearAttentionTest, KnownWeights) {
  const std::vector<int32_t> offsets = {0, 2}, positions = {0, 3};
  const RotaryAngles angles = backend_->rotary_angles({.dim = 2}, positions);
  const LinearAttentionSpec spec{.offsets = offsets, .query_angles = &angles, .key_angles = &angles};
  const Value zeros(backend_->zeros({2, 2})), v(backend_->empty({2, 1}));
  assign(v.data, {1, 10});
  const Tensor out = linear_attention({.backend = *backend_}, options_of(spec), columns_of(zeros, 0, 2),
                                      columns_of(zeros, 0, 2), columns_of(v, 0, 1))
                         .data;
  EXPECT_NEAR(read(out, 0, 0), (2 * 1 + 2 * std::cos(3.0) * 10) / 4, 1e-12);
  EXPECT_NEAR(read(out, 1, 0), (2 * std::cos(3.0) * 1 + 2 * 10) / 4, 1e-12);
}

TEST_F(LinearAttentionTest, TheBackwardPassHasAStateWhereThatIsNoLargerThanTheValues) {
  const Tensor rows = backend_->empty({8, 8});
  const auto shape = [&](const std::vector<int32_t>& offsets, bool causal) {
    const LinearAttentionSpec spec{.heads = 2, .causal = causal, .offsets = offsets};
    const LinearAttentionState state = state_for_backward(*backend_, spec, {rows, rows, rows});
    return state.defined() ? state.sums.shape().to_string() : "none";
  };
  EXPECT_EQ(shape({0, 8}, false), "[1, 2, 4, 4]");
  EXPECT_EQ(shape({0, 3, 8}, false), "[2, 2, 4, 4]");
  EXPECT_EQ(shape({0, 3, 5, 8}, false), "none");
  EXPECT_EQ(shape({0, 8}, true), "none");
}

TEST_F(LinearAttentionTest, ExtremesGiveNumbers) {
  ThreadPool threads(2);
  const std::unique_ptr<Backend> cpu = make_cpu_backend(threads);
  for (Backend* backend : {cpu.get(), backend_.get()}) {
    for (const FeatureMap map : kFeatureMaps) {
      for (const RotationOrder order : {RotationOrder::none, RotationOrder::after, RotationOrder::before}) {
        for (const double size : {1e-30, 30.0, 1e4, 1e30, 3e37}) {
          for (const double mean : {0.0, -3 * size, 3 * size}) {
            Trial trial(*backend, 8, false);
            LinearInputs inputs(trial, {.lengths = {70}, .map = map, .causal = true, .order = order, .size = size});
            if (mean != 0) inputs.in.k = trial.random(70, 8, size, mean);
            const Tensor out = backend->empty({70, 8}), denominators = backend->empty({1, 70});
            backend->linear_attention(inputs.spec, inputs.in, out, denominators, {});
            for (const double x : values_of(out)) ASSERT_TRUE(std::isfinite(x)) << map_name(map) << ", size " << size;
          }
        }
      }
    }
  }
}

TEST_F(LinearAttentionTest, RefusesWhatDoesNotFit) {
  const std::vector<int32_t> offsets = {0, 3}, positions = {0, 1, 2};
  const RotaryAngles angles = backend_->rotary_angles({.dim = 12}, positions);
  const LinearAttentionSpec good{.heads = 2, .causal = true, .offsets = offsets};
  EXPECT_EQ(refusal(good), "accepted");
  LinearAttentionSpec spec = good;
  spec.heads = 3;
  EXPECT_EQ(refusal(spec), "linear_attention: 3 heads of q 8, k 8, v 8 columns");
  spec = good;
  spec.map = FeatureMap::favor;
  EXPECT_NE(refusal(spec).find("a projection is required for random features"), std::string::npos);
  spec = good;
  spec.query_angles = &angles;
  EXPECT_NE(refusal(spec).find("both be given or neither"), std::string::npos);
  spec.key_angles = &angles;
  EXPECT_EQ(refusal(spec), "linear_attention: rotates 12 elements of 4 features");
  LinearAttentionState state = make_state(*backend_, good, 1, 4, 4);
  EXPECT_EQ(refusal(good, state), "accepted");
  spec = good;
  spec.causal = false;
  EXPECT_EQ(refusal(spec, state), "linear_attention: only causal attention has a state");
  state = make_state(*backend_, good, 2, 4, 4);
  EXPECT_NE(refusal(good, state).find("the state is [2, 2, 4, 4]"), std::string::npos);
}

}  // namespace
}  // namespace roformer::test
