// Every operator except attention: recorded gradients and errors.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <vector>

#include "base/error.h"
#include "ops/ops.h"
#include "tests/ops/gradient_check.h"

namespace roformer::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

const Dropout kSomeDropout{.probability = 0.4, .stream = {.seed = 3, .stream = 8}};

TEST_F(OperatorTest, EmbeddingSumsLookups) {
  const std::vector<int32_t> words = {3, 0, 3, 1, 3}, segments = {0, 1, 1, 0, 1}, rows = {2, 1, 0, 1, 2};
  const Parameter word_table = parameter(4, 3), segment_table = parameter(2, 3);
  const Parameter constant{trial_.random(3, 3), {}};
  const auto apply = [&](const Context& context, const std::vector<Value>&) {
    const std::array<Lookup, 3> lookups{Lookup{word_table, words, "token id"},
                                        {segment_table, segments, "segment id"},
                                        {constant, rows, "position row"}};
    return embedding(context, lookups);
  };
  const Value out = apply({.backend = *backend_}, {});
  EXPECT_DOUBLE_EQ(read(out.data, 3, 2),
                   read(word_table.value, 1, 2) + read(segment_table.value, 0, 2) + read(constant.value, 1, 2));
  expect_gradients(trial_, {{}, {{"words", word_table}, {"segments", segment_table}}, apply});
}

TEST_F(OperatorTest, Linear) {
  for (const Activation activation : {Activation::none, Activation::gelu, Activation::gelu_tanh, Activation::relu,
                                      Activation::silu, Activation::tanh}) {
    for (const bool with_bias : {false, true}) {
      SCOPED_TRACE(::testing::Message() << "activation " << static_cast<int>(activation) << ", bias " << with_bias);
      const Parameter weight = parameter(5, 3), bias = with_bias ? vector_parameter(5) : Parameter{};
      OperatorCheck check{{{"x", trial_.random(4, 3)}}, {{"weight", weight}}, {}};
      if (with_bias) check.parameters.emplace_back("bias", bias);
      check.apply = [&](const Context& context, const std::vector<Value>& in) {
        return linear(context, in[0], weight, bias, activation);
      };
      expect_gradients(trial_, check);
    }
  }
}

TEST_F(OperatorTest, LayerNorm) {
  for (const bool with_residual : {false, true}) {
    for (const Dropout& drop : {Dropout{}, kSomeDropout}) {
      SCOPED_TRACE(::testing::Message() << "residual " << with_residual << ", dropout " << drop.probability);
      const Parameter gain = vector_parameter(7), bias = vector_parameter(7);
      OperatorCheck check{{{"x", trial_.random(3, 7)}}, {{"gain", gain}, {"bias", bias}}, {}};
      if (with_residual) check.inputs.emplace_back("residual", trial_.random(3, 7));
      check.apply = [&](const Context& context, const std::vector<Value>& in) {
        return layer_norm(context, in[0], with_residual ? in[1] : Value(), drop, gain, bias, 1e-3);
      };
      expect_gradients(trial_, check);
    }
  }
}

TEST_F(OperatorTest, RmsNorm) {
  for (const bool with_gain : {false, true}) {
    for (const Dropout& drop : {Dropout{}, kSomeDropout}) {
      SCOPED_TRACE(::testing::Message() << "gain " << with_gain << ", dropout " << drop.probability);
      const Parameter gain = with_gain ? vector_parameter(7) : Parameter{};
      OperatorCheck check{{{"x", trial_.random(3, 7)}}, {}, {}};
      if (with_gain) {
        check.inputs.emplace_back("residual", trial_.random(3, 7));
        check.parameters.emplace_back("gain", gain);
      }
      check.apply = [&](const Context& context, const std::vector<Value>& in) {
        return rms_norm(context, in[0], with_gain ? in[1] : Value(), drop, gain, 1e-3);
      };
      expect_gradients(trial_, check);
    }
  }
}

