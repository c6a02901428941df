#include "inference/embed.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/error.h"
#include "tests/inference/head_models.h"
#include "text/learn/train.h"

namespace roformer {
namespace {

EmbedOptions pooled_by(TextPooling pooling, bool normalize) {
  return {.steps = {{PoolStep{{pooling}}}}, .normalize = normalize};
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
  for (const PooledText& zero : embed(model, *tokenizer, texts, pooled_by(TextPooling::mean, true), {})) {
    for (const float value : zero.values) EXPECT_EQ(value, 0);
  }
  model.initialize({1, 0});
  const auto pooled = embed(model, *tokenizer, texts, pooled_by(TextPooling::cls, true), {});
  ASSERT_EQ(pooled.size(), 2u);
  EXPECT_EQ(pooled[0].tokens, 5);
  EXPECT_EQ(pooled[1].tokens, 3);
  double squares = 0;
  for (const float value : pooled[1].values) squares += double{value} * value;
  EXPECT_NEAR(squares, 1, 1e-6);

  Batch batch;
  for (const std::string& text : texts) batch.append(tokenizer->encode(text).ids);
  const auto tokens = embed_tokens(model, batch, true);
  ASSERT_EQ(tokens.size(), 2u);
  EXPECT_EQ(tokens[0].tokens, 5);
  ASSERT_EQ(tokens[0].values.size(), 5u * 8);
  for (size_t i = 0; i < 8; ++i) EXPECT_FLOAT_EQ(tokens[1].values[i], pooled[1].values[i]);  // of [CLS]
  EXPECT_NE(embed_tokens(model, batch)[0].values, tokens[0].values);
}

TEST(Embed, RefusesVectorsThatAreNotFinite) {
  const auto tokenizer = train_byte();
  ThreadPool pool{1};
  const auto backend = make_reference_backend(pool);
  ModelConfig config;
  config.vocabulary = tokenizer->vocabulary_size();
  config.hidden = config.embedding = 8;
  config.layers = 0;
  config.heads = 2;
  config.head = Head::none;
  complete(config, "");
  Model model(*backend, config, false);
  model.parameters()[0].parameter.value.data<float>()[0] = std::numeric_limits<float>::infinity();
  Batch batch;
  batch.append(std::vector<int32_t>{0});
  EXPECT_THROW(embed(model, batch, {}), DataError);
  const auto unchecked = embed(model, batch, {.check = false});
  EXPECT_FALSE(is_finite(unchecked.at(0).values));
  EXPECT_THROW(embed_tokens(model, batch), DataError);
}

TEST(Embed, SimilarityIsTheOneNamed) {
  const std::vector<float> a = {3, 4}, b = {4, -3}, c = {-6, -8}, zero = {0, 0};
  const auto cosine = [](const auto& x, const auto& y) { return similarity(Similarity::cosine, x, y); };
  EXPECT_EQ(cosine(a, b), 0);
  EXPECT_DOUBLE_EQ(cosine(a, a), 1);
  EXPECT_DOUBLE_EQ(cosine(a, c), -1);
  EXPECT_EQ(cosine(a, zero), 0);
  EXPECT_EQ(similarity(Similarity::dot, a, c), -50);
  EXPECT_DOUBLE_EQ(similarity(Similarity::euclidean, a, c), -15);
  EXPECT_EQ(similarity(Similarity::manhattan, a, b), -8);
  EXPECT_THROW(cosine(a, std::vector<float>{1}), ShapeError);
}

TEST(Embed, PoolingsHaveNames) {
  EXPECT_EQ(parse_pooling("cls"), TextPooling::cls);
  EXPECT_EQ(parse_pooling("mean"), TextPooling::mean);
  EXPECT_EQ(parse_pooling("max"), TextPooling::max);
  EXPECT_EQ(parse_pooling("pooler"), TextPooling::pooler);
  EXPECT_THROW(parse_pooling("median"), UsageError);
}

TEST(Embed, SimilaritiesAreCosinesOfTheVectors) {
  const auto tokenizer = train_byte();
  ThreadPool pool{1};
  const auto backend = make_reference_backend(pool);
  const Model model = random_model(*backend, tokenizer->vocabulary_size(), Head::none);
  const std::vector<std::pair<std::string, std::string>> pairs = {{"abc", "d"}, {"same", "same"}, {"x", "yz"}};
  const auto scores = similarities(model, *tokenizer, pairs, {}, {.max_tokens = 10});  // several batches
  ASSERT_EQ(scores.size(), pairs.size());
  for (size_t i = 0; i < pairs.size(); ++i) {
    const std::vector<std::string> both = {pairs[i].first, pairs[i].second};
    const auto vectors = embed(model, *tokenizer, both, {}, {});
    EXPECT_NEAR(scores[i], similarity(Similarity::cosine, vectors[0].values, vectors[1].values), 1e-6);
  }
  EXPECT_NEAR(scores[1], 1, 1e-6);
  EXPECT_TRUE(similarities(model, *tokenizer, {}, {}, {}).empty());
}

}  // namespace
}  // namespace roformer
