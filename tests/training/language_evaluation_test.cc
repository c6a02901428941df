#include "training/language_evaluation.h"

#include <algorithm>

#include "base/error.h"
#include "metrics/statistics.h"
#include "tests/training/training_trial.h"
#include "training/pretrain.h"

namespace roformer::test {
namespace {

using ::testing::HasSubstr;

class LanguageEvaluation : public TrainingTrial {
 protected:
  LanguageEvaluation() {
    options_.data = {directory_ / "text.txt"};
    options_.max_length = kTokens + 2;
    options_.batch_tokens = 3 * (kTokens + 2);
    options_.mask_probability = 0.3;
    options_.messages.write = [](std::string_view) {};
  }
  Model model(Head head) const {
    ModelConfig of_head = config();
    of_head.head = head;
    if (head == Head::causal_lm) of_head.attention_mask = AttentionMask::causal;
    complete(of_head, "");
    Model result(*backend_, of_head, true);
    result.initialize({3, 4});
    return result;
  }
  LanguageScore score(const Model& model) const { return evaluate_language(model, *tokenizer_, options_); }

  PretrainOptions options_;
};

TEST_F(LanguageEvaluation, IsWhatATrainingValidatesWith) {
  const Model masked = model(Head::masked_lm);
  PackedSequences all = load_all(*corpus_, pool_);
  const std::vector<std::vector<int64_t>> held_out(1);
  LanguageObjective objective(
      masked, make_labeler(options_, *tokenizer_, masked.config().vocabulary), {.sequences_per_micro_batch = 4},
      std::make_unique<SequenceStream>(*corpus_, held_out, RandomStream{}, 1), std::move(all), substream({1, 0}, 1));
  const Evaluation logged = objective.validate({.backend = *backend_});
  const LanguageScore now = score(masked);
  EXPECT_NEAR(now.mean.loss, logged.loss, 1e-9);
  EXPECT_EQ(now.mean.accuracy, logged.accuracy);
  EXPECT_EQ(now.mean.labels, logged.labels);
  EXPECT_EQ(now.sequences, kSequences);
  options_.seed = 2;
  EXPECT_NE(score(masked).mean.loss, now.mean.loss);
}

TEST_F(LanguageEvaluation, ACausalModelPredictsEveryToken) {
  options_.objective = "clm";
  options_.mask_probability.reset();
  const Model causal = model(Head::causal_lm);
  const LanguageScore now = score(causal);
  EXPECT_EQ(now.mean.labels, kSequences * (kTokens + 1));
  EXPECT_DOUBLE_EQ(*now.mean.perplexity, std::exp(now.mean.loss));
  options_.batch_tokens = 1;
  EXPECT_NEAR(score(causal).mean.loss, now.mean.loss, 1e-9);
  // Sequences of equal length: the interval of the mean of their losses.
  std::vector<double> losses;
  const auto labeler = causal_labeler(*tokenizer_);
  for (int64_t i = 0; i < kSequences; ++i) {
    const LabeledBatch one = label_sequences(*labeler, *sequences_, {i, i + 1}, {});
    losses.push_back(language_loss({.backend = *backend_}, causal, one, 0).read().sum / (kTokens + 1));
  }
  const MeanInterval expected = mean_interval(losses);
  ASSERT_TRUE(now.loss);
  EXPECT_NEAR((*now.loss)[0], expected.mean - *expected.half_width, 1e-9);
  EXPECT_NEAR((*now.loss)[1], expected.mean + *expected.half_width, 1e-9);
  EXPECT_GE((*now.accuracy)[0], 0);
}

TEST_F(LanguageEvaluation, OneSequenceHasNoInterval) {
  write_file_atomically(directory_ / "text.txt", "abc");
  options_.objective = "clm";
  options_.mask_probability.reset();
  const LanguageScore now = score(model(Head::causal_lm));
  EXPECT_EQ(now.mean.labels, 4);
  EXPECT_FALSE(now.loss);
  EXPECT_FALSE(now.accuracy);
}

TEST_F(LanguageEvaluation, ATextWithNothingToPredictIsAnError) {
  write_file_atomically(directory_ / "text.txt", "\n");
  const Model masked = model(Head::masked_lm);
  EXPECT_THAT([&] { score(masked); }, ::testing::ThrowsMessage<DataError>(HasSubstr("text.txt")));
}

}  // namespace
}  // namespace roformer::test
