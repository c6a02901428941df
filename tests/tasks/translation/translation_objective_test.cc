#include "tasks/translation/translation_objective.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "tasks/translation/translator_shape.h"

namespace roformer::test {
namespace {

TranslatorShape tiny_shape(const std::string& form) {
  TranslatorShape shape;
  shape.form = form;
  shape.hidden_size = 8;
  shape.intermediate_size = 12;
  shape.layers = 2;
  shape.heads = 2;
  shape.dropout = 0;
  return shape;
}

PairSequences some_pairs() {
  PairSequences pairs;
  const auto add = [&](const std::vector<int32_t>& source, const std::vector<int32_t>& target) {
    pairs.source.append(source);
    pairs.target.append(target);
  };
  add({3, 4, 5, 0}, {6, 7, 0});
  add({8, 0}, {9, 10, 11, 0});
  add({12, 13, 0}, {14, 0});
  add({5, 0}, {6, 0});
  return pairs;
}

class TranslationObjectiveTest : public ::testing::Test {
 protected:
  Model model(const std::string& form, bool shared = true) {
    TranslatorShape shape = tiny_shape(form);
    shape.separate_embeddings = !shared;
    Model result(*backend_, translator_config(shape, {.source = 16, .target = 16, .pad_id = 15}, 20), true);
    result.initialize({3, 4});
    return result;
  }
  static void clear_gradients_of(const Model& model) {
    for (const NamedParameter& named : model.parameters()) model.backend().fill(named.parameter.gradient, 0);
  }

  ThreadPool pool_{1};
  std::unique_ptr<Backend> backend_ = make_reference_backend(pool_, DType::float64);
};

// Of both halves, whether or not they share embeddings: along a direction in all parameters.
TEST_F(TranslationObjectiveTest, TheGradientIsTheDerivative) {
  for (const char* form : {"transformer", "roformer", "marian"}) {
    for (const bool shared : {true, false}) {
      SCOPED_TRACE(fmt::format("{} {}", form, shared));
      const Model model = this->model(form, shared);
      const PairBatch batch = pair_batch(some_pairs(), std::vector<int32_t>{0, 1, 2}, 15);
      clear_gradients_of(model);
      Tape tape;
      translation_loss({.backend = *backend_, .tape = &tape, .training = true}, model, batch, 0.5, 0.1);
      tape.backward();
      for (const NamedParameter& named : model.parameters()) {
        const Tensor& value = named.parameter.value;
        double along = 0;
        std::vector<double> before;
        const auto direction = [](int64_t i) { return std::sin(static_cast<double>(3 * i + 1)); };
        for (int64_t i = 0; i < value.elements(); ++i) {
          before.push_back(value.data<double>()[i]);
          along += named.parameter.gradient.data<double>()[i] * direction(i);
        }
        const auto loss_at = [&](double distance) {
          for (int64_t i = 0; i < value.elements(); ++i) {
            value.data<double>()[i] = before[static_cast<size_t>(i)] + distance * direction(i);
          }
          return 0.5 * translation_loss({.backend = *backend_}, model, batch, 0, 0.1).read().sum;
        };
        constexpr double kDistance = 1e-5;
        const double expected = (loss_at(kDistance) - loss_at(-kDistance)) / (2 * kDistance);
        loss_at(0);
        EXPECT_NEAR(along, expected, 1e-6 * std::max(1.0, std::abs(expected))) << named.name;
      }
    }
  }
}

TEST_F(TranslationObjectiveTest, BatchesGoOnWhereTheCursorSays) {
  const Model model = this->model("transformer");
  const auto make = [&] {
    return std::make_unique<TranslationObjective>(
        model, some_pairs(), some_pairs(), TranslationObjectiveOptions{.batch_tokens = 5, .accumulate = 2},
        [](Evaluation&) {}, RandomStream{1, 2});
  };
  const auto whole = make();
  std::vector<double> losses, again;
  const auto step = [&](TranslationObjective& objective, int64_t number) {
    objective.prepare(number);
    double sum = 0;
    for (int64_t i = 0; i < objective.micro_batches(); ++i) {
      sum += objective.forward({.backend = *backend_}, i, 0).read().sum;
    }
    EXPECT_GT(objective.labels(), 0);
    return sum;
  };
  for (int64_t i = 1; i <= 7; ++i) losses.push_back(step(*whole, i));
  for (int64_t first = 0; first < 7; ++first) {
    const auto before = make();
    for (int64_t i = 1; i <= first; ++i) step(*before, i);
    const auto after = make();
    after->resume(JsonObject(before->cursor(), "cursor"));
    EXPECT_EQ(step(*after, first + 1), losses[static_cast<size_t>(first)]) << first;
  }
  const int64_t one = TranslationObjective::count_batches(some_pairs(), 5, {1, 2}, 1);
  EXPECT_GE(one, 3);
  EXPECT_GE(TranslationObjective::count_batches(some_pairs(), 5, {1, 2}, 2.5), 2 * one);
}

TEST_F(TranslationObjectiveTest, ValidationIsTheLossOfPlainLabels) {
  const Model model = this->model("marian");
  TranslationObjective objective(model, some_pairs(), some_pairs(), {.batch_tokens = 6, .label_smoothing = 0.5},
                                 [](Evaluation& evaluation) { evaluation.metrics.emplace_back("bleu", 12.0); }, {1, 2});
  const Evaluation evaluation = objective.validate({.backend = *backend_});
  const PairBatch all = pair_batch(some_pairs(), std::vector<int32_t>{0, 1, 2, 3}, 15);
  EXPECT_EQ(evaluation.labels, 11);
  EXPECT_NEAR(evaluation.loss * 11, translation_loss({.backend = *backend_}, model, all, 0, 0).read().sum, 1e-9);
  EXPECT_EQ(evaluation.metrics.at(0).second, 12);
}

}  // namespace
}  // namespace roformer::test
