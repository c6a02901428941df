// What TextModel does with heads other than the masked language model's, and with embeddings as a directory wants them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "roformer/text_model.h"
#include "tests/base/error_detail.h"
#include "tests/library/model_directories.h"

namespace roformer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

TEST(Classifiers, LabelTextsAndPairs) {
  const TempDirectory directory;
  const TextModel model = TextModel::open(make_family(directory, "roformer_sequence_single_label"), {.threads = 2});
  EXPECT_TRUE(model.classifies_texts());
  EXPECT_FALSE(model.fills_masks());
  EXPECT_FALSE(model.generates_texts());
  EXPECT_THAT(model.labels(), ElementsAre("negative", "neutral", "positive"));
  const std::vector<std::string> texts = {"a wise son", "pride goes before a fall", ""};
  const auto found = model.classify(texts);
  ASSERT_EQ(found.size(), 3u);
  for (size_t i = 0; i < texts.size(); ++i) {
    ASSERT_EQ(found[i].scores.size(), 3u);
    EXPECT_NEAR(std::accumulate(found[i].scores.begin(), found[i].scores.end(), 0.0), 1, 1e-9);
    EXPECT_EQ(found[i].score, *std::max_element(found[i].scores.begin(), found[i].scores.end()));
    EXPECT_THAT(model.labels(), testing::Contains(found[i].label));
    EXPECT_NEAR(model.classify(texts[i]).scores[1], found[i].scores[1], 1e-6);
  }
  const std::vector<TextPair> pairs = {{"a\twise", "son"}, {"a wise", "son"}, {"son", "a wise"}};
  const auto of_pairs = model.classify(pairs);
  ASSERT_EQ(of_pairs.size(), 3u);
  EXPECT_NEAR(of_pairs[0].scores[0], of_pairs[1].scores[0], 1e-6);  // this tokenizer takes a tab for a space
  EXPECT_NE(of_pairs[1].scores, of_pairs[2].scores);
  EXPECT_NE(of_pairs[1].scores, model.classify("a wise son").scores);
  const std::vector<TextPair> wrong = {{"a", "b"}, {"a", "\xff"}};
  EXPECT_THAT([&] { model.classify(wrong); }, ThrowsMessage<Error>(HasSubstr("pair 2")));
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THROW(model.classify("a", stop.get_token()), Error);
}

TEST(Classifiers, NeedTheHead) {
  const TempDirectory directory;
  const TextModel model = TextModel::open(make_model(directory), {.threads = 1});
  EXPECT_FALSE(model.classifies_texts());
  EXPECT_TRUE(model.labels().empty());
  EXPECT_EQ(detail_of([&] { model.classify("a"); }).key, "architectures");
}

TEST(Similarity, IsTheCosineOfTheEmbeddings) {
  const TempDirectory directory;
  const TextModel model = TextModel::open(make_model(directory, 3), {.threads = 1});
  const std::vector<TextPair> pairs = {{"a wise son", "iron sharpens iron"}, {"iron", "iron"}};
  const auto scores = model.similarity(pairs);
  ASSERT_EQ(scores.size(), 2u);
  EXPECT_NEAR(scores[1], 1, 1e-6);
  const auto a = model.embed(pairs[0].first, {.normalize = true}).values;
  const auto b = model.embed(pairs[0].second, {.normalize = true}).values;
  EXPECT_NEAR(scores[0], std::inner_product(a.begin(), a.end(), b.begin(), 0.0), 1e-5);
  EXPECT_NEAR(model.similarity(pairs[0].first, pairs[0].second), scores[0], 1e-6);
  EXPECT_NE(model.similarity("a wise son", "iron", {.pooling = EmbeddingPooling::cls}),
            model.similarity("a wise son", "iron"));
}

