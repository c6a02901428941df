// The reference backend against values computed by hand or by a second, independent implementation of the equation.
// Gradients are in gradient_test.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "backend/backend.h"
#include "base/error.h"
#include "tests/backend/trial.h"
#include "tests/base/error_detail.h"

namespace roformer::test {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::Pointwise;

class ReferenceTest : public ::testing::Test {
 protected:
  Tensor matrix(int64_t rows, int64_t columns, const std::vector<double>& values) {
    const Tensor x = backend_->empty({rows, columns});
    assign(x, values);
    return x;
  }
  Tensor vector(const std::vector<double>& values) {
    const Tensor x = backend_->empty({static_cast<int64_t>(values.size())});
    assign(x, values);
    return x;
  }
  static void expect_values(const Tensor& x, const std::vector<double>& expected, double tolerance = 1e-12) {
    EXPECT_THAT(values_of(x), Pointwise(DoubleNear(tolerance), expected));
  }

  ThreadPool pool_{1};
  std::unique_ptr<Backend> backend_ = make_reference_backend(pool_, DType::float64);
};

TEST_F(ReferenceTest, MakesTheBackendsItNames) {
  EXPECT_EQ(make_backend("reference", pool_)->name(), "reference");
  EXPECT_EQ(make_backend("reference", pool_)->real(), DType::float32);
  EXPECT_EQ(make_backend("cpu", pool_)->name(), "cpu");
  EXPECT_EQ(backend_->real(), DType::float64);
  EXPECT_EQ(detail_of<UsageError>([&] { make_backend("abacus", pool_); }).field, "device");
  EXPECT_EQ(detail_of<UsageError>([&] { make_backend("reference", pool_, Precision::int8); }).field, "dtype");
  EXPECT_EQ(detail_of<UsageError>([] { parse_precision("int2"); }).field, "dtype");
  EXPECT_THROW(make_reference_backend(pool_, DType::int32), UsageError);
}

TEST_F(ReferenceTest, MemoryKernels) {
  const Tensor wide = matrix(2, 4, {1, 2, 3, 4, 5, 6, 7, 8});
  const Tensor middle = wide.column_range(1, 2), copied = backend_->empty({2, 2});
  backend_->copy(middle, copied);
  expect_values(copied, {2, 3, 6, 7});
  EXPECT_DOUBLE_EQ(backend_->squared_norm({&middle, 1}), 4 + 9 + 36 + 49);
  backend_->add(copied, middle);
  expect_values(wide, {1, 4, 6, 4, 5, 12, 14, 8});
  backend_->fill(middle, -1.5);
  expect_values(wide, {1, -1.5, -1.5, 4, 5, -1.5, -1.5, 8});
}

TEST_F(ReferenceTest, EmbeddingGathersAndScatters) {
  const Tensor table = matrix(3, 2, {1, 2, 3, 4, 5, 6}), out = matrix(3, 2, {10, 10, 10, 10, 10, 10});
  const std::vector<int32_t> ids = {2, 0, 2};
  backend_->embedding(table, ids, 1, out, true);
  expect_values(out, {15, 16, 11, 12, 15, 16});
  backend_->embedding(table, ids, 1, out, false);
  expect_values(out, {5, 6, 1, 2, 5, 6});
  backend_->embedding_backward(matrix(3, 2, {1, 2, 30, 40, 500, 600}), ids, 1, table);
  expect_values(table, {31, 42, 3, 4, 506, 608});
}

TEST_F(ReferenceTest, LinearAndActivations) {
  const Tensor x = matrix(1, 2, {1, 2}), weight = matrix(3, 2, {1, 1, -2, 0.5, 0, 0}), bias = vector({-2, 0, -3});
  const Tensor out = backend_->empty({1, 3}), before = backend_->empty({1, 3});
  backend_->linear(x, weight, bias, Activation::gelu, out, before);
  expect_values(before, {1, -1, -3});
  // x·Φ(x) with Φ(1) = 0.8413447460685429, Φ(−3) = 0.0013498980316301 from tables of the normal distribution.
  expect_values(out, {0.8413447460685429, -0.1586552539314571, -3 * 0.0013498980316301}, 1e-13);
  backend_->linear(x, weight, bias, Activation::relu, out, {});
  expect_values(out, {1, 0, 0});
  backend_->linear(x, weight, bias, Activation::tanh, out, {});
  expect_values(out, {0.7615941559557649, -0.7615941559557649, -0.9950547536867305});
  backend_->linear(x, weight, {}, Activation::none, out, {});
  expect_values(out, {3, -1, 0});
  // σ(1) = 0.7310585786300049, σ(−1), σ(−3) = 0.04742587317756678.
  backend_->linear(x, weight, bias, Activation::silu, out, {});
  expect_values(out, {0.7310585786300049, -0.2689414213699951, -3 * 0.04742587317756678});
  // torch.nn.functional.gelu(x, approximate="tanh") in float64, PyTorch 2.
  backend_->linear(x, weight, bias, Activation::gelu_tanh, out, {});
  expect_values(out, {0.8411919906082768, -0.15880800939172324, -0.0036373920817729943}, 1e-13);
}

TEST_F(ReferenceTest, LayerNormOfASumOfTwo) {
  const Tensor x = matrix(1, 4, {1, 1, 1, 1}), residual = matrix(1, 4, {0, 2, 4, 6});
  const Tensor sum = backend_->empty({1, 4}), statistics = backend_->empty({1, 2}), out = backend_->empty({1, 4});
  backend_->layer_norm(x, residual, {}, vector({1, 1, 2, 1}), vector({0, 0, 0, 5}), 4, sum, statistics, out);
  expect_values(sum, {1, 3, 5, 7});
  expect_values(statistics, {4, 1.0 / 3});  // variance 5, ε 4
  expect_values(out, {-1, -1.0 / 3, 2.0 / 3, 6});
}

TEST_F(ReferenceTest, RmsNormOfASumOfTwo) {
  const Tensor x = matrix(1, 4, {1, 1, 1, 1}), residual = matrix(1, 4, {0, 2, 4, 6});
  const Tensor sum = backend_->empty({1, 4}), statistics = backend_->empty({1, 1}), out = backend_->empty({1, 4});
  backend_->rms_norm(x, residual, {}, {}, 4, sum, statistics, out);
  expect_values(sum, {1, 3, 5, 7});
  expect_values(statistics, {0.2});  // mean square 21, ε 4
  expect_values(out, {0.2, 0.6, 1, 1.4});
  backend_->rms_norm(x, residual, {}, vector({1, 0, 2, -1}), 4, sum, statistics, out);
  expect_values(out, {0.2, 0, 2, -1.4});
}

TEST_F(ReferenceTest, DropoutKeepsAboutTheRightShareScaled) {
  const Tensor x = backend_->empty({300, 100}), out = backend_->empty({300, 100});
  backend_->fill(x, 3);
  backend_->dropout(x, {.probability = 0.25, .stream = {.seed = 7, .stream = 3}}, out);
  int64_t zeros = 0;
  for (const double value : values_of(out)) {
    if (value == 0)
      ++zeros;
    else
      ASSERT_DOUBLE_EQ(value, 4);
  }
  EXPECT_NEAR(static_cast<double>(zeros) / 30000, 0.25, 0.0125);  // five standard deviations
}

TEST_F(ReferenceTest, RotationMatchesPublishedVectors) {
  // The first expected elements of Hugging Face's tests/models/roformer/test_modeling_roformer.py for q =
  // arange(2·12·16·64) / 100 with heads of 64: rows of the first head at positions 0, 1 and 2.
  std::vector<double> values(3 * 64);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i) / 100;
  const Tensor q = matrix(3, 64, values);
  const std::vector<int32_t> positions = {0, 1, 2};
  const RotaryAngles angles = backend_->rotary_angles({.dim = 64, .layout = RotaryLayout::adjacent}, positions);
  backend_->rotate(q, 1, angles, false);
  const Tensor first = backend_->empty({3, 8});
  backend_->copy(q.column_range(0, 8), first);
  expect_values(first, {0,       .01,   .02,     .03,    .04,    .05,    .06,    .07,    //
                        -.2012,  .8897, .0263,   .9401,  .2074,  .9463,  .3481,  .9343,  //
                        -1.7057, .6271, -1.2145, 1.3897, -.6303, 1.7647, -.1173, 1.8985},
                6e-5);
  backend_->rotate(q, 1, angles, true);
  expect_values(q, values);
}

