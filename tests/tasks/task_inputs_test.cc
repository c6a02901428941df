#include "tasks/task_inputs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/tasks/word_tokenizer.h"

namespace roformer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

class TaskInputsTest : public testing::Test {
 protected:
  EncodedExamples encode(TaskKind kind, const std::vector<Example>& examples, std::vector<std::string> labels = {},
                         int64_t max_length = 64, std::optional<int64_t> stride = {}) {
    ModelConfig config;
    config.vocabulary = tokenizer_->vocabulary_size();
    config.labels = std::move(labels);
    return TaskInputs(kind, config, *tokenizer_, {.max_length = max_length, .stride = stride})
        .encode(examples, "file.tsv", pool_);
  }
  TempDirectory directory_;
  std::unique_ptr<Tokenizer> tokenizer_ = word_tokenizer(directory_);
  ThreadPool pool_{2};
};

TEST_F(TaskInputsTest, AClassIsASoftmaxOverAllLabels) {
  const EncodedExamples encoded = encode(
      TaskKind::classification,
      {{.texts = {"the fox"}, .labels = {"no"}}, {.texts = {"fox", "runs"}, .labels = {"yes"}}, {.texts = {"a"}}},
      {"yes", "no"});
  ASSERT_THAT(encoded.parts, SizeIs(3));
  EXPECT_THAT(encoded.parts[0].sequences.at(0).ids, ElementsAre(2, 5, 6, 3));
  EXPECT_THAT(encoded.parts[1].sequences.at(0).ids, ElementsAre(2, 6, 3, 8, 9, 3));
  EXPECT_THAT(encoded.parts[1].sequences.at(0).segment_ids, ElementsAre(0, 0, 0, 1, 1, 1));
  for (size_t i = 0; i < 3; ++i) {
    const LossTerm& term = encoded.parts[i].terms.at(0);
    EXPECT_EQ(term.kind, TermKind::softmax);
    EXPECT_EQ(term.count, 2);
    EXPECT_EQ(term.target, i == 0 ? 1 : i == 1 ? 0 : -1);
  }
  EXPECT_EQ(encoded.tokens(), 13);
}

TEST_F(TaskInputsTest, LabelsAreFoundInOtherCaseAndByNumber) {
  EXPECT_EQ(LabelNames({"ENTAILMENT", "neutral"}).find("entailment"), 0);
  EXPECT_EQ(LabelNames({"LABEL_0", "LABEL_1"}).find("1"), 1);
  EXPECT_EQ(LabelNames({"no", "yes"}).find("1"), -1);
  // The name itself comes first.
  EXPECT_EQ(LabelNames({"A", "a"}).find("a"), 1);
}

TEST_F(TaskInputsTest, UnknownLabelsHaveNoLoss) {
  const EncodedExamples encoded =
      encode(TaskKind::classification, {{.texts = {"a"}, .labels = {"maybe"}}}, {"yes", "no"});
  EXPECT_FALSE(encoded.parts[0].terms[0].has_target());
}

TEST_F(TaskInputsTest, EachLabelOfASetIsASigmoid) {
  const auto encoded =
      encode(TaskKind::multilabel, {{.texts = {"a"}, .labels = {"z", "x"}}, {.texts = {"b"}}}, {"x", "y", "z"});
  const auto targets = [&](size_t part) {
    std::vector<int32_t> result;
    for (const LossTerm& term : encoded.parts[part].terms) {
      EXPECT_EQ(term.kind, TermKind::sigmoid);
      EXPECT_EQ(term.first, std::ssize(result));
      result.push_back(term.target);
    }
    return result;
  };
  EXPECT_THAT(targets(0), ElementsAre(1, 0, 1));
  EXPECT_THAT(targets(1), ElementsAre(0, 0, 0));  // labeled, with no label
}

TEST_F(TaskInputsTest, ATripletIsTwoPairs) {
  const auto encoded = encode(TaskKind::triplet, {{.texts = {"a", "b", "c"}, .choice = 1}}, {"similar"});
  ASSERT_THAT(encoded.parts.at(0).sequences, SizeIs(2));
  EXPECT_THAT(encoded.parts[0].sequences[0].ids, ElementsAre(2, 12, 3, 13, 3));
  EXPECT_THAT(encoded.parts[0].sequences[1].ids, ElementsAre(2, 12, 3, 14, 3));
  EXPECT_EQ(encoded.parts[0].terms.at(0).target, 0);
  EXPECT_EQ(encoded.parts[0].terms.at(1).target, 1);
}

TEST_F(TaskInputsTest, ChoicesShareASoftmax) {
  const auto encoded = encode(TaskKind::multiple_choice, {{.texts = {"who", "a", "b", "c"}, .choice = 2}});
  ASSERT_THAT(encoded.parts.at(0).sequences, SizeIs(3));
  EXPECT_EQ(encoded.parts[0].terms.at(0).count, 3);
  EXPECT_EQ(encoded.parts[0].terms.at(0).target, 2);
}