TEST_F(OperatorTest, GatedFeedForward) {
  for (const Activation activation : {Activation::silu, Activation::gelu, Activation::gelu_tanh, Activation::relu}) {
    for (const bool biased : {false, true}) {
      SCOPED_TRACE(::testing::Message() << static_cast<int>(activation) << ", biased: " << biased);
      GatedWeights weights{.gate_weight = parameter(5, 3),
                           .gate_bias = {},
                           .up_weight = parameter(5, 3),
                           .up_bias = {},
                           .down_weight = parameter(4, 5),
                           .down_bias = {}};
      OperatorCheck check{
          .inputs = {{"x", trial_.random(6, 3)}},
          .parameters = {{"gate", weights.gate_weight}, {"up", weights.up_weight}, {"down", weights.down_weight}},
          .apply = {}};
      if (biased) {
        weights.gate_bias = vector_parameter(5);
        weights.up_bias = vector_parameter(5);
        weights.down_bias = vector_parameter(4);
        check.parameters.emplace_back("gate bias", weights.gate_bias);
        check.parameters.emplace_back("up bias", weights.up_bias);
        check.parameters.emplace_back("down bias", weights.down_bias);
      }
      check.apply = [&](const Context& context, const std::vector<Value>& in) {
        return gated_feed_forward(context, in[0], activation, weights);
      };
      expect_gradients(trial_, check);
    }
  }
}

// down(silu(gate(x)) · up(x)) by hand.
TEST_F(OperatorTest, GatedFeedForwardOfKnownNumbers) {
  const auto matrix = [&](int64_t rows, int64_t columns, const std::vector<double>& values) {
    const Tensor x = backend_->empty({rows, columns});
    assign(x, values);
    return Parameter{x, {}};
  };
  const GatedWeights weights{.gate_weight = matrix(2, 1, {1, -2}),
                             .gate_bias = {},
                             .up_weight = matrix(2, 1, {3, 5}),
                             .up_bias = {},
                             .down_weight = matrix(1, 2, {1, 10}),
                             .down_bias = {}};
  const Value x(matrix(1, 1, {2}).value);
  const auto silu = [](double g) { return g / (1 + std::exp(-g)); };
  const Value out = gated_feed_forward({.backend = *backend_}, x, Activation::silu, weights);
  EXPECT_NEAR(read(out.data, 0, 0), silu(2) * 6 + 10 * silu(-4) * 10, 1e-13);
}

TEST_F(OperatorTest, AddResidual) {
  for (const double probability : {0.0, 0.4}) {
    SCOPED_TRACE(probability);
    const Dropout dropout{.probability = probability, .stream = {.seed = 3, .stream = 8}};
    const auto add = [&](const Context& context, const std::vector<Value>& in) {
      return add_residual(context, Value(in[0]), in[1], dropout);
    };
    expect_gradients(trial_, {{{"x", trial_.random(5, 4)}, {"residual", trial_.random(5, 4)}}, {}, add});
    const Value constant(trial_.random(5, 4));
    const auto one = [&](const Context& context, const std::vector<Value>& in) {
      return add_residual(context, Value(in[0]), constant, dropout);
    };
    expect_gradients(trial_, {{{"x", trial_.random(5, 4)}}, {}, one});
  }
}

TEST_F(OperatorTest, LayerNormWithoutBias) {
  const Parameter gain = vector_parameter(7);
  const auto apply = [&](const Context& context, const std::vector<Value>& in) {
    return layer_norm(context, in[0], {}, {}, gain, {}, 1e-3);
  };
  expect_gradients(trial_, {{{"x", trial_.random(3, 7)}}, {{"gain", gain}}, apply});
}

