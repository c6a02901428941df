#include "inference/classify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "tests/inference/head_models.h"

namespace roformer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

class Classify : public testing::Test {
 protected:
  Model model(Head head, std::vector<std::string> labels = {"a", "b"}, Problem problem = Problem::single_label) {
    return random_model(*backend_, tokenizer_->vocabulary_size(), head, std::move(labels), problem);
  }
  TextBatch batch_of(const Model& model, const std::vector<std::string>& texts, const ClassifyOptions& options = {}) {
    TextList list(texts);
    TextStream stream(list, encode_for_head(model, *tokenizer_, options), {}, pool_);
    TextBatch batch;
    EXPECT_TRUE(stream.next(batch));
    EXPECT_THAT(batch.items, SizeIs(texts.size()));
    return batch;
  }
  Tensor logits(const Model& model, const TextBatch& batch) {
    const Context context{*backend_, nullptr, {}, false};
    return model.logits(context, model.trunk().forward(context, batch.batch), batch.batch).data;
  }

  ThreadPool pool_{2};
  std::unique_ptr<Backend> backend_ = make_reference_backend(pool_);
  std::unique_ptr<Tokenizer> tokenizer_ = train_byte();
};

TEST_F(Classify, SequencesByTheProblem) {
  const std::vector<std::string> texts = {"good", "bad", ""};
  for (const Problem problem : {Problem::single_label, Problem::multi_label, Problem::regression}) {
    const Model m = model(Head::sequence_classification, {"x", "y", "z"}, problem);
    const TextBatch batch = batch_of(m, texts);
    const Tensor raw = logits(m, batch);
    const auto scores = classify_sequences(m, batch);
    ASSERT_EQ(scores.size(), texts.size());
    for (size_t i = 0; i < scores.size(); ++i) {
      const float* row = raw.row<float>(static_cast<int64_t>(i));
      const double sum = std::exp(double{row[0]}) + std::exp(double{row[1]}) + std::exp(double{row[2]});
      for (size_t l = 0; l < 3; ++l) {
        const double expected = problem == Problem::single_label  ? std::exp(double{row[l]}) / sum
                                : problem == Problem::multi_label ? 1 / (1 + std::exp(-double{row[l]}))
                                                                  : double{row[l]};
        EXPECT_NEAR(scores[i][l], expected, 1e-12);
      }
    }
  }
  EXPECT_EQ(best_of({0.1, 0.4, 0.4}), 1u);
}

TEST_F(Classify, PairsOfSequences) {
  const Model m = model(Head::sequence_classification);
  const TextBatch batch = batch_of(m, {"a\tbc"}, {.pair = true});
  EXPECT_THAT(batch.batch.segments, ElementsAre(0, 0, 0, 1, 1, 1));
  EXPECT_THAT(batch_of(m, {"a\tbc"}).batch.segments, testing::Each(0));
  EXPECT_EQ(batch_of(m, {"abcdefgh"}, {.max_length = 5}).batch.tokens(), 5);
}

TEST_F(Classify, TokensButNotTheSpecialOnes) {
  const Model m = model(Head::token_classification, {"x", "y", "z"});
  const TextBatch batch = batch_of(m, {"ab", "c"});
  const Tensor raw = logits(m, batch);
  const auto labels = label_tokens(m, batch);
  ASSERT_THAT(labels, ElementsAre(SizeIs(2), SizeIs(1)));
  EXPECT_THAT(labels[0][1].offsets, ElementsAre(1, 2));
  const int64_t rows[] = {1, 2, 5};  // [CLS] a b [SEP] [CLS] c [SEP]
  const TokenLabel* tokens[] = {&labels[0][0], &labels[0][1], &labels[1][0]};
  for (size_t i = 0; i < 3; ++i) {
    const float* row = raw.row<float>(rows[i]);
    const auto best = static_cast<size_t>(std::max_element(row, row + 3) - row);
    EXPECT_EQ(tokens[i]->label, best);
    EXPECT_EQ(tokens[i]->id, batch.batch.ids[static_cast<size_t>(rows[i])]);
    EXPECT_GT(tokens[i]->score, 1.0 / 3);
  }
  EXPECT_EQ(label_tokens(m, batch_of(m, {"a\tb"}, {.pair = true}))[0][1].segment, 1);
}

