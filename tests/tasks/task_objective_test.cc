#include "tasks/task_objective.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/tasks/word_tokenizer.h"

namespace roformer {
namespace {

class TaskObjectiveTest : public testing::Test {
 protected:
  ModelConfig config() const {
    ModelConfig result;
    result.vocabulary = tokenizer_->vocabulary_size();
    result.hidden = result.embedding = 8;
    result.layers = 1;
    result.heads = 2;
    result.intermediate = 12;
    result.initializer_range = 0.5;
    result.hidden_dropout = result.attention_dropout = 0;
    result.head = Head::sequence_classification;
    result.labels = {"x", "y"};
    complete(result, "");
    return result;
  }
  Model model() const {
    Model result(*backend_, config(), true);
    result.initialize({1, 0});
    return result;
  }
  std::vector<EncodedPart> parts() {
    std::vector<Example> examples;
    for (const char* text : {"the fox", "a b c", "who", "runs", "see the fox ."}) {
      examples.push_back({.texts = {text}, .labels = {examples.size() % 2 == 0 ? "x" : "y"}});
    }
    examples.push_back({.texts = {"b"}});  // without a label
    return TaskInputs(TaskKind::classification, config(), *tokenizer_, {.max_length = 16})
        .encode(examples, "f", pool_)
        .parts;
  }
  TaskObjective objective(const Model& model, const TaskObjectiveOptions& options) {
    return {model, parts(), options, [] { return Evaluation(); }, {1, 0}};
  }
  // The loss of a step and the gradient of the classifier.
  std::pair<double, std::vector<float>> step(Model& model, const TaskObjectiveOptions& options) {
    TaskObjective task = objective(model, options);
    task.prepare(1);
    for (const NamedParameter& named : model.parameters()) backend_->fill(named.parameter.gradient, 0);
    double loss = 0;
    for (int64_t i = 0; i < task.micro_batches(); ++i) {
      Tape tape;
      const double scale = 1.0 / static_cast<double>(task.labels());
      loss += task.forward({*backend_, &tape, {}, true}, i, scale).read().sum * scale;
      tape.backward();
    }
    const Tensor& gradient = model.parameters().back().parameter.gradient;
    return {loss, {gradient.data<float>(), gradient.data<float>() + gradient.elements()}};
  }

  TempDirectory directory_;
  std::unique_ptr<Tokenizer> tokenizer_ = word_tokenizer(directory_);
  mutable ThreadPool pool_{1};
  std::unique_ptr<Backend> backend_ = make_reference_backend(pool_);
};

TEST_F(TaskObjectiveTest, AnEpochHasEachExampleOnce) {
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    std::vector<int64_t> order = epoch_order(7, {3, 0}, epoch);
    EXPECT_EQ(order, epoch_order(7, {3, 0}, epoch));
    EXPECT_NE(order, epoch_order(7, {3, 0}, epoch + 1));
    std::ranges::sort(order);
    EXPECT_THAT(order, testing::ElementsAre(0, 1, 2, 3, 4, 5, 6));
  }
}

TEST_F(TaskObjectiveTest, TheLastStepOfAnEpochHasTheRest) {
  const Model trained = model();
  TaskObjective task = objective(trained, {.batch_size = 3});
  EXPECT_EQ(task.parts(), 5);  // that have a label
  EXPECT_EQ(steps_per_epoch(5, 3), 2);
  task.prepare(1);
  EXPECT_EQ(task.labels(), 3);
  task.prepare(2);
  EXPECT_EQ(task.labels(), 2);
  task.prepare(3);
  EXPECT_EQ(task.labels(), 3);
}

TEST_F(TaskObjectiveTest, AStepMayBeTakenFromAnyPlace) {
  const Model trained = model();
  TaskObjective in_order = objective(trained, {.batch_size = 2}), at_once = objective(trained, {.batch_size = 2});
  for (int64_t step = 1; step <= 5; ++step) in_order.prepare(step);
  at_once.prepare(5);
  EXPECT_EQ(in_order.tokens(), at_once.tokens());
  EXPECT_EQ(in_order.forward({*backend_}, 0, 1).read().sum, at_once.forward({*backend_}, 0, 1).read().sum);
}

TEST_F(TaskObjectiveTest, TheSplitIntoMicroBatchesDoesNotMatter) {
  Model trained = model();
  const auto [loss, gradient] = step(trained, {.batch_size = 5});
  const auto [other_loss, other] = step(trained, {.batch_size = 5, .batch_tokens = 6});
  EXPECT_EQ(objective(trained, {.batch_size = 5}).parts(), 5);
  EXPECT_NEAR(loss, other_loss, 1e-6);
  EXPECT_THAT(gradient, testing::Pointwise(testing::FloatNear(1e-6F), other));
}

// Without dropout both passes are the same, and so is the loss.
TEST_F(TaskObjectiveTest, RDropOfEqualPassesChangesNothing) {
  Model trained = model();
  const auto [loss, gradient] = step(trained, {.batch_size = 5});
  const auto [other_loss, other] = step(trained, {.batch_size = 5, .loss = {.terms = {}, .r_drop = 4}});
  EXPECT_NEAR(loss, other_loss, 1e-6);
  EXPECT_THAT(gradient, testing::Pointwise(testing::FloatNear(1e-6F), other));
}

}  // namespace
}  // namespace roformer