TEST(Embeddings, AreAsTheDirectoryWantsThem) {
  const TempDirectory directory;
  const std::string path = make_model(directory, 3);
  const TextModel plain = TextModel::open(path, {.threads = 1});
  std::filesystem::create_directories(path + "/1_Pooling");
  write_text(path + "/modules.json", R"([{"path": "", "type": "sentence_transformers.models.Transformer"},
      {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
      {"path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}])");
  write_text(path + "/1_Pooling/config.json", R"({"pooling_mode_cls_token": true})");
  write_text(path + "/sentence_bert_config.json", R"({"max_seq_length": 4})");
  const TextModel model = TextModel::open(path, {.threads = 1});
  const auto expected = plain.embed("a wise", {.pooling = EmbeddingPooling::cls, .normalize = true});
  EXPECT_EQ(model.embed("a wise son makes").tokens, 4);
  EXPECT_EQ(model.embed("a wise son makes").values, expected.values);
  EXPECT_EQ(model.embed("a wise", {.pooling = EmbeddingPooling::mean, .normalize = false}).values,
            plain.embed("a wise").values);
  EXPECT_EQ(TextModel::open(path, {.threads = 1, .max_length = 5}).embed("a wise son makes").tokens, 5);
  EXPECT_EQ(model.encode("a wise son makes").tokens, 6);

  write_text(path + "/config_sentence_transformers.json",
             R"({"prompts": {"query": "a "}, "default_prompt_name": "query", "similarity_fn_name": "dot"})");
  const TextModel prompted = TextModel::open(path, {.threads = 1});
  EXPECT_EQ(prompted.embed("wise").values, expected.values);
  EXPECT_EQ(prompted.embed("a wise", {.prompt = ""}).values, expected.values);
  EXPECT_EQ(prompted.embed("a wise", {.prompt_name = "document"}).values, expected.values);
  EXPECT_THROW(prompted.embed("a", {.prompt_name = "other"}), Error);
  const auto iron = plain.embed("a iron", {.pooling = EmbeddingPooling::cls}).values;
  EXPECT_NEAR(prompted.similarity("iron", "iron", {.normalize = false}),
              std::inner_product(iron.begin(), iron.end(), iron.begin(), 0.0), 1e-4);
}

class Generators : public testing::Test {
 protected:
  TempDirectory directory_;
  TextModel model_ = TextModel::open(make_family(directory_, "roformer_causal_lm"), {.threads = 2});
};

TEST_F(Generators, ContinueTexts) {
  EXPECT_TRUE(model_.generates_texts());
  std::vector<std::string> shown(3);
  TextGenerationOptions options{.max_new_tokens = 6, .min_new_tokens = 6, .greedy = true, .batch_size = 2};
  options.on_text = [&](size_t index, const std::string& text) { shown[index] += text; };
  const std::vector<std::string> prompts = {"a wise", "pride", "iron sharpens"};
  const auto found = model_.generate(prompts, options);
  ASSERT_EQ(found.size(), 3u);
  options.on_text = {};
  for (size_t i = 0; i < prompts.size(); ++i) {
    EXPECT_EQ(found[i].ids.size(), 6u);
    EXPECT_EQ(found[i].end, GenerationEnd::length);
    EXPECT_EQ(found[i].text, shown[i]);
    EXPECT_EQ(model_.generate(prompts[i], options).ids, found[i].ids);
  }
}

TEST_F(Generators, SampleBySeed) {
  TextGenerationOptions options{.max_new_tokens = 12, .min_new_tokens = 12, .temperature = 2, .top_k = 0, .seed = 5};
  const auto first = model_.generate("a", options), again = model_.generate("a", options);
  EXPECT_EQ(first.ids, again.ids);
  options.seed = 6;
  EXPECT_NE(model_.generate("a", options).ids, first.ids);
  options.top_k = 1;
  const auto best = model_.generate("a", options);
  options.greedy = true;
  EXPECT_EQ(model_.generate("a", options).ids, best.ids);
}

TEST_F(Generators, EndWhereTheyAreTold) {
  TextGenerationOptions options{.max_new_tokens = 100, .min_new_tokens = 100, .greedy = true, .overflow = "stop"};
  EXPECT_EQ(model_.generate("a", options).end, GenerationEnd::context);
  const std::string text = model_.generate("a", options).text;
  ASSERT_GT(text.size(), 2u);
  options.stop_strings = {text.substr(1, 3)};
  EXPECT_EQ(model_.generate("a", options).end, GenerationEnd::stop_string);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THAT([&] { model_.generate("a", options, stop.get_token()); }, ThrowsMessage<Error>(HasSubstr("interrupted")));
}

TEST_F(Generators, NameTheFieldThatIsWrong) {
  const auto field = [&](const TextGenerationOptions& options) {
    return detail_of([&] { model_.generate("a", options); }).field;
  };
  EXPECT_EQ(field({.max_new_tokens = -1}), "max_new_tokens");
  EXPECT_EQ(field({.max_new_tokens = 1, .min_new_tokens = 2}), "min_new_tokens");
  EXPECT_EQ(field({.repetition_penalty = 0}), "repetition_penalty");
  EXPECT_EQ(field({.temperature = -1}), "temperature");
  EXPECT_EQ(field({.top_k = -1}), "top_k");
  EXPECT_EQ(field({.top_p = 0}), "top_p");
  EXPECT_EQ(field({.min_p = 2}), "min_p");
  EXPECT_EQ(field({.context = 1}), "context");
  EXPECT_EQ(field({.overflow = "wrap"}), "overflow");
  EXPECT_EQ(field({.attention_mask = "all"}), "attention_mask");
  EXPECT_EQ(field({.batch_size = 0}), "batch_size");
  const TextModel masked = TextModel::open(make_model(directory_), {.threads = 1});
  EXPECT_FALSE(masked.generates_texts());
  EXPECT_EQ(detail_of([&] { masked.generate("a"); }).field, "attention_mask");
  EXPECT_EQ(masked.generate("a", {.max_new_tokens = 2, .min_new_tokens = 2, .attention_mask = "prefix"}).ids.size(),
            2u);
}

}  // namespace
}  // namespace roformer
