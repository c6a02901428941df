#include "training/language_objective.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "tests/training/training_trial.h"
#include "text/char_tokenizer.h"

namespace roformer::test {
namespace {

class Mlm : public TrainingTrial {
 protected:
  // The labels of a step. A model of zero weights predicts all tokens alike, so the gradient of the output bias is
  // labels · (1/vocabulary − 1 where the label is).
  std::set<int32_t> labels(LanguageObjective& objective, int64_t step) const {
    objective.prepare(step);
    clear_gradients(flat_);
    for (int64_t i = 0; i < objective.micro_batches(); ++i) {
      Tape tape;
      objective.forward(training_context(&tape), i, 1);
      tape.backward();
    }
    const auto gradient = values(parameter(flat_, "cls.predictions.bias").parameter.gradient);
    std::set<int32_t> result;
    for (size_t id = 0; id < gradient.size(); ++id) {
      if (gradient[id] < -0.5F) result.insert(static_cast<int32_t>(id));
    }
    EXPECT_EQ(std::ssize(result), objective.labels());
    return result;
  }
  int64_t sequence_of(int32_t id) const {
    for (int64_t i = 0; i < sequences_->size(); ++i) {
      const auto ids = sequences_->sequence(i);
      if (std::find(ids.begin(), ids.end(), id) != ids.end()) return i;
    }
    return -1;
  }
  // Labels of each sequence over the steps first … last.
  std::map<int64_t, int> visits(LanguageObjective& objective, int64_t first, int64_t last) const {
    std::map<int64_t, int> counts;
    for (int64_t step = first; step <= last; ++step) {
      for (const int32_t id : labels(objective, step)) ++counts[sequence_of(id)];
    }
    return counts;
  }

