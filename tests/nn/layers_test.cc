// Layers by themselves: batches, names and parameters, and which operators they are.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "nn/embeddings.h"
#include "nn/encoder_layer.h"
#include "nn/mlm_head.h"
#include "tests/backend/trial.h"

namespace roformer::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(BatchTest, Append) {
  const std::vector<int32_t> first = {5, 6, 7}, second = {8}, segments = {0, 1, 1};
  Batch batch;
  EXPECT_EQ(batch.tokens(), 0);
  EXPECT_EQ(batch.sequences(), 0);
  batch.append(first, segments);
  batch.append({});
  batch.append(second);
  EXPECT_EQ(batch.tokens(), 4);
  EXPECT_EQ(batch.sequences(), 3);
  EXPECT_THAT(batch.ids, ElementsAre(5, 6, 7, 8));
  EXPECT_THAT(batch.positions, ElementsAre(0, 1, 2, 0));
  EXPECT_THAT(batch.segments, ElementsAre(0, 1, 1, 0));
  EXPECT_THAT(batch.offsets, ElementsAre(0, 3, 3, 4));
  EXPECT_THAT([&] { batch.append(second, segments); },
              ThrowsMessage<DataError>(HasSubstr("1 tokens has 3 segment ids")));
}

class LayersTest : public ::testing::Test {
 protected:
  std::vector<std::string> visited(const std::function<void(const ParameterVisitor&)>& visit) {
    std::vector<std::string> names;
    visit([&](const std::string& name, const Parameter& parameter, ParameterRole) {
      names.push_back(name + " " + parameter.value.shape().to_string());
      EXPECT_TRUE(parameter.gradient.defined()) << name;
    });
    return names;
  }

  void randomise(const Tensor& x) {
    for (int64_t i = 0; i < x.rows(); ++i) {
      for (int64_t j = 0; j < x.columns(); ++j) write(x, i, j, generator_.normal());
    }
  }

  Generator generator_{{4, 0}};
  ThreadPool pool_{1};
  std::unique_ptr<Backend> backend_ = make_reference_backend(pool_);
  Trial trial_{*backend_, 9, false};
};

TEST_F(LayersTest, NamesAndShapesOfAnEncoderLayer) {
  EncoderLayer layer(*backend_, {.attention = {.hidden = 4, .heads = 2}, .intermediate = 6}, true);
  EXPECT_THAT(
      visited([&](const ParameterVisitor& visitor) { layer.visit("l", visitor); }),
      ElementsAre("l.attention.self.query.weight [4, 4]", "l.attention.self.query.bias [4]",
                  "l.attention.self.key.weight [4, 4]", "l.attention.self.key.bias [4]",
                  "l.attention.self.value.weight [4, 4]", "l.attention.self.value.bias [4]",
                  "l.attention.output.dense.weight [4, 4]", "l.attention.output.dense.bias [4]",
                  "l.attention.output.LayerNorm.weight [4]", "l.attention.output.LayerNorm.bias [4]",
                  "l.intermediate.dense.weight [6, 4]", "l.intermediate.dense.bias [6]", "l.output.dense.weight [4, 6]",
                  "l.output.dense.bias [4]", "l.output.LayerNorm.weight [4]", "l.output.LayerNorm.bias [4]"));
}

TEST_F(LayersTest, NamesAndShapesOfEmbeddings) {
  Embeddings plain(*backend_, {.vocabulary = 9, .segments = 2, .width = 4, .hidden = 4}, true);
  EXPECT_THAT(
      visited([&](const ParameterVisitor& visitor) { plain.visit("r", visitor); }),
      ElementsAre("r.embeddings.word_embeddings.weight [9, 4]", "r.embeddings.token_type_embeddings.weight [2, 4]",
                  "r.embeddings.LayerNorm.weight [4]", "r.embeddings.LayerNorm.bias [4]"));
  Embeddings full(*backend_, {.vocabulary = 9, .segments = 2, .width = 4, .hidden = 6, .learned_positions = 5}, true);
  EXPECT_THAT(
      visited([&](const ParameterVisitor& visitor) { full.visit("r", visitor); }),
      ElementsAre("r.embeddings.word_embeddings.weight [9, 4]", "r.embeddings.token_type_embeddings.weight [2, 4]",
                  "r.embeddings.position_embeddings.weight [5, 4]", "r.embeddings.LayerNorm.weight [4]",
                  "r.embeddings.LayerNorm.bias [4]", "r.embeddings_project.weight [6, 4]",
                  "r.embeddings_project.bias [6]"));
}

TEST_F(LayersTest, NamesAndShapesOfTheMaskedLmHead) {
  MlmHead head(*backend_, {.hidden = 6, .width = 4, .vocabulary = 9}, true);
  EXPECT_THAT(visited([&](const ParameterVisitor& visitor) { head.visit(visitor); }),
              ElementsAre("cls.predictions.transform.dense.weight [4, 6]", "cls.predictions.transform.dense.bias [4]",
                          "cls.predictions.transform.LayerNorm.weight [4]",
                          "cls.predictions.transform.LayerNorm.bias [4]", "cls.predictions.bias [9]"));
}

