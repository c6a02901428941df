#include <nlohmann/json.hpp>

#include "lab/length_evaluation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "data/corpus.h"
#include "tests/base/temp_directory.h"
#include "text/learn/train.h"
#include "training/language_objective.h"

namespace roformer::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> scalings(const std::vector<LengthVariant>& variants) {
  std::vector<std::string> names;
  for (const LengthVariant& variant : variants) names.push_back(variant.scaling);
  return names;
}

ModelConfig config_with(const PositionEncoding& position) {
  ModelConfig config = preset_config("demo");
  config.position = position;
  complete(config, "");
  return config;
}

TEST(LengthVariants, RotaryFrequenciesAreScaledBeyondTheTraining) {
  const ModelConfig config = config_with(RotaryPosition{});
  EXPECT_THAT(scalings(length_variants(config, 128, 128)), ElementsAre(""));
  const auto variants = length_variants(config, 128, 512);
  ASSERT_THAT(scalings(variants), ElementsAre("", "linear", "ntk", "dynamic-ntk", "yarn"));
  const auto scaling = [&](size_t i) { return std::get<RotaryPosition>(variants[i].config.position).rotary.scaling; };
  EXPECT_EQ(scaling(0), RotaryScaling{});
  EXPECT_EQ(scaling(1), RotaryScaling{LinearScaling{.factor = 4}});
  EXPECT_EQ(scaling(2), RotaryScaling{NtkScaling{.factor = 4}});
  const DynamicNtkScaling dynamic{.factor = 4, .original_positions = 128};
  EXPECT_EQ(scaling(3), RotaryScaling{dynamic});
  EXPECT_EQ(std::get<YarnScaling>(scaling(4)).factor, 4);
  EXPECT_EQ(std::get<YarnScaling>(scaling(4)).original_positions, 128);
  EXPECT_THAT(scalings(length_variants(config_with(parse_position("rotary-learned")), 128, 512)), ElementsAre(""));
  EXPECT_THAT(scalings(length_variants(config_with(parse_position("rotary-axial")), 128, 512)), ElementsAre(""));
}

TEST(LengthVariants, TablesEndWhereTheirTrainingDid) {
  const ModelConfig learned = config_with(LearnedPosition{});  // of 512 rows
  const auto variants = length_variants(learned, 128, 256);
  ASSERT_THAT(scalings(variants), ElementsAre("", "hierarchical"));
  EXPECT_THAT(variants[0].reason, HasSubstr("up to 128"));
  EXPECT_EQ(variants[1].reason, "");
  EXPECT_EQ(variants[1].config.max_positions, 128);
  EXPECT_TRUE(std::get<LearnedPosition>(variants[1].config.position).hierarchical);
  EXPECT_EQ(length_variants(learned, 128, 128)[0].reason, "");

  const auto hierarchical = length_variants(config_with(LearnedPosition{.hierarchical = true}), 128, 256);
  ASSERT_THAT(scalings(hierarchical), ElementsAre(""));
  EXPECT_EQ(hierarchical[0].reason, "");
  EXPECT_EQ(hierarchical[0].config.max_positions, 128);
  EXPECT_THAT(length_variants(config_with(TupePosition{}), 128, 256)[0].reason, HasSubstr("up to 128"));
  EXPECT_EQ(length_variants(config_with(SinusoidalPosition{}), 128, 256)[0].reason, "");
  EXPECT_EQ(length_variants(config_with(T5Position{}), 128, 256)[0].reason, "");
}

class LengthEvaluation : public ::testing::Test {
 protected:
  LengthEvaluation() {
    make_directories(directory_ / "tokenizer");
    for (const auto& [name, text] : train_byte()->files()) {
      write_file_atomically(directory_ / "tokenizer/" + name, text);
    }
    std::string text;
    for (int i = 0; i < 60; ++i) text += fmt::format("{} sheep went up the hill number {}. ", i * i, i % 7);
    write_file_atomically(directory_ / "train.txt", text + text);
    write_file_atomically(directory_ / "held.txt", text.substr(300, 900));
    options_.objective = "clm";
    options_.data = {directory_ / "train.txt"};
    options_.validation_data = {directory_ / "held.txt"};
    options_.tokenizer = directory_ / "tokenizer";
    options_.output = run_;
    options_.shape.hidden_size = 16;
    options_.shape.layers = 1;
    options_.shape.heads = 2;
    options_.shape.position = "learned";
    options_.max_length = 18;
    options_.batch_tokens = 90;
    options_.schedule.steps = 3;
    options_.messages.write = [](std::string_view) {};
    pretrain(options_, *backend_);
  }
  LengthTexts texts(const std::vector<int64_t>& lengths) {
    return pack_lengths(options_, lengths, *train_byte(), pool_);
  }
  std::vector<LengthScore> evaluate(const LengthTexts& texts) {
    return evaluate_lengths(run_, texts, options_, 18, *backend_, options_.messages);
  }

