#include "tasks/embed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "text/train.h"

namespace roformer {
namespace {

using testing::ElementsAre;

TEST(TextBatches, HoldWhatFitsInOrder) {
  const auto tokenizer = train_byte();  // a token a byte, and two
  const std::vector<std::string> texts = {"ab", "", "abcdefgh", "a", "b", "c"};
  std::vector<std::pair<size_t, int64_t>> batches;
  int64_t texts_seen = 0;
  for_text_batches(*tokenizer, texts, {.max_length = 6, .max_tokens = 6}, [&](size_t first, const Batch& batch) {
    batches.emplace_back(first, batch.tokens());
    texts_seen += batch.sequences();
    for (int64_t i = 0; i < batch.sequences(); ++i) {
      const auto begin = static_cast<size_t>(batch.offsets[static_cast<size_t>(i)]);
      EXPECT_EQ(batch.ids[begin], tokenizer->cls_id());
      EXPECT_EQ(batch.positions[begin], 0);
    }
  });
  EXPECT_THAT(batches, ElementsAre(std::pair(0ul, 6l), std::pair(2ul, 6l), std::pair(3ul, 6l), std::pair(5ul, 3l)));
  EXPECT_EQ(texts_seen, 6);
  for_text_batches(*tokenizer, {}, {}, [](size_t, const Batch&) { FAIL(); });
}

TEST(TextBatches, RefuseWhatCannotBe) {
  const auto tokenizer = train_byte();
  const std::vector<std::string> texts = {"a", "\xff"};
  const auto nothing = [](size_t, const Batch&) {};
  EXPECT_THROW(for_text_batches(*tokenizer, texts, {}, nothing), DataError);
  EXPECT_THROW(for_text_batches(*tokenizer, texts, {.max_tokens = 0}, nothing), UsageError);
  EXPECT_THROW(for_text_batches(*tokenizer, texts, {.max_length = 1}, nothing), UsageError);
}

TEST(Embed, ATrunkIsEnoughAndAZeroVectorStays) {
  const auto tokenizer = train_byte();
  ThreadPool pool{1};
  const auto backend = make_reference_backend(pool);
  ModelConfig config;
  config.vocabulary = tokenizer->vocabulary_size();
  config.hidden = config.embedding = 8;
  config.layers = 1;
  config.heads = 2;
  config.intermediate = 8;
  config.head = Head::none;
  complete(config, "");
  Model model(*backend, config, false);
  const std::vector<std::string> texts = {"abc", "d"};
  for (const PooledText& zero : embed(model, *tokenizer, texts, {.normalize = true})) {
    for (const float value : zero.values) EXPECT_EQ(value, 0);
  }
  model.initialise({1, 0});
  const auto pooled = embed(model, *tokenizer, texts, {.pooling = Pooling::cls, .normalize = true});
  ASSERT_EQ(pooled.size(), 2u);
  EXPECT_EQ(pooled[0].tokens, 5);
  EXPECT_EQ(pooled[1].tokens, 3);
  double squares = 0;
  for (const float value : pooled[1].values) squares += double{value} * value;
  EXPECT_NEAR(squares, 1, 1e-6);
}

}  // namespace
}  // namespace roformer
