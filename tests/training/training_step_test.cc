#include "training/training_step.h"

#include <limits>

#include "base/error.h"
#include "tests/training/training_trial.h"

namespace roformer::test {
namespace {

// Two micro-batches with scripted gradients and losses.
class StepScript final : public MicroBatches {
 public:
  explicit StepScript(const Model& model) : model_(model) {}

  int64_t micro_batches() const override { return 2; }
  int64_t labels() const override { return 4; }
  void before_pass(const std::function<Context(int64_t)>& context_of) override {
    for (int64_t i = 0; i < micro_batches(); ++i) {
      const Context context = context_of(i);
      EXPECT_EQ(context.tape, nullptr);
      EXPECT_TRUE(context.training);
      streams_before.push_back(substream(context.random, 0).stream);
    }
  }
  Loss forward(const Context& context, int64_t micro_batch, double gradient_scale) override {
    EXPECT_NE(context.tape, nullptr);
    EXPECT_TRUE(context.training);
    EXPECT_EQ(gradient_scale, 0.25);
    steps.push_back(context.step);
    streams.push_back(substream(context.random, 0).stream);
    for (const NamedParameter& named : model_.parameters()) {
      const Tensor one = model_.backend().empty(named.parameter.value.shape());
      model_.backend().fill(one, gradient);
      model_.backend().add(one, named.parameter.gradient);
    }
    return {context.backend, LossSum{.sum = losses[micro_batch], .correct = 0}};
  }

  double losses[2] = {6, 10};
  double gradient = 1;
  std::vector<int64_t> steps;
  std::vector<uint64_t> streams, streams_before;

 private:
  const Model& model_;
};

class Steps : public TrainingTrial {
 protected:
  Steps() { reset(2); }
  void reset(double value) {
    for (const NamedParameter& named : model_.parameters()) backend_->fill(named.parameter.value, value);
  }
  std::vector<float> weights() const { return values(parameter(model_, "cls.predictions.bias").parameter.value); }
  TrainingStep update(const OptimizerOptions& optimizer) const {
    return {model_, optimizer, {.kind = ScheduleKind::constant, .learning_rate = 0.5, .warmup = 2, .steps = 9}, {3, 4}};
  }

  Model model_{*backend_, config(), true};
  StepScript script_{model_};
  // With constant gradients, AdamW moves by the learning rate.
  const OptimizerOptions plain_{.weight_decay = 0, .epsilon = 1e-12, .clip_norm = 0};
};

TEST_F(Steps, SumsUpMicroBatchesAndFollowsTheSchedule) {
  TrainingStep update = this->update(plain_);
  const TrainingStep::Result first = update.run(1, script_, {.on_failure = "all is"});
  EXPECT_EQ(first.loss, (6.0 + 10.0) / 4);
  EXPECT_EQ(script_.streams_before, script_.streams);
  EXPECT_EQ(first.learning_rate, 0.25);  // half way up
  int64_t count = 0;
  for (const NamedParameter& named : model_.parameters()) count += named.parameter.value.elements();
  EXPECT_NEAR(first.gradient_norm, 2 * std::sqrt(static_cast<double>(count)), 1e-4);
  EXPECT_THAT(weights(), ::testing::Each(::testing::FloatEq(2 - 0.25F)));
  update.run(2, script_, {.on_failure = "all is"});  // with the gradients of this step alone
  EXPECT_THAT(weights(), ::testing::Each(::testing::FloatEq(1.75F - 0.5F)));
  EXPECT_THAT(script_.steps, ::testing::ElementsAre(1, 1, 2, 2));
  std::sort(script_.streams.begin(), script_.streams.end());
  EXPECT_EQ(std::unique(script_.streams.begin(), script_.streams.end()), script_.streams.end());
}

TEST_F(Steps, ClipsTheWholeGradient) {
  OptimizerOptions clipped = plain_;
  clipped.clip_norm = 1;
  TrainingStep update = this->update(clipped);
  const double norm = update.run(1, script_, {.on_failure = "", .keep_gradients = true}).gradient_norm;
  const auto first_moment = static_cast<float>(0.1 * 2 / norm);
  EXPECT_THAT(values(update.state()[0].second), ::testing::Each(::testing::FloatEq(first_moment)));
  EXPECT_THAT(values(parameter(model_, "cls.predictions.bias").parameter.gradient), ::testing::Each(2.0F));
}

TEST_F(Steps, WhatIsNotFiniteLeavesTheModelAsItWas) {
  TrainingStep update = this->update(plain_);
  const auto failure = [&] {
    try {
      update.run(1, script_, {.on_failure = "the model is as it was"});
    } catch (const DataError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  script_.losses[1] = std::numeric_limits<double>::infinity();
  EXPECT_EQ(failure(), "step 1: the loss of micro-batch 1 is infinite; the model is as it was");
  script_.losses[1] = 10;
  script_.gradient = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(failure(), "step 1: the gradient norm after micro-batch 1 is not a number; the model is as it was");
  EXPECT_THAT(weights(), ::testing::Each(2.0F));
  script_.gradient = 1;  // earlier gradients have no effect
  EXPECT_EQ(failure(), "");
  EXPECT_THAT(weights(), ::testing::Each(::testing::FloatEq(1.75F)));
}

TEST_F(Steps, BatchesOfLanguageTrainAsTheObjectiveDoes) {
  Model other(*backend_, config(), true);
  model_.initialize({1, 2});
  for (size_t i = 0; i < model_.parameters().size(); ++i) {
    backend_->copy(model_.parameters()[i].parameter.value, other.parameters()[i].parameter.value);
  }
  LanguageObjective objective = this->objective(model_, 2, 2);
  objective.prepare(1);
  // The same sequences by hand.
  const auto labeling = masked_labeler(*tokenizer_, {.probability = 0.3, .whole_words = false});
  SequenceStream stream(*corpus_, {{4}}, substream(RandomStream{1, 0}, 0), 1);
  std::vector<LabeledBatch> batches(2);
  for (uint64_t i = 0; i < 4; ++i) {
    batches[i / 2].append(labeling->label(stream.next(), substream(substream(RandomStream{1, 0}, 1), i)));
  }
  LabeledBatches by_hand(other, std::move(batches));
  EXPECT_EQ(by_hand.labels(), objective.labels());
  const Schedule schedule{.kind = ScheduleKind::constant, .learning_rate = 0.1, .warmup = 0, .steps = 1};
  const double loss = TrainingStep(model_, {}, schedule, {3, 4}).run(1, objective, {.on_failure = ""}).loss;
  EXPECT_EQ(TrainingStep(other, {}, schedule, {3, 4}).run(1, by_hand, {.on_failure = ""}).loss, loss);
  for (size_t i = 0; i < model_.parameters().size(); ++i) {
    EXPECT_EQ(values(model_.parameters()[i].parameter.value), values(other.parameters()[i].parameter.value));
  }
}

}  // namespace
}  // namespace roformer::test
