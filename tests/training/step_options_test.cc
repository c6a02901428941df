// What is trained, averaged weights, adversarial passes and LoRA; and that runs with them resume to the same bytes.
#include "training/step_options.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <ostream>
#include <set>
#include <stop_token>

#include "base/error.h"
#include "tests/ops/gradient_check.h"
#include "tests/training/training_trial.h"
#include "training/trainer.h"

namespace roformer::test {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

class StepOptionsTest : public TrainingTrial {
 protected:
  StepOptionsTest() {
    two_layers_.layers = 2;
    complete(two_layers_, "");
  }
  // The groups of parameters that are trained: "embeddings", "layers.0", "head".
  std::set<std::string> trained(const StepOptions& options) const {
    Model model(*backend_, two_layers_, true);
    freeze(model, options);
    std::set<std::string> groups;
    for (const TableEntry& entry : model.table()) {
      if (!entry.parameter.gradient.defined()) continue;
      const std::string& name = entry.spec.name;
      groups.insert(name.substr(0, name.find('.', name.starts_with("layers.") ? 7 : 0)));
    }
    return groups;
  }
  std::string refusal(const StepOptions& options) const {
    Model model(*backend_, two_layers_, true);
    try {
      freeze(model, options);
      const TrainingStep step(model, {}, {}, {1, 2}, options);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "";
  }

  ModelConfig two_layers_ = config();
};

TEST_F(StepOptionsTest, FreezesFromBelow) {
  EXPECT_THAT(trained({}), UnorderedElementsAre("embeddings", "layers.0", "layers.1", "head"));
  EXPECT_THAT(trained({.freeze = "embeddings"}), UnorderedElementsAre("layers.0", "layers.1", "head"));
  EXPECT_THAT(trained({.freeze = "0"}), UnorderedElementsAre("layers.0", "layers.1", "head"));
  EXPECT_THAT(trained({.freeze = "1"}), UnorderedElementsAre("layers.1", "head"));
  EXPECT_THAT(trained({.freeze = "2"}), UnorderedElementsAre("head"));
  EXPECT_THAT(trained({.freeze = "encoder"}), UnorderedElementsAre("head"));
}

TEST_F(StepOptionsTest, WhatDoesNotFitIsRefused) {
  for (const char* wrong : {"", "3", "-1", "1.5", "head", "1 "}) {
    EXPECT_THAT(refusal({.freeze = wrong}),
                HasSubstr("expected embeddings, encoder, or a number of layers from 0 to 2"))
        << wrong;
  }
  EXPECT_THAT(refusal({.freeze = "1", .lora = {.rank = 2}}), HasSubstr("but lora_rank freezes"));
  EXPECT_THAT(refusal({.lora = {.rank = 2, .targets = {"gate"}}}), HasSubstr("lora_targets names gate, but"));
  EXPECT_THAT(refusal({.lora = {.rank = 2, .targets = {}}}), HasSubstr("lora_targets is empty"));
  EXPECT_THAT(refusal({.freeze = "embeddings", .fgm_epsilon = 1}), HasSubstr("fgm_epsilon moves the word embeddings"));
  EXPECT_THAT(refusal({.ema_decay = 0.9, .lora = {.rank = 2, .save = "adapter"}}), HasSubstr("leave out ema_decay"));
  EXPECT_EQ(refusal({.fgm_epsilon = 1}), "");
  two_layers_.head = Head::none;
  complete(two_layers_, "");
  EXPECT_THAT(refusal({.freeze = "encoder"}), HasSubstr("the model has no head to train"));
}

TEST_F(StepOptionsTest, SettingsOfLoraNeedARank) {
  const auto message = [](const StepOptions& options) -> std::string {
    try {
      check_settings(options);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(message({.lora = {.rank = 2, .alpha = 4, .targets = {"key"}}}), "");
  EXPECT_THAT(message({.lora = {.alpha = 4}}), HasSubstr("lora_alpha: lora_rank is not given"));
  EXPECT_THAT(message({.lora = {.rank = 2, .targets = {"keys"}}}), HasSubstr("lora_targets"));
  EXPECT_THAT(message({.ema_decay = 1}), HasSubstr("ema_decay"));
}

TEST_F(StepOptionsTest, LayersAboveSlowALayerDown) {
  EXPECT_EQ(layer_rate(two_layers_, "head.bias", 0.5), 1);
  EXPECT_EQ(layer_rate(two_layers_, "pooler.weight", 0.5), 1);
  EXPECT_EQ(layer_rate(two_layers_, "layers.1.attention.query.weight", 0.5), 1);
  EXPECT_EQ(layer_rate(two_layers_, "layers.0.attention.query.weight", 0.5), 0.5);
  EXPECT_EQ(layer_rate(two_layers_, "embeddings.word.weight", 0.5), 0.25);
  EXPECT_EQ(layer_rate(two_layers_, "positions.bias.weight", 0.5), 0.25);

  const Model model(*backend_, two_layers_, true);
  const auto optimizer =
      make_optimizer(model, {.weight_decay = 0, .epsilon = 1e-12, .clip_norm = 0, .layer_decay = 0.5});
  for (const NamedParameter& named : model.parameters()) {
    backend_->fill(named.parameter.value, 0);
    backend_->fill(named.parameter.gradient, 3);
  }
  optimizer->step(1, 0.125, optimizer->gradient_norm());  // AdamW moves by the learning rate
  for (size_t i = 0; i < model.table().size(); ++i) {
    const float moved = model.parameters()[i].parameter.value.data<float>()[0];
    EXPECT_FLOAT_EQ(moved, static_cast<float>(-0.125 * layer_rate(two_layers_, model.table()[i].spec.name, 0.5)));
  }
}

TEST_F(StepOptionsTest, AveragesFollowTheWeights) {
  Model model(*backend_, two_layers_, true);
  freeze(model, {.freeze = "2"});
  const Tensor bias = parameter(model, "cls.predictions.bias").parameter.value;
  backend_->fill(bias, 1);
  WeightAverage average(model, 0.25);
  backend_->fill(bias, 2);
  average.update(1);  // 2 / 11 of the average is kept
  backend_->fill(bias, 4);
  average.update(8);  // 0.25, as 9 / 18 is more
  const float first = 2.0F / 11 * 1 + 9.0F / 11 * 2, second = 0.25F * first + 0.75F * 4;
  average.exchange();
  EXPECT_THAT(values(bias), ::testing::Each(::testing::FloatEq(second)));
  average.exchange();
  EXPECT_THAT(values(bias), ::testing::Each(4.0F));
  for (const auto& [name, tensor] : average.state()) EXPECT_THAT(name, HasSubstr("average.cls."));
}

// Sees the word embeddings at each pass and gives them a gradient.
class WordScript final : public MicroBatches {
 public:
  explicit WordScript(const Model& model) : model_(model) {}
  int64_t micro_batches() const override { return 1; }
  int64_t labels() const override { return 1; }
  Loss forward(const Context& context, int64_t, double) override {
    const Parameter& words = model_.trunk().word_embeddings();
    seen.push_back(values(words.value));
    streams.insert(substream(context.random, 0).stream);
    const Tensor more = context.backend.empty(words.gradient.shape());
    context.backend.fill(more, gradient);
    context.backend.add(more, words.gradient);
    if (seen.size() == fails_at) throw Interrupted("stopped");
    return {context.backend, LossSum{.sum = static_cast<double>(seen.size()), .correct = 0}};
  }

  std::vector<std::vector<float>> seen;
  std::set<uint64_t> streams;
  double gradient = 2;
  size_t fails_at = 0;

 private:
  const Model& model_;
};

TEST_F(StepOptionsTest, FgmAddsTheGradientAtMovedEmbeddings) {
  Model model(*backend_, two_layers_, true);
  model.initialize({1, 0});
  const Parameter words = model.trunk().word_embeddings();
  const std::vector<float> before = values(words.value);
  const auto root = std::sqrt(static_cast<double>(before.size()));
  TrainingStep step(model, {.weight_decay = 0, .clip_norm = 0}, {.learning_rate = 0, .steps = 3}, {1, 2},
                    {.fgm_epsilon = 0.5});
  WordScript script(model);
  const TrainingStep::Result result = step.run(1, script, {.on_failure = ""});
  EXPECT_EQ(result.loss, 1);  // of the first pass
  EXPECT_NEAR(result.gradient_norm, 4 * root, 1e-3 * root);
  ASSERT_EQ(script.seen.size(), 2u);
  EXPECT_EQ(script.streams.size(), 2u);
  EXPECT_EQ(script.seen[0], before);
  for (size_t i = 0; i < before.size(); ++i) EXPECT_NEAR(script.seen[1][i] - before[i], 0.5 / root, 1e-6);
  EXPECT_EQ(values(words.value), before);

  script.seen.clear();
  script.fails_at = 2;
  EXPECT_THROW(step.run(2, script, {.on_failure = ""}), Interrupted);
  EXPECT_EQ(values(words.value), before);
  script.seen.clear();
  script.gradient = 0;
  script.fails_at = 0;
  step.run(3, script, {.on_failure = ""});
  EXPECT_EQ(script.seen.size(), 1u) << "moved along no direction";
}

TEST(Lora, GradientsOfItsFactorsMatchCentralDifferences) {
  ThreadPool pool(1);
  const auto backend = make_reference_backend(pool, DType::float64);
  ModelConfig config;
  config.vocabulary = 11;
  config.hidden = config.embedding = 6;
  config.layers = 2;
  config.heads = 3;
  config.intermediate = 10;
  config.hidden_dropout = config.attention_dropout = 0;
  complete(config, "");
  Model model(*backend, config, true);
  model.initialize({1, 0});
  for (const NamedParameter& named : model.parameters()) {
    for (int64_t i = 0; named.role == ParameterRole::weight && i < named.parameter.value.elements(); ++i) {
      named.parameter.value.data<double>()[i] *= 20;
    }
  }
  const LoraOptions options{.rank = 2, .alpha = 6, .targets = {"query", "value", "down"}};
  freeze(model, {.lora = options});
  LoraAdapters lora(model, options, 1, {3, 4});
  ASSERT_EQ(lora.adapters().size(), 6u);
  Generator generator({9, 0});
  for (const LoraAdapters::Adapter& one : lora.adapters()) {
    for (int64_t i = 0; i < one.b.value.elements(); ++i) one.b.value.data<double>()[i] = generator.normal();
  }
  LabeledBatch data;
  data.batch.append(std::vector<int32_t>{1, 5, 7, 2, 9});
  data.rows = {1, 2, 4};
  data.labels = {3, 8, 6};
  const auto objective = [&] {
    lora.merge();
    return language_loss({.backend = *backend}, model, data, 1).read().sum;
  };
  objective();
  lora.zero_gradients();
  Tape tape;
  language_loss({.backend = *backend, .tape = &tape}, model, data, 1);
  tape.backward();
  lora.collect_gradients();
  for (const LoraAdapters::Adapter& one : lora.adapters()) {
    for (int64_t i = 0; i < one.weight.value.rows(); ++i) {
      for (int64_t j = 0; j < one.weight.value.columns(); ++j) {
        double expected = read(one.base, i, j);
        for (int64_t k = 0; k < 2; ++k) expected += 3 * read(one.b.value, i, k) * read(one.a.value, k, j);
        ASSERT_NEAR(read(one.weight.value, i, j), expected, 1e-12);
      }
    }
    const auto zeros = [](const Tensor& x) { return std::vector<double>(static_cast<size_t>(x.elements()), 0.0); };
    expect_gradient(one.name + " A", objective, one.a.value, one.a.gradient, zeros(one.a.value));
    expect_gradient(one.name + " B", objective, one.b.value, one.b.gradient, zeros(one.b.value));
  }
}

TEST_F(StepOptionsTest, LoraTrainsItsTargetsAndTheHeadAlone) {
  Model model(*backend_, two_layers_, true);
  model.initialize({1, 0});
  const StepOptions options{.lora = {.rank = 8, .alpha = 16, .targets = {"all-linear"}}};
  std::vector<std::vector<float>> before;
  for (const NamedParameter& named : model.parameters()) before.push_back(values(named.parameter.value));
  freeze(model, options);
  TrainingStep step(model, {}, {.kind = ScheduleKind::constant, .learning_rate = 0.03, .steps = 60}, {1, 2}, options);
  for (size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(values(model.parameters()[i].parameter.value), before[i]) << "B is zero at first";
  }
  LanguageObjective objective = this->objective(model, 4, 1);
  objective.prepare(1);
  double first = 0, last = 0;
  for (int64_t i = 1; i <= 60; ++i) {
    last = step.run(i, objective, {.on_failure = ""}).loss;
    if (i == 1) first = last;
  }
  EXPECT_LT(last, 0.8 * first);
  for (size_t i = 0; i < before.size(); ++i) {
    const std::string& name = model.table()[i].spec.name;
    const bool trained =
        !name.starts_with("embeddings.") && (!name.starts_with("layers.") || is_lora_target(options.lora, name));
    EXPECT_EQ(values(model.parameters()[i].parameter.value) != before[i], trained) << name;
  }
}

struct Recipe {
  std::string name;
  StepOptions step;
  std::optional<double> layer_decay = {};
  bool best = false, other_weights = false;  // are published than the last
};

void PrintTo(const Recipe& recipe, std::ostream* out) { *out << recipe.name; }

class RecipeTest : public TrainingTrial, public ::testing::WithParamInterface<Recipe> {
 protected:
  // The run's files after 6 steps, stopped after `stop_after`.
  std::vector<std::string> files(int64_t stop_after) {
    const std::string path = directory_ / ("run" + std::to_string(stop_after));
    for (bool stopped = stop_after > 0;; stopped = false) {
      Model model(*backend_, config(), true);
      model.initialize({5, 0});
      LanguageObjective objective = this->objective(model, 2, 2);
      std::stop_source stop;
      TrainerOptions options{.schedule = {.kind = ScheduleKind::linear, .learning_rate = 0.05, .steps = 6},
                             .optimizer = {.layer_decay = GetParam().layer_decay},
                             .step = GetParam().step,
                             .intervals = {.validate_every = 2, .save_every = 3},
                             .random = {3, 4},
                             .stop_token = stop.get_token(),
                             .times = [&](const StepCount& steps) {
                               if (stopped && steps.done == stop_after) stop.request_stop();
                               return "";
                             }};
      if (GetParam().best) options.best = {.metric = "loss"};
      RunDirectory directory(path, Json::object(), {});
      try {
        train(model, objective, options, directory);
        break;
      } catch (const Interrupted&) {
        EXPECT_TRUE(stopped);
      }
    }
    std::vector<std::string> contents;
    for (const char* name : {"model.safetensors", "training/step-6/model.safetensors",
                             "training/step-6/optimizer.safetensors", "training/step-6/state.json"}) {
      contents.push_back(read_file(join_path(path, name), 1 << 24));
    }
    const std::string adapter = join_path(path, "adapter/adapter_model.safetensors");
    EXPECT_EQ(std::filesystem::exists(adapter), GetParam().step.lora.save == "adapter");
    if (std::filesystem::exists(adapter)) contents.push_back(read_file(adapter, 1 << 24));
    return contents;
  }
};

TEST_P(RecipeTest, ResumesToTheSameBytes) {
  const std::vector<std::string> whole = files(0);
  for (int64_t stop_after = 1; stop_after < 6; ++stop_after) {
    EXPECT_TRUE(files(stop_after) == whole) << stop_after;
  }
  EXPECT_EQ(whole[0] != whole[1], GetParam().other_weights);
}

INSTANTIATE_TEST_SUITE_P(
    , RecipeTest,
    ::testing::Values(Recipe{.name = "plain", .step = {}},
                      Recipe{.name = "frozen_with_decay", .step = {.freeze = "embeddings"}, .layer_decay = 0.5},
                      Recipe{.name = "averaged", .step = {.ema_decay = 0.9}, .other_weights = true},
                      Recipe{.name = "best_average", .step = {.ema_decay = 0.9}, .best = true, .other_weights = true},
                      Recipe{.name = "fgm", .step = {.fgm_epsilon = 1.0}},
                      Recipe{.name = "lora", .step = {.lora = {.rank = 2, .alpha = 8}}},
                      Recipe{.name = "lora_adapter", .step = {.lora = {.rank = 2, .save = "adapter"}}},
                      Recipe{.name = "best_lora_adapter",
                             .step = {.lora = {.rank = 2, .save = "adapter"}},
                             .best = true,
                             .other_weights = true},
                      Recipe{.name = "averaged_lora",
                             .step = {.gradient_checkpointing = true, .ema_decay = 0.9, .lora = {.rank = 2}},
                             .other_weights = true}),
    [](const auto& param) { return param.param.name; });

}  // namespace
}  // namespace roformer::test