TEST_F(ReferenceTest, RotationOfHalvesAndOfAPartOfTheHead) {
  // Two heads of 6, the first 4 elements rotated: pairs (0, 2) and (1, 3), angles m and m / 100.
  const std::vector<int32_t> positions = {3, 1, 3};
  const RotaryAngles angles = backend_->rotary_angles({.dim = 4, .layout = RotaryLayout::half}, positions);
  EXPECT_THAT(angles.row, ElementsAre(1, 0, 1));
  expect_values(angles.cos, {std::cos(1.0), std::cos(0.01), std::cos(3.0), std::cos(0.03)});
  expect_values(angles.sin, {std::sin(1.0), std::sin(0.01), std::sin(3.0), std::sin(0.03)});
  const Tensor x = matrix(3, 12, {1, 1, 0, 0, 8, 9, 0, 0, 1, 1, 8, 9,  //
                                  1, 1, 0, 0, 8, 9, 0, 0, 1, 1, 8, 9,  //
                                  1, 1, 0, 0, 8, 9, 0, 0, 1, 1, 8, 9});
  backend_->rotate(x, 2, angles, false);
  std::vector<double> expected;
  for (const double m : {3.0, 1.0, 3.0}) {
    const double c = std::cos(m), s = std::sin(m), slow_c = std::cos(m / 100), slow_s = std::sin(m / 100);
    for (const double y : {c, slow_c, s, slow_s, 8.0, 9.0, -s, -slow_s, c, slow_c, 8.0, 9.0}) expected.push_back(y);
  }
  expect_values(x, expected);
}

