// Every backward kernel of the reference backend in float64 against central differences.
// The objective is a random linear functional of a kernel's output, Σ dout · output, so its gradient by an input is
// what the backward must give for that dout. All tensors are column ranges (see Trial).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "backend/backend.h"
#include "tests/backend/trial.h"

namespace roformer::testing {
namespace {

constexpr double kStep = 1e-5;
constexpr double kTolerance = 1e-6;
const Dropout kSomeDropout{.probability = 0.4, .stream = {.seed = 11, .stream = 5}};

double dot(const Tensor& x, const Tensor& y) {
  const std::vector<double> a = numbers(x), b = numbers(y);
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// `gradient` must be `before` + the derivative of `objective` by each element of x. `before` empty: it was written.
void expect_gradient(const char* name, const std::function<double()>& objective, const Tensor& x,
                     const Tensor& gradient, const std::vector<double>& before = {}) {
  std::vector<double> expected;
  double largest = 0;
  for (int64_t i = 0; i < x.rows(); ++i) {
    for (int64_t j = 0; j < x.columns(); ++j) {
      const double value = read(x, i, j);
      write(x, i, j, value + kStep);
      const double above = objective();
      write(x, i, j, value - kStep);
      const double below = objective();
      write(x, i, j, value);
      expected.push_back((above - below) / (2 * kStep));
      largest = std::max(largest, std::abs(expected.back()));
    }
  }
  EXPECT_GT(largest, 1e-3) << name << " has no influence: the test shows nothing";
  const std::vector<double> actual = numbers(gradient);
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    const double difference = actual[i] - (before.empty() ? 0 : before[i]) - expected[i];
    ASSERT_LE(std::abs(difference), kTolerance * std::max(std::abs(expected[i]), 0.01 * largest))
        << "gradient of " << name << ", element " << i << ", expected " << expected[i];
  }
}

class GradientTest : public ::testing::Test {
 protected:
  void TearDown() override { trial_.finish(); }