TEST_F(OperatorTest, SoftCap) {
  const auto apply = [](const Context& context, const std::vector<Value>& in) { return soft_cap(context, in[0], 0.8); };
  expect_gradients(trial_, {{{"x", trial_.random(4, 3)}}, {}, apply});
  const Value x(trial_.random(2, 3));
  EXPECT_NEAR(read(apply({.backend = *backend_}, {x}).data, 1, 2), 0.8 * std::tanh(read(x.data, 1, 2) / 0.8), 1e-14);
  EXPECT_THROW(soft_cap({.backend = *backend_}, x, 0), ShapeError);
}

// Heads of a range of columns as rows, and back.
TEST_F(OperatorTest, HeadRows) {
  const auto apply = [](const Context& context, const std::vector<Value>& in) {
    Value rows = head_rows(context, columns_of(in[0], 1, 6), 2);
    EXPECT_EQ(rows.data.shape(), (Shape{8, 3}));
    return reshaped(context, std::move(rows), {4, 6});
  };
  const Tensor x = trial_.random(4, 7);
  EXPECT_EQ(values_of(apply({.backend = *backend_}, {Value(x)}).data), values_of(x.column_range(1, 6)));
  OperatorCheck check{{{"x", x}}, {}, [&](const Context& context, const std::vector<Value>& in) {
                        // Every column contributes.
                        return add_residual(context, apply(context, in),
                                            reshaped(context, head_rows(context, columns_of(in[0], 0, 6), 1), {4, 6}),
                                            {});
                      }};
  expect_gradients(trial_, check);
}

TEST_F(OperatorTest, LayerNormOfOneTrackedInput) {
  const Parameter gain{trial_.random_vector(6), {}}, bias{trial_.random_vector(6), {}};
  const Value constant(trial_.random(2, 6));
  for (const bool residual_is_tracked : {false, true}) {
    SCOPED_TRACE(residual_is_tracked);
    const auto apply = [&](const Context& context, const std::vector<Value>& in) {
      return residual_is_tracked ? layer_norm(context, constant, in[0], kSomeDropout, gain, bias, 1e-3)
                                 : layer_norm(context, in[0], constant, {}, gain, bias, 1e-3);
    };
    expect_gradients(trial_, {{{"x", trial_.random(2, 6)}}, {}, apply});
  }
}

TEST_F(OperatorTest, Dropout) {
  const auto apply = [](const Context& context, const std::vector<Value>& in) {
    return dropout(context, in[0], kSomeDropout);
  };
  expect_gradients(trial_, {{{"x", trial_.random(3, 70)}}, {}, apply});
}

TEST_F(OperatorTest, InactiveDropoutIsTheSameValue) {
  Tape tape;
  const Value x = Value::tracking(trial_.random(2, 3));
  const Value out = dropout({.backend = *backend_, .tape = &tape}, x, {});
  EXPECT_EQ(out.data.raw(), x.data.raw());
  EXPECT_EQ(out.gradient, x.gradient);
}

TEST_F(OperatorTest, GatherRowsAddsGradientsOfRepeatedRows) {
  const std::vector<int32_t> rows = {2, 0, 2, 2, 3};
  const auto apply = [&](const Context& context, const std::vector<Value>& in) {
    return gather_rows(context, in[0], rows);
  };
  OperatorCheck check{{{"x", trial_.random(4, 3)}}, {}, apply};
  expect_gradients(trial_, check);

  Tape tape;
  const Value x = Value::tracking(trial_.random(4, 3));
  const Value out = gather_rows({.backend = *backend_, .tape = &tape}, x, rows);
  *out.gradient = backend_->empty({5, 3});
  backend_->fill(*out.gradient, 1);
  tape.backward();
  EXPECT_THAT(values_of(*x.gradient), ElementsAre(1, 1, 1, 0, 0, 0, 3, 3, 3, 1, 1, 1));
}