TEST_F(ReferenceTest, RotaryAnglesRefusePositionsOutOfRange) {
  const Rotary rotary{.dim = 8};
  const int32_t most = 1 << 29;
  EXPECT_THROW(backend_->rotary_angles(rotary, std::vector<int32_t>{0, -1}), DataError);
  EXPECT_THROW(backend_->rotary_angles(rotary, std::vector<int32_t>{most + 1, 4}), DataError);
  EXPECT_EQ(backend_->rotary_angles(rotary, std::vector<int32_t>{most}).cos.rows(), 1);
  const RotaryAngles none = backend_->rotary_angles(rotary, {});
  EXPECT_EQ(none.cos.shape(), (Shape{0, 4}));
  EXPECT_TRUE(none.row.empty());
}

TEST_F(ReferenceTest, AttentionOfTwoKeys) {
  // Scores ln 1 and ln 3, so weights 1/4 and 3/4. The second sequence has a query but no keys.
  const std::vector<int32_t> queries = {0, 1, 2}, keys = {0, 2, 2};
  AttentionSpec spec;
  spec.scale = 0.5;
  spec.query_offsets = queries;
  spec.key_offsets = keys;
  const AttentionTensors in{matrix(2, 1, {2, 5}), matrix(2, 1, {0, std::log(3.0)}), matrix(2, 1, {8, 16})};
  const Tensor out = backend_->empty({2, 1}), log_sum_exp = backend_->empty({1, 2});
  backend_->attention(spec, in, out, log_sum_exp);
  expect_values(out, {14, 0});
  EXPECT_NEAR(read(log_sum_exp, 0, 0), std::log(4.0), 1e-12);
}

TEST_F(ReferenceTest, RelativeTermsAndDropoutFollowTheirEquation) {
  // score = ½(q·k + q·A_r + k·B_r) + b_r, value v + C_r, r = clip(key position − query position, ±1).
  const std::vector<int32_t> queries = {0, 1}, keys = {0, 3}, query_positions = {5}, key_positions = {2, 5, 6};
  const Dropout dropout{.probability = 0.5, .stream = {.seed = 4, .stream = 9}};
  AttentionSpec spec{
      .heads = 2, .scale = 0.5, .query_offsets = queries, .key_offsets = keys, .dropout = dropout, .terms = {}};
  spec.terms = {.clip = 1,
                .query_positions = query_positions,
                .key_positions = key_positions,
                .bias = matrix(3, 2, {.1, .4, .2, .5, .3, .6}),
                .query_table = matrix(3, 2, {1, -1, 2, -2, 3, -3}),
                .key_table = matrix(3, 2, {.5, .6, .7, .8, .9, 1}),
                .value_table = matrix(3, 2, {100, 200, 300, 400, 500, 600})};
  const double q[] = {0.3, -0.7}, k[] = {1, 2, 3, 4, 5, 6}, v[] = {7, 8, 9, 10, 11, 12};
  const AttentionTensors in{matrix(1, 2, {q[0], q[1]}), matrix(3, 2, {k, k + 6}), matrix(3, 2, {v, v + 6})};
  const Tensor out = backend_->empty({1, 2}), log_sum_exp = backend_->empty({2, 1});
  backend_->attention(spec, in, out, log_sum_exp);

  int kept = 0;
  for (uint32_t h = 0; h < 2; ++h) {
    double total = 0, weighted = 0;
    for (uint32_t j = 0; j < 3; ++j) {  // keys at distances −3, 0, 1: rows 0, 1, 2
      const double a = (h == 0 ? 1.0 : -1.0) * (j + 1), b = 0.5 + 0.2 * j + 0.1 * h, bias = 0.1 * (j + 1) + 0.3 * h;
      const double score = 0.5 * (q[h] * k[2 * j + h] + q[h] * a + k[2 * j + h] * b) + bias;
      total += std::exp(score);
      if (!dropout.keeps(h, j)) continue;  // one query: the row of the mask is the head
      ++kept;
      weighted += 2 * std::exp(score) * (v[2 * j + h] + 200 * j + 100 + 100 * h);
    }
    EXPECT_NEAR(read(out, 0, h), weighted / total, 1e-10);
    EXPECT_NEAR(read(log_sum_exp, h, 0), std::log(total), 1e-12);
  }
  EXPECT_TRUE(0 < kept && kept < 6) << "choose another seed: the mask must drop some and keep some";
}

