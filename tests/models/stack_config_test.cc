// complete() for layer stacks: valid values, normalization, errors.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "models/config.h"

namespace roformer {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

struct Refusal {
  std::string message;
  std::function<void(ModelConfig&)> change;
};

TEST(StackConfigTest, RefusesWhatHasNoMeaning) {
  const auto linear = [](ModelConfig& c) { c.attention = {AttentionKind::linear_elu}; };
  const std::vector<Refusal> refusals{
      {"3 windows", [](ModelConfig& c) { c.windows.resize(3); }},
      {"tokens before", [](ModelConfig& c) { c.windows = {causal_window(0)}; }},
      {"2 per-layer rotations", [](ModelConfig& c) { c.layer_rotary.resize(2); }},
      {"per-layer rotations need",
       [](ModelConfig& c) {
         c.layer_rotary.resize(4);
         c.position = AlibiPosition();
       }},
      {"learned rotary",
       [](ModelConfig& c) {
         c.layer_rotary.resize(4);
         c.position = RotaryPosition{.learned = true};
       }},
      {"attention norms of 2 layers", [](ModelConfig& c) { c.attention_norms.resize(2); }},
      {"neither post-norm", [](ModelConfig& c) { c.parallel_residual = ParallelResidual::two_norms; }},
      {"must be a pre-norm",
       [](ModelConfig& c) {
         c.norms.sublayer = {};
         c.parallel_residual = ParallelResidual::one_norm;
       }},
      {"the cap of scores is -1", [](ModelConfig& c) { c.score_cap = -1; }},
      {"the cap of logits is nan", [](ModelConfig& c) { c.logit_cap = NAN; }},
      {"the attention scale is", [](ModelConfig& c) { c.attention_scale = INFINITY; }},
      {"the embedding scale is", [](ModelConfig& c) { c.embedding_scale = NAN; }},
      {"the epsilon of",
       [](ModelConfig& c) {
         c.query_key_norm = NormConfig{NormKind::rms, 2};
       }},
      {"head_dim is -8", [](ModelConfig& c) { c.head_size = -8; }},
      {"no head size, norm",
       [](ModelConfig& c) {
         c.head_size = 8;
         c.position = DebertaPosition();
       }},
      {"linear attention supports no windows",
       [&](ModelConfig& c) {
         linear(c);
         c.score_cap = 50;
       }},
      {"linear attention supports no windows",
       [&](ModelConfig& c) {
         linear(c);
         c.windows = {causal_window(4)};
       }},
      {"other families", [](ModelConfig& c) { c.embedding_scale = 2; }},
  };
  for (const Refusal& refusal : refusals) {
    ModelConfig config = preset_config("demo");
    refusal.change(config);
    EXPECT_THAT([&] { complete(config, ""); }, ThrowsMessage<UsageError>(HasSubstr(refusal.message)));
  }
}

TEST(StackConfigTest, WritesDefaultsOneWay) {
  ModelConfig config = preset_config("demo");
  const Rotary slow{.base = 1e6};
  config.head_size = config.hidden / config.heads;
  config.windows.resize(4);
  config.layer_rotary = {slow, slow, slow, slow};
  complete(config, "");
  EXPECT_EQ(config.head_size, 0);
  EXPECT_TRUE(config.windows.empty());
  EXPECT_TRUE(config.layer_rotary.empty());
  EXPECT_EQ(std::get<RotaryPosition>(config.position).rotary, (Rotary{.dim = 64, .base = 1e6}));
}

}  // namespace
}  // namespace roformer