TEST_F(OperatorTest, Pool) {
  const std::vector<int32_t> offsets = {0, 3, 3, 4, 9};  // the second sequence is empty
  for (const Pooling pooling : {Pooling::cls, Pooling::mean, Pooling::max}) {
    SCOPED_TRACE(static_cast<int>(pooling));
    const auto apply = [&](const Context& context, const std::vector<Value>& in) {
      return pool(context, in[0], offsets, pooling);
    };
    expect_gradients(trial_, {{{"x", trial_.random(9, 5)}}, {}, apply});
  }
}

TEST_F(OperatorTest, CrossEntropyIsARoot) {
  constexpr double kScale = 0.37;
  const std::vector<int32_t> labels = {4, 0, 0, 6};
  for (const bool with_bias : {false, true}) {
    SCOPED_TRACE(with_bias);
    const Tensor hidden = trial_.random(4, 3);
    const Parameter weight = parameter(7, 3), bias = with_bias ? vector_parameter(7) : Parameter{};
    const auto weight_before = values_of(weight.gradient), bias_before = values_of(bias.gradient);
    const auto objective = [&] {
      return kScale * cross_entropy({.backend = *backend_}, Value(hidden), weight, bias, {labels, kScale}).read().sum;
    };
    objective();
    ASSERT_EQ(values_of(weight.gradient), weight_before) << "no tape, but a gradient";
    Tape tape;
    const Value tracked = Value::tracking(hidden);
    const Loss loss = cross_entropy({.backend = *backend_, .tape = &tape}, tracked, weight, bias, {labels, kScale});
    tape.backward();
    EXPECT_DOUBLE_EQ(kScale * loss.read().sum, objective());
    expect_gradient("hidden", objective, hidden, *tracked.gradient, std::vector<double>(12, 0.0));
    expect_gradient("weight", objective, weight.value, weight.gradient, weight_before);
    if (with_bias) expect_gradient("bias", objective, bias.value, bias.gradient, bias_before);
  }
}

// Σ (x − target)² · row, as the host sees it.
template <class Real>
LossSum squares(const Tensor& x, Tensor* gradient, double scale) {
  LossSum result{.sum = 0, .correct = x.rows()};
  for (int64_t i = 0; i < x.rows(); ++i) {
    for (int64_t j = 0; j < x.columns(); ++j) {
      const double difference = x.row<Real>(i)[j] - 0.5, weight = static_cast<double>(i + 1);
      result.sum += weight * difference * difference;
      if (gradient != nullptr) gradient->row<Real>(i)[j] += static_cast<Real>(scale * weight * 2 * difference);
    }
  }
  return result;
}

TEST_F(OperatorTest, ALossOnTheHostIsARoot) {
  constexpr double kScale = 0.25;
  const Parameter weight = parameter(3, 4);
  const Tensor x = trial_.random(2, 4);
  const auto weight_before = values_of(weight.gradient);
  const auto pass = [&](Tape* tape, const Value& in) {
    const Context context{.backend = *backend_, .tape = tape};
    const Value out = linear(context, in, weight, {});
    const auto loss = [&](const Tensor& host, Tensor* gradient) {
      EXPECT_EQ(gradient != nullptr, tape != nullptr);
      return squares<double>(host, gradient, kScale);
    };
    return host_loss(context, out, loss).read();
  };
  const auto objective = [&] { return kScale * pass(nullptr, Value(x)).sum; };
  Tape tape;
  const Value tracked = Value::tracking(x);
  const LossSum loss = pass(&tape, tracked);
  tape.backward();
  EXPECT_DOUBLE_EQ(kScale * loss.sum, objective());
  EXPECT_EQ(loss.correct, 2);
  expect_gradient("x", objective, x, *tracked.gradient, std::vector<double>(8, 0.0));
  expect_gradient("weight", objective, weight.value, weight.gradient, weight_before);
}