TEST_F(ReferenceTest, CrossEntropyOfKnownDistributions) {
  // Logits (ln 1, ln 2, ln 5) for hidden 1 and equal ones for hidden 0.
  const Tensor hidden = matrix(3, 1, {1, 0, 1}), weight = matrix(3, 1, {0, std::log(2.0), std::log(5.0)});
  const std::vector<int32_t> labels = {2, 1, 0};
  const LossSum loss = backend_->cross_entropy(hidden, weight, {}, {labels, 1}, {}, {}, {}).read();
  EXPECT_NEAR(loss.sum, std::log(8.0 / 5) + std::log(3.0) + std::log(8.0), 1e-12);
  EXPECT_EQ(loss.correct, 1);
  const LossSum shifted =
      backend_->cross_entropy(hidden, weight, vector({1e4, 1e4, 1e4}), {labels, 1}, {}, {}, {}).read();
  EXPECT_NEAR(shifted.sum, loss.sum, 1e-8);
}

TEST_F(ReferenceTest, LogarithmsOfSumsOfExponentials) {
  const Tensor x = matrix(3, 2, {std::log(2.0), std::log(6.0), 1000, 1000, -1e4, 0});
  EXPECT_THAT(backend_->log_sum_exp(x), Pointwise(DoubleNear(1e-12), {std::log(8.0), 1000 + std::log(2.0), 0.0}));
}

// torch.nn.functional.cross_entropy(torch.tensor([[1, 2, 4], [0, 0, 0]]), torch.tensor([2, 1]), label_smoothing=0.3,
// reduction="sum") in float64, and its gradient by the factors of the first row, times 2.
TEST_F(ReferenceTest, CrossEntropyWithSmoothedLabels) {
  const Tensor hidden = matrix(2, 1, {1, 0}), weight = matrix(3, 1, {1, 2, 4}), dhidden = backend_->empty({2, 1});
  const Tensor dweight = backend_->empty({3, 1});
  backend_->fill(dweight, 0);
  const std::vector<int32_t> labels = {2, 1};
  const LossSum loss = backend_->cross_entropy(hidden, weight, {}, {labels, 2, 0.3}, dhidden, dweight, {}).read();
  EXPECT_NEAR(loss.sum, 1.7684583082243952, 1e-12);
  EXPECT_EQ(loss.correct, 1);
  expect_values(dweight, {-0.1159798677318679, 0.02839039876918895, 0.08758946896267886});
}

TEST_F(ReferenceTest, PoolingWithAnEmptySequence) {
  const Tensor x = matrix(4, 2, {1, 9, 5, 9, 3, 7, -4, -6}), out = backend_->empty({3, 2});
  const std::vector<int32_t> offsets = {0, 3, 3, 4};
  const Tensor argmax = backend_->empty({3, 2}, DType::int32);
  backend_->pool(Pooling::cls, x, offsets, out, argmax);
  expect_values(out, {1, 9, 0, 0, -4, -6});
  backend_->pool(Pooling::mean, x, offsets, out, argmax);
  expect_values(out, {3, 25.0 / 3, 0, 0, -4, -6});
  backend_->pool(Pooling::max, x, offsets, out, argmax);
  expect_values(out, {5, 9, 0, 0, -4, -6});
  EXPECT_THAT(std::vector<int32_t>(argmax.data<int32_t>(), argmax.data<int32_t>() + 6),
              ElementsAre(1, 0, -1, -1, 3, 3));
}

TEST_F(ReferenceTest, AdamWFollowsAlgorithm2) {
  double theta = 0.7, m = 0, v = 0;
  const Tensor parameter = matrix(1, 1, {theta}), first = matrix(1, 1, {0}), second = matrix(1, 1, {0});
  for (int t = 1; t <= 5; ++t) {
    const double raw = std::sin(t), g = 0.25 * raw;
    m = 0.9 * m + 0.1 * g;
    v = 0.99 * v + 0.01 * g * g;
    const double m_hat = m / (1 - std::pow(0.9, t)), v_hat = v / (1 - std::pow(0.99, t));
    theta = theta - 0.1 * (m_hat / (std::sqrt(v_hat) + 1e-3) + 0.05 * theta);
    const AdamWStep step{
        .step = t, .learning_rate = 0.1, .beta1 = 0.9, .beta2 = 0.99, .epsilon = 1e-3, .gradient_scale = 0.25};
    const AdamWTensors tensors{matrix(1, 1, {raw}), parameter, first, second, 0.05};
    backend_->adamw(step, {&tensors, 1});
    expect_values(parameter, {theta});
    expect_values(first, {m});
    expect_values(second, {v});
  }
}

}  // namespace
}  // namespace roformer::test