TEST_F(LayersTest, RowsOfAParameterAreViews) {
  const Parameter whole = make_parameter(*backend_, {6, 2}, true);
  const Parameter part = row_range(whole, 2, 3);
  backend_->fill(part.value, 5);
  backend_->fill(part.gradient, 7);
  EXPECT_THAT(numbers(whole.value), ElementsAre(0, 0, 0, 0, 5, 5, 5, 5, 5, 5, 0, 0));
  EXPECT_THAT(numbers(whole.gradient), ElementsAre(0, 0, 0, 0, 7, 7, 7, 7, 7, 7, 0, 0));
  EXPECT_FALSE(row_range(make_parameter(*backend_, {6, 2}, false), 2, 3).gradient.defined());
}

TEST_F(LayersTest, OnlyWeightsAndEmbeddingsDecay) {
  EXPECT_TRUE(decays(ParameterRole::weight));
  EXPECT_TRUE(decays(ParameterRole::embedding));
  EXPECT_FALSE(decays(ParameterRole::bias));
  EXPECT_FALSE(decays(ParameterRole::norm_gain));
  EXPECT_FALSE(decays(ParameterRole::norm_bias));
}

// The layer against the same operators in a row, in training: its three dropouts are those of its three places.
TEST_F(LayersTest, AnEncoderLayerIsItsOperators) {
  Batch batch;
  batch.append(std::vector<int32_t>{1, 2, 3, 4, 5, 6});
  batch.append(std::vector<int32_t>{7, 8});
  EncoderLayer layer(
      *backend_,
      {.attention =
           {.hidden = 4, .heads = 2, .hidden_dropout = 0.3, .attention_dropout = 0.4, .norm = {.epsilon = 1e-3}},
       .intermediate = 6,
       .activation = Activation::relu},
      false);
  std::map<std::string, Parameter> named;
  layer.visit("l", [&](const std::string& name, const Parameter& parameter, ParameterRole) {
    randomise(parameter.value);
    named[name] = parameter;
  });
  const Value x(trial_.random(8, 4));
  const Context context{.backend = *backend_, .tape = nullptr, .random = {1, 1}, .training = true};
  const uint64_t place = 7;
  const Tensor actual = layer.forward(context, x, {batch.offsets, batch.offsets}, place).data;

  const auto dense = [&](const std::string& name, const Value& in, Activation activation = Activation::none) {
    return linear(context, in, named.at(name + ".weight"), named.at(name + ".bias"), activation);
  };
  const auto norm = [&](const std::string& name, const Value& in, const Value& residual, uint64_t at) {
    return layer_norm(context, in, residual, context.dropout(0.3, at), named.at(name + ".weight"),
                      named.at(name + ".bias"), 1e-3);
  };
  const AttentionOptions options{
      .heads = 2, .query_offsets = batch.offsets, .key_offsets = batch.offsets, .dropout = context.dropout(0.4, place)};
  const Value q = dense("l.attention.self.query", x), k = dense("l.attention.self.key", x);
  const Value v = dense("l.attention.self.value", x);
  const Value mixed = attention(context, options, {q, 0, 4}, {k, 0, 4}, {v, 0, 4}, {});
  const Value attended = norm("l.attention.output.LayerNorm", dense("l.attention.output.dense", mixed), x, place + 1);
  const Value expanded = dense("l.intermediate.dense", attended, Activation::relu);
  const Value expected = norm("l.output.LayerNorm", dense("l.output.dense", expanded), attended, place + 2);
  EXPECT_EQ(numbers(actual), numbers(expected.data));
}

TEST_F(LayersTest, MaskedLmLossIsThatOfItsLogits) {
  MlmHead head(*backend_,
               {.hidden = 6, .width = 4, .vocabulary = 9, .activation = Activation::tanh, .norm = {.epsilon = 1e-5}},
               false);
  head.visit([&](const std::string&, const Parameter& parameter, ParameterRole) { randomise(parameter.value); });
  const Parameter words{trial_.random(9, 4), {}};
  const Value hidden(trial_.random(2, 6));
  const std::vector<int32_t> labels = {3, 8};
  const Context context{.backend = *backend_};
  const Tensor logits = head.logits(context, hidden, words).data;
  double expected = 0;
  int64_t correct = 0;
  for (int64_t i = 0; i < 2; ++i) {
    double total = 0, largest = -INFINITY;
    for (int64_t o = 0; o < 9; ++o) {
      total += std::exp(read(logits, i, o));
      largest = std::max(largest, read(logits, i, o));
    }
    const double own = read(logits, i, labels[static_cast<size_t>(i)]);
    expected += std::log(total) - own;
    correct += own == largest;
  }
  const LossSum loss = head.loss(context, hidden, words, labels, 1);
  EXPECT_NEAR(loss.sum, expected, 1e-5 * expected);
  EXPECT_EQ(loss.correct, correct);
}

}  // namespace
}  // namespace roformer::testing
