#include "training/optimizer.h"

#include "base/error.h"
#include "tests/training/training_trial.h"

namespace roformer::test {
namespace {

class OptimizerTest : public TrainingTrial {
 protected:
  OptimizerTest() {
    for (const NamedParameter& named : model_.parameters()) backend_->fill(named.parameter.value, 2);
  }
  void set_gradients(double value) {
    for (const NamedParameter& named : model_.parameters()) backend_->fill(named.parameter.gradient, value);
  }

  Model model_{*backend_, config(), true};
};

TEST_F(OptimizerTest, DecaysWeightsAndEmbeddingsButNotBiasesAndNorms) {
  const auto optimizer = make_optimizer(model_, {.weight_decay = 0.5});
  optimizer->zero_gradients();
  optimizer->step(1, 0.1, optimizer->gradient_norm());
  int decayed = 0;
  for (const NamedParameter& named : model_.parameters()) {
    const bool exempt = named.name.ends_with(".bias") || named.name.find("LayerNorm") != std::string::npos;
    decayed += exempt ? 0 : 1;
    for (const float x : values(named.parameter.value))
      ASSERT_FLOAT_EQ(x, exempt ? 2 : 2 - 0.1 * 0.5 * 2) << named.name;
  }
  EXPECT_EQ(decayed, 2 + 6 + 1);  // word and segment table; q, k, v, output and two of the feed-forward; the head's
}

TEST_F(OptimizerTest, TheFirstStepMovesByTheLearningRateAgainstTheGradient) {
  const auto optimizer = make_optimizer(model_, {.weight_decay = 0, .clip_norm = 0});
  set_gradients(-3);
  optimizer->step(1, 0.25, optimizer->gradient_norm());
  for (const NamedParameter& named : model_.parameters()) {
    for (const float x : values(named.parameter.value)) ASSERT_FLOAT_EQ(x, 2.25) << named.name;
  }
  // Second step with another gradient, by hand: m = 0.9·0.1·(−3) + 0.1·1, v = 0.999·0.001·9 + 0.001·1.
  set_gradients(1);
  optimizer->step(2, 0.25, optimizer->gradient_norm());
  const double m = (0.9 * 0.1 * -3 + 0.1) / (1 - 0.81), v = (0.999 * 0.001 * 9 + 0.001) / (1 - 0.999 * 0.999);
  for (const NamedParameter& named : model_.parameters()) {
    for (const float x : values(named.parameter.value)) ASSERT_NEAR(x, 2.25 - 0.25 * m / std::sqrt(v), 1e-5);
  }
}

TEST_F(OptimizerTest, EveryNamedOneClipsAndLeavesZeros) {
  for (const std::string& kind : optimizer_names()) {
    const auto optimizer = make_optimizer(model_, {.kind = kind, .weight_decay = 0, .clip_norm = 0.5});
    set_gradients(1);
    optimizer->step(1, 0, optimizer->gradient_norm());
    EXPECT_EQ(optimizer->gradient_norm(), 0) << kind;
    EXPECT_LE(std::abs(values(optimizer->state()[0].second)[0]), 0.5) << kind;  // of a gradient of norm 0.5
  }
  EXPECT_THROW(make_optimizer(model_, {.kind = "lion"}), UsageError);
}

TEST_F(OptimizerTest, ClipsByTheNormOfTheWholeGradient) {
  set_gradients(0.5);
  int64_t count = 0;
  for (const NamedParameter& named : model_.parameters()) count += named.parameter.value.elements();
  const double norm = 0.5 * std::sqrt(static_cast<double>(count));
  const auto first_moments = [&](double limit) {
    const auto optimizer = make_optimizer(model_, {.weight_decay = 0, .clip_norm = limit});
    EXPECT_NEAR(optimizer->gradient_norm(), norm, 1e-6 * norm);
    optimizer->step(1, 0, norm, true);
    std::vector<float> all;
    for (const auto& [name, tensor] : optimizer->state()) {
      if (!name.starts_with("first_moment.")) continue;
      for (const float x : values(tensor)) all.push_back(x);
    }
    return all;
  };
  EXPECT_THAT(first_moments(norm / 4), ::testing::Each(::testing::FloatEq(0.1F * 0.5F / 4)));
  EXPECT_THAT(first_moments(norm * 4), ::testing::Each(::testing::FloatEq(0.05F)));
  EXPECT_THAT(first_moments(0), ::testing::Each(::testing::FloatEq(0.05F)));
}

TEST_F(OptimizerTest, ZeroesGradientsUnlessToldNotTo) {
  const auto optimizer = make_optimizer(model_, {});
  const auto largest = [&] {
    float most = 0;
    for (const NamedParameter& named : model_.parameters()) {
      for (const float x : values(named.parameter.gradient)) most = std::max(most, std::abs(x));
    }
    return most;
  };
  set_gradients(1);
  optimizer->step(1, 0.1, optimizer->gradient_norm());
  EXPECT_EQ(largest(), 0);
  optimizer->zero_gradients();
  set_gradients(3);
  optimizer->step(2, 0.1, optimizer->gradient_norm(), true);
  EXPECT_EQ(largest(), 3);
  optimizer->zero_gradients();
  EXPECT_EQ(largest(), 0);
  set_gradients(5);  // a pass that ended with an error, so that no step followed
  optimizer->zero_gradients();
  EXPECT_EQ(largest(), 0);
}

TEST_F(OptimizerTest, TheNormShowsWhatIsNotFinite) {
  const auto optimizer = make_optimizer(model_, {});
  set_gradients(1);
  EXPECT_TRUE(std::isfinite(optimizer->gradient_norm()));
  parameter(model_, "cls.predictions.bias").parameter.gradient.data<float>()[7] = NAN;
  EXPECT_FALSE(std::isfinite(optimizer->gradient_norm()));
}

TEST_F(OptimizerTest, StateIsTwoMomentsAParameterUnderItsName) {
  const auto optimizer = make_optimizer(model_, {});
  const auto state = optimizer->state();
  ASSERT_EQ(state.size(), 2 * model_.parameters().size());
  for (size_t i = 0; i < model_.parameters().size(); ++i) {
    const NamedParameter& named = model_.parameters()[i];
    EXPECT_EQ(state[2 * i].first, "first_moment." + named.name);
    EXPECT_EQ(state[2 * i + 1].first, "second_moment." + named.name);
    EXPECT_EQ(state[2 * i].second.shape(), named.parameter.value.shape());
  }
}

}  // namespace
}  // namespace roformer::test
