// Layers in isolation: batches, names and parameters, and the operators they consist of.
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
#include "nn/mlm_head.h"
#include "nn/transformer_layer.h"
#include "tests/backend/trial.h"

namespace roformer::test {
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
  // Of the requested parameters, after checking that they exist with their shapes.
  static std::vector<std::string> names_and_shapes(const ParameterSource& source) {
    std::vector<std::string> names;
    for (const auto& [spec, parameter] : source.table()) {
      names.push_back(spec.name + " " + parameter.value.shape().to_string());
      EXPECT_EQ(parameter.value.shape(), spec.shape) << spec.name;
      EXPECT_EQ(parameter.gradient.shape(), spec.shape) << spec.name;
    }
    return names;
  }

  void randomize(const Tensor& x) {
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
  NewParameters source(*backend_, true);
  const TransformerLayer layer(Scope{source, "l"}, {.attention = {.hidden = 4, .heads = 2}, .intermediate = 6});
  EXPECT_THAT(
      names_and_shapes(source),
      ElementsAre("l.attention.query.weight [4, 4]", "l.attention.query.bias [4]", "l.attention.key.weight [4, 4]",
                  "l.attention.key.bias [4]", "l.attention.value.weight [4, 4]", "l.attention.value.bias [4]",
                  "l.attention.output.weight [4, 4]", "l.attention.output.bias [4]", "l.attention.norm.weight [4]",
                  "l.attention.norm.bias [4]", "l.feed_forward.up.weight [6, 4]", "l.feed_forward.up.bias [6]",
                  "l.feed_forward.down.weight [4, 6]", "l.feed_forward.down.bias [4]", "l.feed_forward.norm.weight [4]",
                  "l.feed_forward.norm.bias [4]"));
}

TEST_F(LayersTest, NamesAndShapesOfEmbeddings) {
  NewParameters few(*backend_, true), all(*backend_, true);
  const Embeddings plain(Scope{few, "r"}, {.vocabulary = 9, .segments = 2, .width = 4, .hidden = 4});
  EXPECT_THAT(names_and_shapes(few),
              ElementsAre("r.words.weight [9, 4]", "r.segments.weight [2, 4]", "r.norm.weight [4]", "r.norm.bias [4]"));
  const Embeddings full(Scope{all, "r"},
                        {.vocabulary = 9, .segments = 2, .width = 4, .hidden = 6, .learned_positions = 5});
  EXPECT_THAT(names_and_shapes(all), ElementsAre("r.words.weight [9, 4]", "r.segments.weight [2, 4]",
                                                 "r.positions.weight [5, 4]", "r.norm.weight [4]", "r.norm.bias [4]",
                                                 "r.projection.weight [6, 4]", "r.projection.bias [6]"));
}

TEST_F(LayersTest, NamesAndShapesOfTheMaskedLmHead) {
  NewParameters source(*backend_, true);
  const MlmHead head(Scope{source, "h"}, {.hidden = 6, .width = 4, .vocabulary = 9});
  EXPECT_THAT(names_and_shapes(source), ElementsAre("h.dense.weight [4, 6]", "h.dense.bias [4]", "h.norm.weight [4]",
                                                    "h.norm.bias [4]", "h.bias [9]"));
}

TEST_F(LayersTest, RowsOfAParameterAreViews) {
  NewParameters trained(*backend_, true), other(*backend_, false);
  const Parameter whole = trained.tensor("x", {6, 2}, ParameterRole::weight);
  const Parameter part = row_range(whole, 2, 3);
  backend_->fill(part.value, 5);
  backend_->fill(part.gradient, 7);
  EXPECT_THAT(values_of(whole.value), ElementsAre(0, 0, 0, 0, 5, 5, 5, 5, 5, 5, 0, 0));
  EXPECT_THAT(values_of(whole.gradient), ElementsAre(0, 0, 0, 0, 7, 7, 7, 7, 7, 7, 0, 0));
  EXPECT_FALSE(row_range(other.tensor("x", {6, 2}, ParameterRole::weight), 2, 3).gradient.defined());
}

// With a table of declared parameters all gradients are in one allocation.
TEST_F(LayersTest, GradientsLieInOneArena) {
  const TransformerLayerConfig shape{.attention = {.hidden = 4, .heads = 2}, .intermediate = 6};
  DeclaredParameters declared;
  const TransformerLayer nothing(Scope{declared, "l"}, shape);
  for (const TableEntry& entry : declared.table()) EXPECT_FALSE(entry.parameter.defined()) << entry.spec.name;
  NewParameters source(*backend_, true, &declared.table());
  const TransformerLayer layer(Scope{source, "l"}, shape);
  ASSERT_EQ(source.table().size(), declared.table().size());
  const float* first = nullptr;
  const float* last = nullptr;
  double value = 0;
  for (const TableEntry& entry : source.table()) {
    const Tensor& gradient = entry.parameter.gradient;
    backend_->fill(gradient, ++value);
    const auto* begin = gradient.data<float>();
    if (first == nullptr || begin < first) first = begin;
    if (last == nullptr || begin > last) last = begin;
  }
  EXPECT_LT(last - first, 1000);
  value = 0;
  for (const TableEntry& entry : source.table()) {
    const std::vector<double> held = values_of(entry.parameter.gradient);
    EXPECT_EQ(held, std::vector<double>(held.size(), ++value)) << entry.spec.name;
  }
}

TEST_F(LayersTest, OnlyWeightsAndEmbeddingsDecay) {
  EXPECT_TRUE(decays(ParameterRole::weight));
  EXPECT_TRUE(decays(ParameterRole::embedding));
  EXPECT_FALSE(decays(ParameterRole::bias));
  EXPECT_FALSE(decays(ParameterRole::norm_gain));
  EXPECT_FALSE(decays(ParameterRole::norm_bias));
}

// The layer against the same operators in sequence, in training, with dropout at its three sites.
TEST_F(LayersTest, AnEncoderLayerIsItsOperators) {
  Batch batch;
  batch.append(std::vector<int32_t>{1, 2, 3, 4, 5, 6});
  batch.append(std::vector<int32_t>{7, 8});
  NewParameters source(*backend_, false);
  const TransformerLayer layer(Scope{source, "l"}, {.attention = {.hidden = 4,
                                                                  .heads = 2,
                                                                  .hidden_dropout = 0.3,
                                                                  .attention_dropout = 0.4,
                                                                  .norm = {.epsilon = 1e-3}},
                                                    .intermediate = 6,
                                                    .activation = Activation::relu});
  std::map<std::string, Parameter> named;
  for (const auto& [spec, parameter] : source.table()) {
    randomize(parameter.value);
    named[spec.name] = parameter;
  }
  const Value x(trial_.random(8, 4));
  const Context context{.backend = *backend_, .tape = nullptr, .random = {1, 1}, .training = true};
  const uint64_t site = 7;
  const Tensor actual = layer.forward(context, x, {batch.offsets, batch.offsets}, site).data;

  const auto dense = [&](const std::string& name, const Value& in, Activation activation = Activation::none) {
    return linear(context, in, named.at(name + ".weight"), named.at(name + ".bias"), activation);
  };
  const auto norm = [&](const std::string& name, const Value& in, const Value& residual, uint64_t at) {
    return layer_norm(context, in, residual, context.dropout(0.3, at), named.at(name + ".weight"),
                      named.at(name + ".bias"), 1e-3);
  };
  const AttentionOptions options{
      .heads = 2, .query_offsets = batch.offsets, .key_offsets = batch.offsets, .dropout = context.dropout(0.4, site)};
  const auto projected = [&](const std::string& part) { return Columns(dense("l.attention." + part, x)); };
  const Value mixed = attention(context, options, projected("query"), projected("key"), projected("value"), {});
  const Value attended = norm("l.attention.norm", dense("l.attention.output", mixed), x, site + 1);
  const Value expanded = dense("l.feed_forward.up", attended, Activation::relu);
  const Value expected = norm("l.feed_forward.norm", dense("l.feed_forward.down", expanded), attended, site + 2);
  EXPECT_EQ(values_of(actual), values_of(expected.data));
}

TEST_F(LayersTest, MaskedLmLossIsThatOfItsLogits) {
  NewParameters source(*backend_, false);
  const MlmHead head(
      Scope{source, "h"},
      {.hidden = 6, .width = 4, .vocabulary = 9, .activation = Activation::tanh, .norm = {.epsilon = 1e-5}});
  for (const TableEntry& entry : source.table()) randomize(entry.parameter.value);
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
  const LossSum loss = head.loss(context, hidden, words, {labels, 1}).read();
  EXPECT_NEAR(loss.sum, expected, 1e-5 * expected);
  EXPECT_EQ(loss.correct, correct);
}

}  // namespace
}  // namespace roformer::test