TEST(HostLoss, ReadsAColumnRangeInFloat32) {
  ThreadPool pool(1);
  const auto backend = make_reference_backend(pool);
  const Tensor whole = backend->zeros({2, 5});
  Tape tape;
  const Value x = Value::tracking(whole.column_range(1, 3));
  host_loss({.backend = *backend, .tape = &tape}, x, [](const Tensor& host, Tensor* gradient) {
    EXPECT_TRUE(host.contiguous() && gradient->contiguous());
    return squares<float>(host, gradient, 1);
  });
  tape.backward();
  EXPECT_EQ(values_of(*x.gradient), (std::vector<double>{-1, -1, -1, -2, -2, -2}));
}

TEST_F(OperatorTest, CrossEntropyTrainsItsWeightOverConstantHiddenStates) {
  const std::vector<int32_t> labels = {1, 4};
  const Tensor hidden = trial_.random(2, 3);
  const Parameter weight = parameter(5, 3), bias = vector_parameter(5);
  const auto weight_before = values_of(weight.gradient), bias_before = values_of(bias.gradient);
  Tape tape;
  cross_entropy({.backend = *backend_, .tape = &tape}, Value(hidden), weight, bias, {labels, 1});
  tape.backward();
  const auto objective = [&] {
    return cross_entropy({.backend = *backend_}, Value(hidden), weight, bias, {labels, 1}).read().sum;
  };
  expect_gradient("weight", objective, weight.value, weight.gradient, weight_before);
  expect_gradient("bias", objective, bias.value, bias.gradient, bias_before);
}

TEST_F(OperatorTest, AValueUsedTwiceSumsItsGradients) {
  const Parameter first = parameter(4, 4), second = parameter(4, 4), gain = vector_parameter(4);
  const Parameter bias = vector_parameter(4);
  const std::vector<int32_t> rows = {1, 1, 0};
  const auto apply = [&](const Context& context, const std::vector<Value>& in) {
    const Value a = linear(context, in[0], first, {}, Activation::tanh);
    const Value b = layer_norm(context, linear(context, in[0], second, {}), in[0], {}, gain, bias, 1e-3);
    const Value gathered = gather_rows(context, in[0], rows);
    const Value both = layer_norm(context, a, b, kSomeDropout, gain, bias, 1e-3);
    return layer_norm(context, both, gathered, {}, gain, bias, 1e-3);
  };
  expect_gradients(
      trial_,
      {{{"x", trial_.random(3, 4)}}, {{"first", first}, {"second", second}, {"gain", gain}, {"bias", bias}}, apply});
}

TEST_F(OperatorTest, ResidualOfItself) {
  const Parameter gain = vector_parameter(5), bias = vector_parameter(5);
  const auto apply = [&](const Context& context, const std::vector<Value>& in) {
    return layer_norm(context, in[0], in[0], kSomeDropout, gain, bias, 1e-3);
  };
  expect_gradients(trial_, {{{"x", trial_.random(3, 5)}}, {}, apply});
}

TEST_F(OperatorTest, NothingIsTrackedWithoutTapeOrWithoutNeed) {
  const Parameter weight = parameter(3, 3), frozen{trial_.random(3, 3), {}};
  const Value x = Value::tracking(trial_.random(2, 3));
  EXPECT_FALSE(linear({.backend = *backend_}, x, weight, {}).tracked());
  EXPECT_FALSE(dropout({.backend = *backend_}, x, kSomeDropout).tracked());
  const std::vector<int32_t> rows = {0}, offsets = {0, 2};
  EXPECT_FALSE(gather_rows({.backend = *backend_}, x, rows).tracked());
  EXPECT_FALSE(pool({.backend = *backend_}, x, offsets, Pooling::mean).tracked());
  Tape tape;
  const Context context{.backend = *backend_, .tape = &tape};
  EXPECT_FALSE(linear(context, Value(x.data), frozen, {}).tracked());
  EXPECT_TRUE(linear(context, Value(x.data), weight, {}).tracked());
  EXPECT_TRUE(linear(context, x, frozen, {}).tracked());
}

