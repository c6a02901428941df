#include "inference/sentence_steps.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "tests/base/error_detail.h"

namespace roformer {
namespace {

using testing::ElementsAre;
using testing::FloatEq;
using testing::FloatNear;
using testing::Pointwise;

// Three tokens of width 2, of which the first `prompt` are the prompt's.
std::vector<float> pooled(const PoolStep& step, int64_t prompt = 0) {
  static const std::vector<float> hidden = {1, -2, 5, 4, 3, 10};
  const std::vector<SentenceStep> steps = {{step}};
  return apply_steps(steps, {.hidden = hidden, .tokens = 3, .pooler = {}, .prompt_tokens = prompt});
}

TEST(SentenceSteps, PoolTokens) {
  EXPECT_THAT(pooled({{TextPooling::cls}}), ElementsAre(1, -2));
  EXPECT_THAT(pooled({{TextPooling::mean}}), ElementsAre(3, 4));
  EXPECT_THAT(pooled({{TextPooling::max}}), ElementsAre(5, 10));
  EXPECT_THAT(pooled({{TextPooling::lasttoken}}), ElementsAre(3, 10));
  EXPECT_THAT(pooled({{TextPooling::weightedmean}}), ElementsAre(FloatEq(20.0F / 6), FloatEq(6)));
  EXPECT_THAT(pooled({{TextPooling::mean_sqrt_len_tokens}}),
              ElementsAre(FloatEq(9 / std::sqrt(3.0F)), FloatEq(12 / std::sqrt(3.0F))));
  EXPECT_THAT(pooled({{TextPooling::max, TextPooling::cls}}), ElementsAre(5, 10, 1, -2));
}

// The tokens that remain keep their places; without any, sentence-transformers has 0, and cls the first.
TEST(SentenceSteps, PoolWithoutThePrompt) {
  EXPECT_THAT(pooled({{TextPooling::mean}}, 1), ElementsAre(3, 4));  // unless told to leave it out
  EXPECT_THAT(pooled({{TextPooling::mean}, false}, 1), ElementsAre(4, 7));
  EXPECT_THAT(pooled({{TextPooling::cls}, false}, 1), ElementsAre(5, 4));
  EXPECT_THAT(pooled({{TextPooling::max}, false}, 2), ElementsAre(3, 10));
  EXPECT_THAT(pooled({{TextPooling::weightedmean}, false}, 1), ElementsAre(FloatEq(19.0F / 5), FloatEq(38.0F / 5)));
  EXPECT_THAT(pooled({{TextPooling::mean}, false}, 9), ElementsAre(0, 0));
  EXPECT_THAT(pooled({{TextPooling::lasttoken}, false}, 3), ElementsAre(0, 0));
  EXPECT_THAT(pooled({{TextPooling::cls}, false}, 3), ElementsAre(1, -2));
}

DenseStep dense(DenseWeights weights, const char* activation, bool residual = false) {
  return {std::make_shared<const DenseWeights>(std::move(weights)),
          find_torch_activation(std::string("torch.nn.modules.activation.") + activation), residual};
}

TEST(SentenceSteps, FollowEachOther) {
  const std::vector<float> hidden = {3, 4, 3, 4};
  const TextStates states{.hidden = hidden, .tokens = 2, .pooler = {}, .prompt_tokens = 0};
  // (3, 4) → relu(3 - 4 + 2, -3, 8 + 1) → to length 1
  DenseWeights weights{2, 3, {1, -1, -1, 0, 0, 2}, {2, 0, 1}, {}};
  std::vector<SentenceStep> steps = {{PoolStep{}}, {dense(weights, "ReLU")}};
  EXPECT_EQ(sentence_width(steps, 2), 3);
  EXPECT_THAT(apply_steps(steps, states), ElementsAre(1, 0, 9));
  steps.push_back({NormalizeStep{}});
  const float length = std::sqrt(82.0F);
  EXPECT_THAT(apply_steps(steps, states), ElementsAre(FloatEq(1 / length), 0, FloatEq(9 / length)));
  // On each token, before the pooling.
  steps = {{dense(weights, "ReLU"), true}, {PoolStep{{TextPooling::mean_sqrt_len_tokens}}}};
  EXPECT_THAT(apply_steps(steps, states), ElementsAre(FloatEq(std::sqrt(2.0F)), 0, FloatEq(9 * std::sqrt(2.0F))));
  // With residuals: projected, and as it is.
  weights.projection = {0, 1, 1, 0, 1, 1};
  steps = {{PoolStep{}}, {dense(weights, "ReLU", true)}};
  EXPECT_THAT(apply_steps(steps, states), ElementsAre(1 + 4, 0 + 3, 9 + 7));
  steps = {{PoolStep{}}, {dense({2, 2, {1, 0, 0, 0}, {}, {}}, "ReLU", true)}};
  EXPECT_THAT(apply_steps(steps, states), ElementsAre(6, 4));
  // (3, 4) has mean 3.5 and deviation 0.5.
  steps = {{PoolStep{}}, {LayerNormStep{{2, 2}, {10, 20}}}};
  EXPECT_THAT(apply_steps(steps, states), ElementsAre(FloatNear(8, 1e-4F), FloatNear(22, 1e-4F)));
  // Before there is a vector of the text there is nothing to normalize.
  steps = {{NormalizeStep{}}, {PoolStep{}}};
  EXPECT_THAT(apply_steps(steps, states), ElementsAre(3, 4));
}

TEST(SentenceSteps, RefuseWhatDoesNotFit) {
  const DenseStep step = dense({2, 3, std::vector<float>(6), {}, {}}, "Tanh");
  const auto width = [](const std::vector<SentenceStep>& steps) { return sentence_width(steps, 4); };
  EXPECT_EQ(detail_of<DataError>([&] { width({{PoolStep{}}, {step}}); }).key, "in_features");
  EXPECT_EQ(detail_of<DataError>([&] { width({{PoolStep{}}, {LayerNormStep{{1}, {1}}}}); }).key, "dimension");
  EXPECT_THROW(width({{step}, {PoolStep{}}}), DataError);
  EXPECT_THROW(width({}), DataError);
  EXPECT_EQ(width({{PoolStep{{TextPooling::cls, TextPooling::pooler}}}}), 8);
}

TEST(TorchActivations, AreThoseOfTheClasses) {
  // From torch 2.15, at -1.5 and 2.5 in float64.
  const std::vector<std::tuple<const char*, double, double>> cases = {
      {"Identity", -1.5, 2.5},
      {"Tanh", -0.9051482536448664, 0.9866142981514303},
      {"Sigmoid", 0.18242552380635635, 0.9241418199787566},
      {"ReLU", 0, 2.5},
      {"GELU", -0.10021080190328704, 2.4844758366855597},
      {"SiLU", -0.2736382857095345, 2.3103545499468914},
      {"Mish", -0.29809974216680674, 2.471392304557881},
      {"SELU", -1.3658143533672527, 2.626752468388701},
      {"Hardswish", -0.375, 2.2916666666666665},
      {"LeakyReLU", -0.015, 2.5},
      {"ELU", -0.7768698398515702, 2.5},
      {"Softplus", 0.2014132779827524, 2.5788897342925496},
      {"Hardsigmoid", 0.25, 0.9166666666666666},
      {"Hardtanh", -1, 1},
      {"ReLU6", 0, 2.5},
      {"Softsign", -0.6, 0.7142857142857143},
      {"LogSigmoid", -1.7014132779827524, -0.07888973429254956}};
  for (const auto& [name, low, high] : cases) {
    const ElementFunction function = find_torch_activation(std::string("torch.nn.modules.activation.") + name);
    ASSERT_NE(function, nullptr) << name;
    EXPECT_NEAR(function(-1.5), low, 1e-14) << name;
    EXPECT_NEAR(function(2.5), high, 1e-14) << name;
  }
  EXPECT_EQ(find_torch_activation("torch.nn.modules.activation.Softmax"), nullptr);
  EXPECT_EQ(find_torch_activation("my.own.Tanh"), nullptr);
}

}  // namespace
}  // namespace roformer