  TempDirectory directory_;
  ThreadPool pool_{1};
  std::unique_ptr<Backend> backend_ = make_backend("cpu", pool_, Precision::float32);
  std::string run_ = directory_ / "run";
  PretrainOptions options_;
};

TEST_F(LengthEvaluation, OnlyWholeSequencesCount) {
  const LengthTexts packed = texts({18, 100, 5000});
  EXPECT_EQ(packed.by_length.at(18).size(), 900 / 16);  // 16 bytes of the text and two specials
  EXPECT_EQ(packed.by_length.at(100).size(), 900 / 98);
  EXPECT_EQ(packed.by_length.at(5000).size(), 0);
  EXPECT_EQ(packed.by_length.at(18).sequence(3).size(), 18u);
}

TEST_F(LengthEvaluation, TheLossIsTheObjectives) {
  const LengthTexts packed = texts({18});
  const auto scores = evaluate(packed);
  ASSERT_EQ(scores.size(), 1u);
  EXPECT_EQ(scores[0].evaluation.labels, 900 / 16 * 17);

  const Model model = load_model(run_, *backend_);
  const Corpus corpus(options_.data, {.max_length = 18}, *train_byte());
  const auto tokenizer = train_byte();
  auto stream = std::make_unique<SequenceStream>(corpus, std::vector<std::vector<int64_t>>(1), RandomStream{1, 0}, 1);
  LanguageObjective objective(model, causal_labeler(*tokenizer), {}, std::move(stream), packed.by_length.at(18),
                              {1, 0});
  const Evaluation expected = objective.validate({*backend_, nullptr, {}, false});
  EXPECT_NEAR(scores[0].evaluation.loss, expected.loss, 1e-5);
  EXPECT_EQ(scores[0].evaluation.accuracy, expected.accuracy);

  // 16 parts of 18 places: of 1 or 2 each; 17 of the places have a label.
  ASSERT_EQ(scores[0].position_loss.size(), 16u);
  double sum = 0;
  for (int place = 0; place < 17; ++place) sum += scores[0].position_loss[static_cast<size_t>(place * 16 / 18)];
  EXPECT_NEAR(sum / 17, expected.loss, 1e-5);
}

TEST_F(LengthEvaluation, WhatCannotBeReadHasAReason) {
  const auto scores = evaluate(texts({36, 4000}));
  ASSERT_EQ(scores.size(), 4u);
  EXPECT_EQ(scores[0].scaling, "");
  EXPECT_THAT(scores[0].reason, HasSubstr("up to 18"));
  EXPECT_EQ(scores[1].scaling, "hierarchical");
  EXPECT_THAT(scores[2].reason, HasSubstr("fewer tokens"));
}

TEST_F(LengthEvaluation, ScoresAreKeptUntilTheSettingsChange) {
  evaluate(texts({18}));
  std::string kept = read_file(run_ + "/lengths.json", 1 << 20);
  Json json = Json::parse(kept);
  json["scores"][0]["loss"] = 77.0;
  write_file_atomically(run_ + "/lengths.json", json.dump());
  EXPECT_EQ(evaluate(texts({18})).front().evaluation.loss, 77);
  EXPECT_EQ(evaluate(texts({12, 18})).size(), 2u);
  const auto read = read_length_scores(run_);
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(read[0].evaluation.loss, 77);
  EXPECT_EQ(read[1].length, 12);
  options_.schedule = {.steps = 5, .extend = true};
  pretrain(options_, *backend_);
  EXPECT_NE(evaluate(texts({18})).front().evaluation.loss, 77);
  write_file_atomically(run_ + "/lengths.json", json.dump());
  ++options_.seed;
  EXPECT_NE(evaluate(texts({18})).front().evaluation.loss, 77);

  write_file_atomically(run_ + "/lengths.json", "{\"scores\":[{\"scaling\":\"\",\"length\":0}]}");
  EXPECT_THROW(read_length_scores(run_), DataError);
  write_file_atomically(run_ + "/lengths.json", "{}");
  EXPECT_THROW(read_length_scores(run_), DataError);
  EXPECT_TRUE(read_length_scores(directory_ / "nowhere").empty());
}

}  // namespace
}  // namespace roformer::test