TEST_F(TaskInputsTest, TheFirstTokenOfAWordHasItsTag) {
  const auto encoded =
      encode(TaskKind::token_classification,
             {{.texts = {"foxs", "running", "\u200b", "a"}, .labels = {"B-X", "O", "O", "B-X"}}}, {"O", "B-X"});
  ASSERT_THAT(encoded.parts, SizeIs(1));
  // "running" is no word of this vocabulary; a word without a token of its own is [UNK], too.
  EXPECT_THAT(encoded.parts[0].sequences.at(0).ids, ElementsAre(2, 6, 9, 1, 1, 12, 3));
  std::vector<int32_t> first, target;
  for (const LossTerm& term : encoded.parts[0].terms) {
    first.push_back(term.first);
    target.push_back(term.target);
  }
  EXPECT_THAT(first, ElementsAre(2 * 1, 2 * 3, 2 * 4, 2 * 5));
  EXPECT_THAT(target, ElementsAre(1, 0, 0, 1));
}

TEST_F(TaskInputsTest, LongTaggedTextsAreCutBetweenWords) {
  const auto encoded = encode(TaskKind::token_classification,
                              {{.texts = {"a", "foxs", "b", "c"}, .labels = {"O", "O", "O", "O"}}}, {"O", "B-X"}, 4);
  ASSERT_THAT(encoded.parts, SizeIs(3));
  EXPECT_THAT(encoded.parts[0].sequences[0].ids, ElementsAre(2, 12, 3));
  EXPECT_THAT(encoded.parts[1].sequences[0].ids, ElementsAre(2, 6, 9, 3));
  EXPECT_THAT(encoded.parts[2].sequences[0].ids, ElementsAre(2, 13, 14, 3));
  EXPECT_EQ(encoded.cut, 0);
}

TEST_F(TaskInputsTest, AnAnswerIsAStartAndAnEnd) {
  const Example question{.texts = {"who", "the foxs run ."}, .answers = {{"foxs", 4}}};
  const auto encoded = encode(TaskKind::question_answering, {question});
  ASSERT_THAT(encoded.parts, SizeIs(1));
  // [CLS] who [SEP] the fox ##s run . [SEP]
  ASSERT_THAT(encoded.parts[0].sequences.at(0).ids, SizeIs(9));
  EXPECT_EQ(encoded.parts[0].terms.at(0).target, 4);
  EXPECT_EQ(encoded.parts[0].terms.at(1).target, 5);
  EXPECT_EQ(encoded.parts[0].terms.at(1).first, 1);
  EXPECT_EQ(encoded.parts[0].terms.at(1).stride, 2);
}

TEST_F(TaskInputsTest, AWindowWithoutTheAnswerHasItsFirstTokenAsTarget) {
  const Example question{.texts = {"who", "the foxs run ."}, .answers = {{"foxs", 4}}};
  const auto encoded = encode(TaskKind::question_answering, {question}, {}, 6, 1);
  ASSERT_GE(encoded.parts.size(), 2u);
  EXPECT_EQ(encoded.parts.back().terms.at(0).target, 0);
  EXPECT_EQ(encoded.parts.back().terms.at(1).target, 0);
}

TEST_F(TaskInputsTest, UnansweredQuestionsAreCountedAndNotTrainedOn) {
  const Example question{.texts = {"who", "the fox"}, .answers = {{"dog", -1}}};
  const auto encoded = encode(TaskKind::question_answering, {question});
  EXPECT_EQ(encoded.unanswered, 1);
  EXPECT_FALSE(encoded.parts.at(0).terms.at(0).has_target());
  // A question that has no answer has [CLS] as its target.
  const auto impossible = encode(TaskKind::question_answering, {{.texts = {"who", "the fox"}}});
  EXPECT_EQ(impossible.unanswered, 0);
  EXPECT_EQ(impossible.parts.at(0).terms.at(0).target, 0);
}

TEST_F(TaskInputsTest, CutExamplesAreCounted) {
  EXPECT_EQ(encode(TaskKind::regression, {{.texts = {"a b c a b c"}}, {.texts = {"a"}}}, {"score"}, 5).cut, 1);
}

TEST_F(TaskInputsTest, TokensThatTheModelLacksAreNamed) {
  ModelConfig config;
  config.vocabulary = 10;
  try {
    TaskInputs(TaskKind::regression, config, *tokenizer_, {.max_length = 8})
        .encode(std::vector<Example>{{.texts = {"c"}, .line = 7}}, "file.tsv", pool_);
    FAIL();
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("file.tsv:7"));
  }
}

TEST_F(TaskInputsTest, SentenceVectorsHaveNoHead) { EXPECT_THROW(head_of(TaskKind::contrastive), UsageError); }

}  // namespace
}  // namespace roformer