TEST_F(OperatorTest, AResultThatNobodyUsesGivesNoGradient) {
  const Parameter weight = parameter(3, 3);
  const auto before = values_of(weight.gradient);
  Tape tape;
  const Value x = Value::tracking(trial_.random(2, 3));
  linear({.backend = *backend_, .tape = &tape}, x, weight, {}, Activation::gelu);
  tape.backward();
  EXPECT_FALSE(x.gradient->defined());
  EXPECT_EQ(values_of(weight.gradient), before);
}

// The gradient of x is the same whether parameters are frozen or not.
TEST(FrozenParametersTest, GradientsPassThrough) {
  ThreadPool pool(2);
  for (const char* device : {"cpu", "reference"}) {
    SCOPED_TRACE(device);
    const auto backend = make_backend(device, pool);
    const auto run = [&](bool frozen) {
      Trial trial(*backend, 5, false);
      const auto parameter = [&](const Tensor& value) {
        Parameter made{value, frozen ? Tensor() : backend->empty(value.shape())};
        if (!frozen) backend->fill(made.gradient, 0);
        return made;
      };
      Tape tape;
      const Context context{.backend = *backend, .tape = &tape};
      const Value x = Value::tracking(trial.random(3, 4));
      const Parameter weight = parameter(trial.random(4, 4)), bias = parameter(trial.random_vector(4));
      const Parameter gain = parameter(trial.random_vector(4)), words = parameter(trial.random(9, 4));
      const Parameter output_bias = parameter(trial.random_vector(9));
      const std::vector<int32_t> labels = {8, 0, 3};
      const Value y = linear(context, x, weight, bias, Activation::gelu);
      cross_entropy(context, layer_norm(context, y, x, {}, gain, bias, 1e-6), words, output_bias, {labels, 0.5});
      tape.backward();
      return values_of(*x.gradient);
    };
    EXPECT_EQ(run(true), run(false));
  }
}

class RefusalTest : public OperatorTest {
 protected:
  Context context_{.backend = *backend_};
  Value x_{trial_.random(3, 4)};
};

TEST_F(RefusalTest, IdsOutOfRange) {
  const Parameter table = parameter(5, 2);
  for (const int32_t wrong : {-1, 5, INT32_MAX, INT32_MIN}) {
    const std::vector<int32_t> ids = {0, 4, wrong};
    const Lookup lookup{table, ids, "token id"};
    EXPECT_THAT(
        [&] {
          embedding(context_, {&lookup, 1});
        },
        ThrowsMessage<DataError>(HasSubstr("token id " + std::to_string(wrong) + " at token 2 is outside 0..4")));
    const std::vector<int32_t> rows = {wrong};
    EXPECT_THAT([&] { gather_rows(context_, x_, rows); }, ThrowsMessage<DataError>(HasSubstr("outside 0..2")));
    const std::vector<int32_t> labels = {0, wrong, 0};
    EXPECT_THAT(
        [&] {
          cross_entropy(context_, x_, parameter(5, 4), {}, {labels, 1});
        },
        ThrowsMessage<DataError>(HasSubstr("label " + std::to_string(wrong) + " at token 1")));
  }
}