  ThreadPool pool_{1};
  std::unique_ptr<Backend> backend_ = make_reference_backend(pool_, DType::float64);
  Trial trial_{*backend_, 42, true};
};

TEST_F(GradientTest, Embedding) {
  const std::vector<int32_t> ids = {3, 0, 3, 1, 3};
  const Tensor table = trial_.random(4, 3), out = trial_.scratch(5, 3), dout = trial_.random(5, 3);
  const Tensor dtable = trial_.random(4, 3);
  const auto before = numbers(dtable);
  backend_->embedding_backward(dout, ids, 1, dtable);
  const auto objective = [&] {
    backend_->embedding(table, ids, 1, out, false);
    return dot(dout, out);
  };
  expect_gradient("table", objective, table, dtable, before);
}

TEST_F(GradientTest, Linear) {
  for (const Activation activation : {Activation::none, Activation::gelu, Activation::gelu_tanh, Activation::relu,
                                      Activation::silu, Activation::tanh}) {
    SCOPED_TRACE(static_cast<int>(activation));
    const Tensor x = trial_.random(4, 3), weight = trial_.random(5, 3), bias = trial_.random_vector(5);
    const Tensor out = trial_.scratch(4, 5), before = trial_.scratch(4, 5), dout = trial_.random(4, 5);
    const Tensor dbefore = trial_.scratch(4, 5), dx = trial_.random(4, 3), dx_written = trial_.scratch(4, 3);
    const Tensor dweight = trial_.random(5, 3), dbias = trial_.random_vector(5);
    const auto dx_start = numbers(dx), dweight_start = numbers(dweight), dbias_start = numbers(dbias);
    const auto objective = [&] {
      backend_->linear(x, weight, bias, activation, out, before);
      return dot(dout, out);
    };
    objective();
    backend_->activation_backward(activation, before, dout, dbefore, {});
    backend_->linear_backward_input(dbefore, weight, dx, true);
    backend_->linear_backward_input(dbefore, weight, dx_written, false);
    backend_->linear_backward_weight(dbefore, x, dweight, dbias);
    expect_gradient("x", objective, x, dx, dx_start);
    expect_gradient("x", objective, x, dx_written);
    expect_gradient("weight", objective, weight, dweight, dweight_start);
    expect_gradient("bias", objective, bias, dbias, dbias_start);
  }
}

TEST_F(GradientTest, ActivationInPlaceAndLinearWithoutBias) {
  const Tensor before = trial_.random(3, 4), dout = trial_.random(3, 4), apart = trial_.scratch(3, 4);
  backend_->activation_backward(Activation::gelu, before, dout, apart, {});
  backend_->activation_backward(Activation::gelu, before, dout, dout, {});
  EXPECT_EQ(numbers(dout), numbers(apart));
  const Tensor x = trial_.random(3, 2), dweight = trial_.random(4, 2), same = trial_.scratch(4, 2);
  backend_->copy(dweight, same);
  backend_->linear_backward_weight(dout, x, dweight, trial_.random_vector(4));
  backend_->linear_backward_weight(dout, x, same, {});
  EXPECT_EQ(numbers(dweight), numbers(same));
}

TEST_F(GradientTest, LayerNorm) {
  for (const bool with_residual : {false, true}) {
    for (const Dropout& dropout : {Dropout{}, kSomeDropout}) {
      SCOPED_TRACE(::testing::Message() << "residual " << with_residual << ", dropout " << dropout.probability);
      constexpr int64_t kRows = 3, kColumns = 7;
      const Tensor x = trial_.random(kRows, kColumns);
      const Tensor residual = with_residual ? trial_.random(kRows, kColumns) : Tensor();
      const Tensor gain = trial_.random_vector(kColumns), bias = trial_.random_vector(kColumns);
      const Tensor sum = trial_.scratch(kRows, kColumns), statistics = trial_.scratch(kRows, 2);
      const Tensor out = trial_.scratch(kRows, kColumns), dout = trial_.random(kRows, kColumns);
      const Tensor dsum = trial_.scratch(kRows, kColumns), dx = trial_.scratch(kRows, kColumns);
      const Tensor dgain = trial_.random_vector(kColumns), dbias = trial_.random_vector(kColumns);
      const auto dgain_start = numbers(dgain), dbias_start = numbers(dbias);
      const auto objective = [&] {
        backend_->layer_norm(x, residual, dropout, gain, bias, 1e-3, sum, statistics, out);
        return dot(dout, out);
      };
      objective();
      backend_->layer_norm_backward(dout, sum, statistics, gain, dropout, dsum, dx, dgain, dbias);
      expect_gradient("x", objective, x, dx);
      if (with_residual) expect_gradient("residual", objective, residual, dsum);
      expect_gradient("gain", objective, gain, dgain, dgain_start);
      expect_gradient("bias", objective, bias, dbias, dbias_start);
    }
  }
}

TEST_F(GradientTest, RmsNorm) {
  for (const bool with_gain : {false, true}) {
    for (const Dropout& dropout : {Dropout{}, kSomeDropout}) {
      SCOPED_TRACE(::testing::Message() << "gain " << with_gain << ", dropout " << dropout.probability);
      constexpr int64_t kRows = 3, kColumns = 7;
      const Tensor x = trial_.random(kRows, kColumns);
      const Tensor residual = with_gain ? trial_.random(kRows, kColumns) : Tensor();
      const Tensor gain = with_gain ? trial_.random_vector(kColumns) : Tensor();
      const Tensor dgain = with_gain ? trial_.random_vector(kColumns) : Tensor();
      const Tensor sum = trial_.scratch(kRows, kColumns), statistics = trial_.scratch(kRows, 1);
      const Tensor out = trial_.scratch(kRows, kColumns), dout = trial_.random(kRows, kColumns);
      const Tensor dsum = trial_.scratch(kRows, kColumns), dx = trial_.scratch(kRows, kColumns);
      const auto dgain_start = numbers(dgain);
      const auto objective = [&] {
        backend_->rms_norm(x, residual, dropout, gain, 1e-3, sum, statistics, out);
        return dot(dout, out);
      };
      objective();
      backend_->rms_norm_backward(dout, sum, statistics, gain, dropout, dsum, dx, dgain);
      expect_gradient("x", objective, x, dx);
      if (!with_gain) continue;
      expect_gradient("residual", objective, residual, dsum);
      expect_gradient("gain", objective, gain, dgain, dgain_start);
    }
  }
}

TEST_F(GradientTest, DropoutIsItsOwnBackward) {
  const Tensor x = trial_.random(3, 70), out = trial_.scratch(3, 70), dout = trial_.random(3, 70);
  const auto objective = [&] {
    backend_->dropout(x, kSomeDropout, out);
    return dot(dout, out);
  };
  const Tensor dx = trial_.scratch(3, 70);
  backend_->dropout(dout, kSomeDropout, dx);
  expect_gradient("x", objective, x, dx);
}

TEST_F(GradientTest, RotationBackwardIsItsTranspose) {
  const std::vector<int32_t> positions = {4, 0, 1000};
  for (const RotaryLayout layout : {RotaryLayout::adjacent, RotaryLayout::half}) {
    const RotaryAngles angles = backend_->rotary_angles({.dim = 4, .layout = layout}, positions);
    const Tensor x = trial_.random(3, 12), out = trial_.scratch(3, 12), dout = trial_.random(3, 12);
    const auto objective = [&] {
      backend_->copy(x, out);
      backend_->rotate(out, 2, angles, false);
      return dot(dout, out);
    };
    const Tensor dx = trial_.scratch(3, 12);
    backend_->copy(dout, dx);
    backend_->rotate(dx, 2, angles, true);
    expect_gradient("x", objective, x, dx);
  }
}

// The parts of an attention that a test chooses.
struct AttentionPlan {
  const char* name;
  std::vector<int32_t> query_offsets, key_offsets, key_limits = {};
  bool bias = false, query_table = false, key_table = false, value_table = false;
  Dropout dropout = {};
  int64_t clip = 2;
  int64_t kv_heads = 0;
  std::vector<int32_t> key_begins = {};
  double score_cap = 0;
};

class AttentionGradientTest : public GradientTest, public ::testing::WithParamInterface<AttentionPlan> {};

TEST_P(AttentionGradientTest, MatchesCentralDifferences) {
  const AttentionPlan& plan = GetParam();
  constexpr int64_t kHeads = 3, kHeadDim = 2, kHidden = kHeads * kHeadDim;
  const int64_t key_width = plan.kv_heads == 0 ? kHidden : plan.kv_heads * kHeadDim;
  const int64_t queries = plan.query_offsets.back(), keys = plan.key_offsets.back(), distances = 2 * plan.clip + 1;
  const std::vector<int32_t> query_positions = trial_.random_ids(queries, 9);
  const std::vector<int32_t> key_positions = trial_.random_ids(keys, 9);
  const auto table = [&](bool used, int64_t rows, int64_t columns) {
    return used ? trial_.random(rows, columns) : Tensor();
  };
  const auto relative_terms = [&] {
    return RelativeTerms{.clip = plan.clip,
                         .query_positions = query_positions,
                         .key_positions = key_positions,
                         .bias = table(plan.bias, distances, kHeads),
                         .query_table = table(plan.query_table, distances, kHidden),
                         .key_table = table(plan.key_table, distances, kHidden),
                         .value_table = table(plan.value_table, distances, kHidden)};
  };
  const AttentionSpec spec{.heads = kHeads,
                           .kv_heads = plan.kv_heads,
                           .scale = 0.6,
                           .query_offsets = plan.query_offsets,
                           .key_offsets = plan.key_offsets,
                           .key_limits = plan.key_limits,
                           .key_begins = plan.key_begins,
                           .score_cap = plan.score_cap,
                           .dropout = plan.dropout,
                           .terms = relative_terms()};
  const RelativeTerms dterms = relative_terms();
  const auto bias_start = numbers(dterms.bias), query_start = numbers(dterms.query_table);
  const auto key_start = numbers(dterms.key_table), value_start = numbers(dterms.value_table);

  const AttentionTensors in{trial_.random(queries, kHidden), trial_.random(keys, key_width),
                            trial_.random(keys, key_width)};
  const AttentionTensors gradients{trial_.scratch(queries, kHidden), trial_.scratch(keys, key_width),
                                   trial_.scratch(keys, key_width)};
  const Tensor out = trial_.scratch(queries, kHidden), log_sum_exp = trial_.scratch(kHeads, queries);
  const Tensor dout = trial_.random(queries, kHidden);
  const auto objective = [&] {
    backend_->attention(spec, in, out, log_sum_exp);
    return dot(dout, out);
  };
  objective();
  backend_->attention_backward(spec, in, out, log_sum_exp, dout, gradients, dterms);
  expect_gradient("q", objective, in.q, gradients.q);
  expect_gradient("k", objective, in.k, gradients.k);
  expect_gradient("v", objective, in.v, gradients.v);
  if (plan.bias) expect_gradient("bias", objective, spec.terms.bias, dterms.bias, bias_start);
  if (plan.query_table) expect_gradient("q table", objective, spec.terms.query_table, dterms.query_table, query_start);
  if (plan.key_table) expect_gradient("k table", objective, spec.terms.key_table, dterms.key_table, key_start);
  if (plan.value_table) expect_gradient("v table", objective, spec.terms.value_table, dterms.value_table, value_start);
}

const std::vector<int32_t> kRagged = {0, 1, 1, 5, 8};  // one token, none, four, three

INSTANTIATE_TEST_SUITE_P(
    , AttentionGradientTest,
    ::testing::Values(
        AttentionPlan{.name = "plain", .query_offsets = kRagged, .key_offsets = kRagged},
        AttentionPlan{.name = "grouped",
                      .query_offsets = kRagged,
                      .key_offsets = kRagged,
                      .key_limits = {1, 1, 2, 3, 4, 1, 2, 3},
                      .dropout = kSomeDropout,
                      .kv_heads = 1},
        AttentionPlan{.name = "grouped_cross_terms",
                      .query_offsets = {0, 2, 3, 3, 6},
                      .key_offsets = {0, 4, 4, 7, 8},
                      .bias = true,
                      .query_table = true,
                      .key_table = true,
                      .value_table = true,
                      .kv_heads = 1},
        AttentionPlan{.name = "dropout", .query_offsets = kRagged, .key_offsets = kRagged, .dropout = kSomeDropout},
        AttentionPlan{.name = "cross", .query_offsets = {0, 2, 3, 3, 6}, .key_offsets = {0, 4, 4, 7, 8}},
        AttentionPlan{
            .name = "causal", .query_offsets = kRagged, .key_offsets = kRagged, .key_limits = {1, 1, 2, 3, 4, 1, 2, 3}},
        AttentionPlan{.name = "windows",
                      .query_offsets = kRagged,
                      .key_offsets = kRagged,
                      .key_limits = {1, 1, 2, 3, 4, 1, 2, 3},
                      .key_begins = {0, 0, 1, 1, 2, 1, 0, 2}},
        AttentionPlan{.name = "begins_alone",
                      .query_offsets = {0, 2, 3, 3, 6},
                      .key_offsets = {0, 4, 4, 7, 8},
                      .key_begins = {3, 0, 0, 1, 0, 1}},
        AttentionPlan{.name = "cap", .query_offsets = kRagged, .key_offsets = kRagged, .score_cap = 0.8},
        AttentionPlan{.name = "windows_cap_all_terms",
                      .query_offsets = kRagged,
                      .key_offsets = kRagged,
                      .key_limits = {1, 2, 2, 0, 4, 3, 1, 2},
                      .bias = true,
                      .query_table = true,
                      .key_table = true,
                      .value_table = true,
                      .dropout = kSomeDropout,
                      .key_begins = {0, 1, 0, 0, 1, 2, 0, 0},
                      .score_cap = 1.5},
        AttentionPlan{.name = "limits_cross_dropout",
                      .query_offsets = {0, 2, 3, 3, 6},
                      .key_offsets = {0, 4, 4, 7, 9},
                      .key_limits = {3, 0, 0, 2, 0, 1},
                      .dropout = kSomeDropout},
        AttentionPlan{.name = "limits_all_terms",
                      .query_offsets = kRagged,
                      .key_offsets = kRagged,
                      .key_limits = {1, 2, 2, 0, 4, 3, 1, 2},
                      .bias = true,
                      .query_table = true,
                      .key_table = true,
                      .value_table = true},
        AttentionPlan{.name = "bias", .query_offsets = kRagged, .key_offsets = kRagged, .bias = true},
        AttentionPlan{.name = "query_table", .query_offsets = kRagged, .key_offsets = kRagged, .query_table = true},
        AttentionPlan{.name = "key_table", .query_offsets = kRagged, .key_offsets = kRagged, .key_table = true},
        AttentionPlan{.name = "value_table", .query_offsets = kRagged, .key_offsets = kRagged, .value_table = true},
        AttentionPlan{.name = "all_terms",
                      .query_offsets = kRagged,
                      .key_offsets = kRagged,
                      .bias = true,
                      .query_table = true,
                      .key_table = true,
                      .value_table = true},
        AttentionPlan{.name = "all_terms_cross_dropout",
                      .query_offsets = {0, 2, 3, 3, 6},
                      .key_offsets = {0, 4, 4, 7, 8},
                      .bias = true,
                      .query_table = true,
                      .key_table = true,
                      .value_table = true,
                      .dropout = kSomeDropout,
                      .clip = 4}),
    [](const auto& plan) { return std::string(plan.param.name); });

TEST_F(GradientTest, CrossEntropy) {
  for (const bool with_bias : {false, true}) {
    SCOPED_TRACE(with_bias);
    constexpr double kScale = 0.37;
    const std::vector<int32_t> labels = {4, 0, 0, 6};
    const Tensor hidden = trial_.random(4, 3), weight = trial_.random(7, 3);
    const Tensor bias = with_bias ? trial_.random_vector(7) : Tensor();
    const Tensor dbias = with_bias ? trial_.random_vector(7) : Tensor();
    const Tensor dhidden = trial_.scratch(4, 3), dweight = trial_.random(7, 3);
    const auto dweight_start = numbers(dweight), dbias_start = numbers(dbias);
    const Loss loss = backend_->cross_entropy(hidden, weight, bias, labels, kScale, dhidden, dweight, dbias);
    const auto objective = [&] {
      return kScale * backend_->cross_entropy(hidden, weight, bias, labels, 1, {}, {}, {}).read().sum;
    };
    EXPECT_DOUBLE_EQ(kScale * loss.read().sum, objective());
    expect_gradient("hidden", objective, hidden, dhidden);
    expect_gradient("weight", objective, weight, dweight, dweight_start);
    if (with_bias) expect_gradient("bias", objective, bias, dbias, dbias_start);
  }
}

TEST_F(GradientTest, Pooling) {
  const std::vector<int32_t> offsets = {0, 3, 3, 4, 9};
  for (const Pooling pooling : {Pooling::cls, Pooling::mean, Pooling::max}) {
    SCOPED_TRACE(static_cast<int>(pooling));
    const Tensor x = trial_.random(9, 5), out = trial_.scratch(4, 5), dout = trial_.random(4, 5);
    const Tensor argmax = backend_->empty({4, 5}, DType::int32);
    const auto objective = [&] {
      backend_->pool(pooling, x, offsets, out, argmax);
      return dot(dout, out);
    };
    objective();
    const Tensor dx = trial_.scratch(9, 5);
    backend_->pool_backward(pooling, dout, offsets, argmax, dx);
    expect_gradient("x", objective, x, dx);
  }
}

}  // namespace
}  // namespace roformer::testing