  Model flat_{*backend_, config(), true};
};

TEST_F(Mlm, AnEpochVisitsEachTrainingSequenceOnce) {
  ASSERT_EQ(sequences_->size(), kSequences);
  const std::map<int64_t, int> once = {{0, 3}, {1, 3}, {2, 3}, {3, 3}, {5, 3}, {6, 3}, {7, 3}, {8, 3}};
  LanguageObjective objective = this->objective(flat_, 2, 1);
  EXPECT_EQ(visits(objective, 1, 4), once);
  EXPECT_EQ(visits(objective, 5, 8), once);
  LanguageObjective accumulated = this->objective(flat_, 1, 2);
  EXPECT_EQ(visits(accumulated, 1, 4), once);
}

TEST_F(Mlm, OrderAndMasksDifferBetweenEpochs) {
  LanguageObjective objective = this->objective(flat_, 8, 1);
  EXPECT_NE(labels(objective, 1), labels(objective, 2));
  LanguageObjective single = this->objective(flat_, 1, 1);
  std::vector<int64_t> first, second;
  for (int64_t step = 1; step <= 8; ++step) first.push_back(sequence_of(*labels(single, step).begin()));
  for (int64_t step = 9; step <= 16; ++step) second.push_back(sequence_of(*labels(single, step).begin()));
  EXPECT_NE(first, second);
}

TEST_F(Mlm, AStepIsAFunctionOfSeedStepAndCursor) {
  LanguageObjective one = objective(flat_, 2, 1), same = objective(flat_, 2, 1), other = objective(flat_, 2, 1, 2);
  std::vector<std::set<int32_t>> steps;
  std::vector<Json> cursors;
  for (int64_t step = 1; step <= 7; ++step) {
    steps.push_back(labels(one, step));
    cursors.push_back(one.cursor());
    EXPECT_EQ(labels(same, step), steps.back());
    EXPECT_NE(labels(other, step), steps.back());
  }
  EXPECT_EQ(one.tokens(), 2 * (kTokens + 2));
  LanguageObjective resumed = objective(flat_, 2, 1);
  resumed.resume(JsonObject(cursors[2], "place"));
  EXPECT_EQ(resumed.cursor(), cursors[2]);
  for (size_t step = 4; step <= 7; ++step) EXPECT_EQ(labels(resumed, static_cast<int64_t>(step)), steps[step - 1]);
  EXPECT_THROW(resumed.resume(JsonObject({{"epoch", 0}, {"window", 1}, {"offset", 0}}, "place")), DataError);
  EXPECT_THROW(resumed.resume(JsonObject({{"epoch", 0}, {"window", 0}, {"offset", 9}}, "place")), DataError);
  EXPECT_THROW(resumed.resume(JsonObject(Json::object(), "place")), DataError);
}

TEST_F(Mlm, HowAStepIsCutDoesNotMatter) {
  Model model(*backend_, config(), true);
  model.initialize({5, 0});
  const auto run = [&](int64_t per_micro_batch, int64_t accumulate) {
    LanguageObjective objective = this->objective(model, per_micro_batch, accumulate);
    objective.prepare(1);
    objective.prepare(2);
    EXPECT_EQ(objective.labels(), 12);
    clear_gradients(model);
    double loss = 0;
    for (int64_t i = 0; i < accumulate; ++i) {
      Tape tape;
      loss += objective.forward(training_context(&tape), i, 1.0 / 12).read().sum / 12;
      tape.backward();
    }
    std::vector<float> result = {static_cast<float>(loss)};
    for (const NamedParameter& named : model.parameters()) {
      for (const float g : values(named.parameter.gradient)) result.push_back(g);
    }
    return result;
  };
  const auto whole = run(4, 1);
  EXPECT_GT(whole[0], 4);
  for (const int64_t accumulate : {2, 4}) {
    const auto cut = run(4 / accumulate, accumulate);
    ASSERT_EQ(cut.size(), whole.size());
    for (size_t i = 0; i < whole.size(); ++i) ASSERT_NEAR(cut[i], whole[i], 1e-6) << i;
  }
}

TEST_F(Mlm, ValidationIsTheSameEveryTime) {
  Model model(*backend_, config(), true);
  model.initialize({5, 0});
  LanguageObjective objective = this->objective(model, 2, 1);
  const Context context{*backend_, nullptr, {}, false};
  const Evaluation first = objective.validate(context);
  EXPECT_EQ(first.labels, 3);
  EXPECT_NEAR(first.loss, std::log(261.0), 0.5);
  objective.prepare(3);
  EXPECT_EQ(objective.validate(context).loss, first.loss);
  EXPECT_EQ(this->objective(model, 4, 2).validate(context).loss, first.loss);
  EXPECT_NE(this->objective(model, 2, 1, 2).validate(context).loss, first.loss);

  // A model that always predicts one token is right where that is the label: at three of ten.
  backend_->fill(parameter(model, "cls.predictions.transform.LayerNorm.weight").parameter.value, 0);
  const Tensor bias = parameter(model, "cls.predictions.bias").parameter.value;
  int hits = 0;
  for (const int32_t id : sequences_->sequence(4)) {
    backend_->fill(bias, 0);
    bias.data<float>()[id] = 50;
    const double accuracy = objective.validate(context).accuracy.value();
    EXPECT_TRUE(accuracy == 0 || accuracy == 1.0 / 3) << accuracy;
    hits += accuracy > 0 ? 1 : 0;
  }
  EXPECT_EQ(hits, 3);
}

TEST_F(Mlm, TheUnigramBaselineCountsTokens) {
  // 80 training tokens, 256 ordinary tokens, add one: a token not seen has probability 1/336.
  EXPECT_NEAR(objective(flat_, 2, 1).unigram_loss(), std::log(336.0), 1e-12);
}

// The loss of predicting each token from a model that is given only the tokens before it.
double loss_by_prefixes(const Model& model, std::span<const int32_t> sequence) {
  double sum = 0;
  for (size_t known = 1; known < sequence.size(); ++known) {
    Batch prefix;
    prefix.append(sequence.first(known));
    const Context context{model.backend(), nullptr, {}, false};
    const Value logits = model.logits(context, model.trunk().forward(context, prefix), prefix);
    const float* row = logits.data.row<float>(static_cast<int64_t>(known) - 1);
    double total = 0;
    for (int64_t id = 0; id < logits.data.columns(); ++id) total += std::exp(static_cast<double>(row[id]));
    sum += std::log(total) - static_cast<double>(row[sequence[known]]);
  }
  return sum;
}

class Clm : public TrainingTrial {
 protected:
  Clm() { model_.initialize({5, 0}); }
  static ModelConfig decoder(ModelConfig config) {
    config.head = Head::causal_lm;
    config.attention_mask = AttentionMask::causal;
    return config;
  }
  LanguageObjective causal(int64_t per_micro_batch, int64_t accumulate) const {
    return objective(model_, causal_labeler(*tokenizer_),
                     {.sequences_per_micro_batch = per_micro_batch, .accumulate = accumulate, .perplexity = true});
  }
  const Context context_{*backend_, nullptr, {}, false};
  Model model_{*backend_, decoder(config()), true};
};

TEST_F(Clm, TheLossIsThatOfEachTokenFromThoseBeforeIt) {
  validation_.append(sequences_->sequence(2));  // other sequences have no effect
  LanguageObjective objective = causal(2, 1);
  const Evaluation found = objective.validate(context_);
  const double expected =
      loss_by_prefixes(model_, sequences_->sequence(4)) + loss_by_prefixes(model_, sequences_->sequence(2));
  EXPECT_EQ(found.labels, 2 * (kTokens + 1));
  EXPECT_NEAR(found.loss * static_cast<double>(found.labels), expected, 1e-4);
  ASSERT_TRUE(found.perplexity);
  EXPECT_NEAR(*found.perplexity, std::exp(found.loss), 1e-9);

  LanguageObjective training = causal(1, 2);
  training.prepare(1);
  EXPECT_EQ(training.labels(), 2 * (kTokens + 1));
  EXPECT_EQ(training.tokens(), 2 * (kTokens + 2));
}

TEST_F(Clm, BitsAreCountedByTheCharactersOfTheText) {
  EXPECT_EQ(count_characters(*tokenizer_, validation_), kTokens);  // one character each, specials excluded
  LanguageObjective objective =
      this->objective(model_, causal_labeler(*tokenizer_), {.perplexity = true, .characters = kTokens});
  const Evaluation found = objective.validate(context_);
  ASSERT_TRUE(found.bits_per_character);
  EXPECT_NEAR(*found.bits_per_character,
              found.loss * static_cast<double>(found.labels) / (std::log(2.0) * static_cast<double>(kTokens)), 1e-9);
  EXPECT_FALSE(causal(1, 1).validate(context_).bits_per_character);
}

// A character whose bytes span two sequences counts once.
TEST(CountCharacters, OfBytesAcrossSequences) {
  std::vector<std::string> tokens;
  for (const std::string& special : SpecialTokens().all()) tokens.push_back(special);
  for (int byte = 0; byte < 256; ++byte) tokens.push_back(ByteTokenizer::byte_token(byte));
  const ByteTokenizer tokenizer(Vocabulary(std::move(tokens), "test"), SpecialTokens(), "test");
  ThreadPool pool(1);
  const std::vector<std::string> documents = {"aé中", "b"};
  const PackedSequences packed = PackedSequences::pack(documents, tokenizer, 4, pool);
  EXPECT_GT(packed.size(), 3);
  EXPECT_EQ(count_characters(tokenizer, packed), 4);
}

TEST_F(Clm, TheCursorSufficesToResume) {
  LanguageObjective one = causal(2, 1), resumed = causal(2, 1);
  std::vector<double> losses;
  Json cursor;
  for (int64_t step = 1; step <= 6; ++step) {
    one.prepare(step);
    if (step == 2) cursor = one.cursor();
    losses.push_back(one.forward(context_, 0, 0).read().sum);
  }
  resumed.resume(JsonObject(cursor, "place"));
  for (size_t step = 3; step <= 6; ++step) {
    resumed.prepare(static_cast<int64_t>(step));
    EXPECT_EQ(resumed.forward(context_, 0, 0).read().sum, losses[step - 1]);
  }
}

TEST_F(Clm, TheUnigramBaselineCountsWhatIsPredicted) {
  // 8 · 11 training labels of a vocabulary of 261, add one: [SEP] occurs 8 times, the ten tokens to validate on never.
  const double labels = 8 * (kTokens + 1) + static_cast<double>(tokenizer_->vocabulary_size());
  EXPECT_NEAR(causal(2, 1).unigram_loss(), std::log(labels) - std::log(9.0) / (kTokens + 1), 1e-12);
}

TEST_F(Clm, ASequenceOfOneTokenHasNoLabel) {
  const int32_t ids[] = {7};
  const MaskedSequence one = causal_labeler(*tokenizer_)->label(ids, {});
  EXPECT_TRUE(one.rows.empty() && one.labels.empty());
  EXPECT_TRUE(causal_labeler(*tokenizer_)->label({}, {}).labels.empty());
}

}  // namespace
}  // namespace roformer::test