TEST_F(RefusalTest, Shapes) {
  const std::vector<int32_t> two = {0, 1}, three = {0, 1, 0};
  const Lookup lookups[] = {{parameter(5, 2), two, "token id"}, {parameter(5, 3), two, "segment id"}};
  EXPECT_THAT([&] { embedding(context_, lookups); }, ThrowsMessage<ShapeError>(HasSubstr("segment id is [5, 3]")));
  const Lookup lengths[] = {{parameter(5, 2), two, "token id"}, {parameter(5, 2), three, "segment id"}};
  EXPECT_THAT([&] { embedding(context_, lengths); }, ThrowsMessage<ShapeError>(HasSubstr("3 segment ids for 2")));
  EXPECT_THROW(embedding(context_, {}), ShapeError);

  EXPECT_THAT([&] { linear(context_, x_, parameter(2, 3), {}); },
              ThrowsMessage<ShapeError>(HasSubstr("linear: input is [3, 4], expected 3 columns")));
  EXPECT_THAT([&] { linear(context_, x_, parameter(2, 4), vector_parameter(3)); },
              ThrowsMessage<ShapeError>(HasSubstr("linear: bias is [3], expected 2")));

  const auto norm = [&](const Value& residual, int64_t gain, int64_t bias) {
    layer_norm(context_, x_, residual, {}, vector_parameter(gain), vector_parameter(bias), 1e-6);
  };
  EXPECT_THAT([&] { norm({}, 5, 4); }, ThrowsMessage<ShapeError>(HasSubstr("gain is [5]")));
  EXPECT_THAT([&] { norm({}, 4, 5); }, ThrowsMessage<ShapeError>(HasSubstr("bias is [5]")));
  EXPECT_THAT([&] { norm(Value(trial_.random(2, 4)), 4, 4); }, ThrowsMessage<ShapeError>(HasSubstr("residual")));
  EXPECT_THAT([&] { norm(Value(trial_.random(3, 5)), 4, 4); }, ThrowsMessage<ShapeError>(HasSubstr("residual")));

  EXPECT_THAT([&] { rms_norm(context_, x_, {}, {}, vector_parameter(5), 1e-6); },
              ThrowsMessage<ShapeError>(HasSubstr("rms_norm: gain is [5], expected 4 columns")));
  EXPECT_THAT([&] { rms_norm(context_, x_, Value(trial_.random(2, 4)), {}, {}, 1e-6); },
              ThrowsMessage<ShapeError>(HasSubstr("rms_norm: residual is [2, 4], expected 3 rows")));

  const auto gated = [&](int64_t gate, int64_t up, int64_t down) {
    gated_feed_forward(context_, x_, Activation::silu,
                       {parameter(gate, 4), {}, parameter(up, 4), {}, parameter(4, down), {}});
  };
  EXPECT_NO_THROW(gated(6, 6, 6));
  EXPECT_THAT([&] { gated(6, 5, 6); }, ThrowsMessage<ShapeError>(HasSubstr("gated_feed_forward: up is [3, 5]")));
  EXPECT_THAT([&] { gated(6, 6, 5); }, ThrowsMessage<ShapeError>(HasSubstr("input is [3, 6], expected 5 columns")));
  EXPECT_THAT([&] { add_residual(context_, Value(x_), Value(trial_.random(2, 4)), {}); },
              ThrowsMessage<ShapeError>(HasSubstr("add_residual: residual is [2, 4], expected 3 rows")));

  EXPECT_THAT(
      [&] {
        cross_entropy(context_, x_, parameter(5, 3), {}, {three, 1});
      },
      ThrowsMessage<ShapeError>(HasSubstr("cross_entropy: hidden is [3, 4], expected 3 columns")));
  EXPECT_THAT(
      [&] {
        cross_entropy(context_, x_, parameter(5, 4), {}, {two, 1});
      },
      ThrowsMessage<ShapeError>(HasSubstr("expected 2 rows")));
  EXPECT_THAT(
      [&] {
        cross_entropy(context_, x_, parameter(5, 4), vector_parameter(4), {three, 1});
      },
      ThrowsMessage<ShapeError>(HasSubstr("bias is [4], expected 5")));
}

TEST_F(RefusalTest, PoolOffsets) {
  const std::vector<std::vector<int32_t>> wrong = {{}, {1, 3}, {0, 2}, {0, 4}, {0, 2, 1, 3}, {0, -1, 3}};
  for (const auto& offsets : wrong) {
    EXPECT_THAT([&] { pool(context_, x_, offsets, Pooling::mean); },
                ThrowsMessage<ShapeError>(HasSubstr("pool: sequence offsets do not rise from 0 to 3 tokens")));
  }
}

}  // namespace
}  // namespace roformer::test
