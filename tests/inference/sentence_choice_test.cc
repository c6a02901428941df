#include "inference/sentence_choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/base/error_detail.h"
#include "tests/inference/head_models.h"

namespace roformer {
namespace {

using testing::ElementsAre;

class SentenceChoices : public testing::Test {
 protected:
  SentenceChoices() {
    modules_.listed = true;
    modules_.steps = {{PoolStep{{TextPooling::max}, false}}, {NormalizeStep{}}};
    modules_.max_length = 7;
  }
  SentenceVectors choose(const SentenceChoice& choice) const {
    return sentence_vectors(choice, modules_, model_, *tokenizer_);
  }

  ThreadPool pool_{1};
  std::unique_ptr<Backend> backend_ = make_reference_backend(pool_);
  std::unique_ptr<Tokenizer> tokenizer_ = train_byte();
  Model model_ = random_model(*backend_, tokenizer_->vocabulary_size(), Head::none);
  SentenceModules modules_;
};

TEST_F(SentenceChoices, OverruleTheDirectory) {
  const auto pooling = [](const SentenceVectors& how) { return std::get<PoolStep>(how.embed.steps.at(0).what).modes; };
  const SentenceVectors own = choose({});
  EXPECT_THAT(pooling(own), ElementsAre(TextPooling::max));
  EXPECT_EQ(own.embed.steps.size(), 2u);
  EXPECT_EQ(own.texts.preparation.max_length, 7);
  EXPECT_NE(own.texts.length_reason, "");
  EXPECT_EQ(own.width, 8);
  const SentenceVectors other = choose({.pooling = TextPooling::cls, .normalize = false, .max_length = 0});
  EXPECT_THAT(pooling(other), ElementsAre(TextPooling::cls));
  EXPECT_EQ(other.embed.steps.size(), 1u);
  EXPECT_FALSE(other.embed.normalize);
  EXPECT_EQ(other.texts.preparation.max_length, 0);
  EXPECT_EQ(other.texts.length_reason, "");
  EXPECT_THAT(pooling(sentence_vectors({}, {}, model_, *tokenizer_)), ElementsAre(TextPooling::mean));
  EXPECT_EQ(detail_of<DataError>([&] { choose({.pooling = TextPooling::pooler}); }).field, "pooling");
  modules_.unsupported = "a module";
  EXPECT_THROW(choose({.pooling = TextPooling::mean}), DataError);
}

TEST_F(SentenceChoices, CutVectors) {
  const SentenceVectors cut = choose({.dimensions = 3});
  EXPECT_EQ(cut.width, 3);
  EXPECT_FALSE(cut.embed.normalize);  // again, unless asked for
  EXPECT_TRUE(choose({.normalize = true, .dimensions = 3}).embed.normalize);
  EXPECT_FALSE(choose({.normalize = true}).embed.normalize);  // they are
  EXPECT_EQ(detail_of<UsageError>([&] { choose({.dimensions = 9}); }).field, "dimensions");
  modules_.dimensions = 5;
  EXPECT_EQ(choose({}).width, 5);
  EXPECT_EQ(choose({.dimensions = 8}).width, 8);
}

TEST_F(SentenceChoices, NamePrompts) {
  modules_.prompts["long"] = "four";
  EXPECT_EQ(choose({}).texts.preparation.prompt, "");
  EXPECT_EQ(choose({.prompt_name = "query"}).texts.preparation.prompt, "");
  modules_.default_prompt = "long";
  EXPECT_EQ(choose({}).texts.preparation.prompt, "four");
  EXPECT_EQ(choose({}).embed.prompt_tokens, 5);  // [CLS] and four bytes
  EXPECT_EQ(choose({.prompt = ""}).texts.preparation.prompt, "");
  EXPECT_EQ(choose({.prompt = ""}).embed.prompt_tokens, 0);
  EXPECT_EQ(choose({.prompt = "p"}).texts.preparation.prompt, "p");
  EXPECT_EQ(detail_of<UsageError>([&] { choose({.prompt_name = "none"}); }).field, "prompt_name");
  EXPECT_THROW(choose({.prompt = "", .prompt_name = "query"}), UsageError);
}

// The limit in each of its places.
TEST_F(SentenceChoices, LengthIsThatLibrarys) {
  const auto tokens = [&](const ModelConfig& config) { return default_length(modules_, *tokenizer_, config).tokens; };
  ModelConfig rotary, learned;
  rotary.max_positions = learned.max_positions = 20;
  learned.position = LearnedPosition{};
  EXPECT_EQ(tokens(rotary), 7);
  modules_.max_length = 30;  // its own setting counts alone, but positions end
  EXPECT_EQ(tokens(rotary), 30);
  EXPECT_EQ(tokens(learned), 20);
  modules_.max_length.reset();
  EXPECT_EQ(tokens(rotary), 20);
  tokenizer_->set_model_max_length(12);
  EXPECT_EQ(tokens(learned), 12);
  modules_.listed = false;  // a plain directory
  EXPECT_EQ(tokens(rotary), 0);
  EXPECT_EQ(tokens(learned), 20);
}

}  // namespace
}  // namespace roformer