TEST_F(Classify, ChoicesShareAPrompt) {
  const Model m = model(Head::multiple_choice);
  const TextBatch batch = batch_of(m, {"p\tone\ttwo\tthree", "p\tonly", "p\t\t"});
  EXPECT_THAT(batch.items[0].sequences, SizeIs(3));
  EXPECT_EQ(batch.items[0].sequences[2].ids, tokenizer_->encode("p", "three").ids);
  const Tensor raw = logits(m, batch);
  const auto shares = choose(m, batch);
  ASSERT_THAT(shares, ElementsAre(SizeIs(3), SizeIs(1), SizeIs(2)));
  EXPECT_NEAR(shares[0][1] / shares[0][0], std::exp(double{*raw.row<float>(1)} - double{*raw.row<float>(0)}), 1e-9);
  EXPECT_NEAR(shares[0][0] + shares[0][1] + shares[0][2], 1, 1e-12);
  EXPECT_EQ(shares[1][0], 1);
  EXPECT_EQ(shares[2][0], 0.5);
}

TEST_F(Classify, NeedsTheHeadAndTheTabs) {
  const std::pair<Head, const char*> others[] = {{Head::none, "has no head"},
                                                 {Head::masked_lm, "masked-language-model"}};
  for (const auto& [head, name] : others) {
    try {
      encode_for_head(model(head), *tokenizer_, {});
      FAIL();
    } catch (const DataError& error) {
      EXPECT_THAT(error.what(), HasSubstr(name));
    }
  }
  for (const Head head : {Head::question_answering, Head::multiple_choice}) {
    const Model m = model(head);
    EXPECT_THROW(encode_for_head(m, *tokenizer_, {})("no tab"), DataError);
    EXPECT_THROW(encode_for_head(m, *tokenizer_, {.max_length = 2}), UsageError);
  }
}

TEST_F(Classify, RefusesScoresThatAreNotFinite) {
  const Model m = model(Head::sequence_classification);
  for (const NamedParameter& named : m.parameters()) {
    named.parameter.value.data<float>()[0] = std::numeric_limits<float>::quiet_NaN();
  }
  EXPECT_THROW(classify_sequences(m, batch_of(m, {"a"})), DataError);
}

TEST_F(Classify, TextsAndPairsInMemory) {
  const Model m = model(Head::sequence_classification);
  const std::vector<std::string> texts = {"good", "bad", "a\tb"};
  const auto scores = classify_sequences(m, *tokenizer_, texts, {.max_tokens = 7});  // several batches
  ASSERT_THAT(scores, SizeIs(3));
  for (size_t i = 0; i < texts.size(); ++i) {
    EXPECT_NEAR(scores[i][0], classify_sequences(m, batch_of(m, {texts[i]}))[0][0], 1e-6);
  }
  const std::vector<std::pair<std::string, std::string>> pairs = {{"good", "bad"}, {"a", "b"}};
  const auto of_pairs = classify_sequences(m, *tokenizer_, pairs, {});
  const auto expected = classify_sequences(m, batch_of(m, {"good\tbad", "a\tb"}, {.pair = true}));
  EXPECT_EQ(of_pairs, expected);
  for (const Head head : {Head::token_classification, Head::masked_lm}) {
    const Model other = model(head);
    EXPECT_THAT([&] { classify_sequences(other, *tokenizer_, texts, {}); },
                testing::ThrowsMessage<DataError>(HasSubstr("expected a sequence-classification head")));
  }
}

}  // namespace
}  // namespace roformer
