// Layers by themselves: batches, names, parameters, and that each dropout is another one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>
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

  ThreadPool pool_{1};
  std::unique_ptr<Backend> backend_ = make_reference_backend(pool_);
  Trial trial_{*backend_, 9, false};
};

TEST_F(LayersTest, NamesAndShapesOfAnEncoderLayer) {
  const EncoderLayer layer(*backend_, {.hidden = 4, .heads = 2, .intermediate = 6}, true);
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
  const Embeddings plain(*backend_, {.vocabulary = 9, .segments = 2, .width = 4, .hidden = 4}, true);
  EXPECT_THAT(
      visited([&](const ParameterVisitor& visitor) { plain.visit("r", visitor); }),
      ElementsAre("r.embeddings.word_embeddings.weight [9, 4]", "r.embeddings.token_type_embeddings.weight [2, 4]",
                  "r.embeddings.LayerNorm.weight [4]", "r.embeddings.LayerNorm.bias [4]"));
  const Embeddings full(*backend_, {.vocabulary = 9, .segments = 2, .width = 4, .hidden = 6, .learned_positions = 5},
                        true);
  EXPECT_THAT(
      visited([&](const ParameterVisitor& visitor) { full.visit("r", visitor); }),
      ElementsAre("r.embeddings.word_embeddings.weight [9, 4]", "r.embeddings.token_type_embeddings.weight [2, 4]",
                  "r.embeddings.position_embeddings.weight [5, 4]", "r.embeddings.LayerNorm.weight [4]",
                  "r.embeddings.LayerNorm.bias [4]", "r.embeddings_project.weight [6, 4]",
                  "r.embeddings_project.bias [6]"));
}

TEST_F(LayersTest, NamesAndShapesOfTheMaskedLmHead) {
  const MlmHead head(*backend_, 6, 4, 9, Activation::gelu, 1e-12, true);
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

// A fresh layer has zero weights, so its output is a function of the residual and the norm alone; with random weights
// each of its three dropouts, and the place, must make a difference.
TEST_F(LayersTest, EachDropoutHasAPlace) {
  Batch batch;
  batch.append(std::vector<int32_t>{1, 2, 3, 4, 5, 6});
  const Tensor x = trial_.random(6, 4);
  const auto run = [&](double hidden, double attention, uint64_t place, bool training) {
    const EncoderLayer layer(*backend_,
                             {.hidden = 4,
                              .heads = 2,
                              .intermediate = 6,
                              .activation = Activation::gelu,
                              .hidden_dropout = hidden,
                              .attention_dropout = attention,
                              .norm_epsilon = 1e-12},
                             false);
    Trial weights(*backend_, 4, false);
    layer.visit("", [&](const std::string&, const Parameter& parameter, ParameterRole) {
      const Tensor& to = parameter.value;
      backend_->copy(
          to.shape().rank() == 1 ? weights.random_vector(to.elements()) : weights.random(to.rows(), to.columns()), to);
    });
    const Context context{.backend = *backend_, .tape = nullptr, .random = {1, 1}, .training = training};
    return numbers(layer.forward(context, Value(x), batch, {}, place).data);
  };
  const std::set<std::vector<double>> different = {run(0, 0, 1, true), run(0.5, 0, 1, true), run(0, 0.5, 1, true),
                                                   run(0.5, 0, 2, true), run(0, 0.5, 2, true)};
  EXPECT_EQ(different.size(), 5u);
  EXPECT_EQ(run(0.5, 0.5, 1, false), run(0, 0, 1, true));
}

TEST_F(LayersTest, MaskedLmLossIsThatOfItsLogits) {
  const MlmHead head(*backend_, 6, 4, 9, Activation::tanh, 1e-5, false);
  Trial weights(*backend_, 4, false);
  head.visit([&](const std::string&, const Parameter& parameter, ParameterRole) {
    const Tensor& to = parameter.value;
    backend_->copy(
        to.shape().rank() == 1 ? weights.random_vector(to.elements()) : weights.random(to.rows(), to.columns()), to);
  });
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
