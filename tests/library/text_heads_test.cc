// What TextModel does with heads other than the masked language model's, and with embeddings as a directory wants them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <span>

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
  EXPECT_EQ(model.encode("a wise son makes").rows, 6);

  write_text(path + "/config_sentence_transformers.json",
             R"({"prompts": {"query": "a "}, "default_prompt_name": "query", "similarity_fn_name": "dot"})");
  const TextModel prompted = TextModel::open(path, {.threads = 1});
  EXPECT_EQ(prompted.embed("wise").values, expected.values);
  EXPECT_EQ(prompted.embed("a wise", {.prompt = ""}).values, expected.values);
  EXPECT_EQ(prompted.embed("a wise", {.prompt_name = "document"}).values, expected.values);
  EXPECT_THROW(prompted.embed("a", {.prompt_name = "other"}), Error);
  EXPECT_EQ(prompted.embed("wise", {.dimensions = 3}).values.size(), 3u);
  EXPECT_EQ(detail_of([&] { prompted.embed("wise", {.dimensions = 0}); }).field, "dimensions");
  EXPECT_EQ(detail_of([&] { prompted.embed("wise", {.dimensions = 33}); }).field, "dimensions");
  const auto iron = plain.embed("a iron", {.pooling = EmbeddingPooling::cls}).values;
  EXPECT_NEAR(prompted.similarity("iron", "iron", {.normalize = false}),
              std::inner_product(iron.begin(), iron.end(), iron.begin(), 0.0), 1e-4);
}

TEST(TokenLabels, AreOfEachToken) {
  const TempDirectory directory;
  const TextModel model = TextModel::open(make_family(directory, "roformer_token_classification"), {.threads = 2});
  EXPECT_TRUE(model.labels_tokens());
  EXPECT_FALSE(model.classifies_texts());
  const auto found = model.label_tokens({"a wise son", "pride"});
  ASSERT_EQ(found.size(), 2u);
  ASSERT_EQ(found[0].size(), 3u);
  ASSERT_EQ(found[1].size(), 1u);
  EXPECT_EQ(found[0][1].token, "wise");
  EXPECT_EQ(found[0][1].id, 6);
  EXPECT_EQ(found[0][1].offsets, (std::array<int64_t, 2>{2, 6}));
  const Matrix logits = model.logits("a wise son");
  ASSERT_EQ(logits.rows, 5);
  ASSERT_EQ(logits.columns, std::ssize(model.labels()));
  for (int64_t i = 0; i < 3; ++i) {
    const auto row = logits.row(i + 1);
    const auto best = static_cast<size_t>(std::max_element(row.begin(), row.end()) - row.begin());
    double sum = 0;
    for (const float x : row) sum += std::exp(double{x} - row[best]);
    EXPECT_EQ(found[0][static_cast<size_t>(i)].label, model.labels()[best]);
    EXPECT_NEAR(found[0][static_cast<size_t>(i)].score, 1 / sum, 1e-5);
  }
  const auto alone = model.label_tokens("pride");
  EXPECT_EQ(alone[0].label, found[1][0].label);
  EXPECT_THAT([&] { model.label_tokens({"a", "\xff"}); }, ThrowsMessage<Error>(HasSubstr("text 2")));
}

TEST(Answers, ArePartsOfTheContext) {
  const TempDirectory directory;
  const TextModel model = TextModel::open(make_family(directory, "roformer_question_answering"), {.threads = 2});
  EXPECT_TRUE(model.answers_questions());
  const std::string context = "pride\tgoes before a fall";
  const auto answer = model.answer("wise\tson", context);
  EXPECT_FALSE(answer.text.empty());
  EXPECT_EQ(answer.text, context.substr(static_cast<size_t>(answer.offsets[0]),
                                        static_cast<size_t>(answer.offsets[1] - answer.offsets[0])));
  // The best pair of a first and a last token of the context.
  const TokenizedText tokens = model.tokenize("wise\tson", {.pair = context});
  const Matrix logits = model.logits(tokens);
  ASSERT_EQ(logits.columns, 2);
  double best = -1e9;
  std::array<int64_t, 2> offsets{};
  const auto in_context = [&](size_t t) { return tokens.segment_ids[t] == 1 && tokens.offsets[t][1] > 0; };
  for (size_t s = 0; s < tokens.ids.size(); ++s) {
    for (size_t e = s; in_context(s) && e < tokens.ids.size() && in_context(e); ++e) {
      const double sum = double{logits.row(static_cast<int64_t>(s))[0]} + logits.row(static_cast<int64_t>(e))[1];
      if (sum <= best) continue;
      best = sum;
      offsets = {tokens.offsets[s][0], tokens.offsets[e][1]};
    }
  }
  EXPECT_EQ(answer.offsets, offsets);
  EXPECT_GT(answer.score, 0);
  EXPECT_LE(answer.score, 1);
  const auto two = model.answer({{"wise\tson", context}, {"a", "iron"}});
  ASSERT_EQ(two.size(), 2u);
  EXPECT_EQ(two[0].text, answer.text);
  EXPECT_EQ(two[1].text, "iron");
  EXPECT_EQ(model.answer("a", "").text, "");
  EXPECT_EQ(model.answer("wise", context, {.max_tokens = 1}).text.find(' '), std::string::npos);
  EXPECT_EQ(detail_of([&] { model.answer("a", "b", {.max_tokens = 0}); }).field, "max_tokens");
  EXPECT_EQ(detail_of([&] { model.answer("a", "b", {.stride = -1}); }).field, "stride");
  EXPECT_THAT([&] { model.answer({{"a", "b"}, {"\xff", "b"}}); }, ThrowsMessage<Error>(HasSubstr("pair 2")));
}

TEST(Answers, AreFoundInLongContexts) {
  const TempDirectory directory;
  const std::string path = make_family(directory, "roformer_question_answering");
  const TextModel model = TextModel::open(path, {.threads = 1, .max_length = 12});
  std::string context = "pride goes before a fall";
  for (int i = 0; i < 5; ++i) context += " iron sharpens iron";
  context += " merry";
  const auto answer = model.answer("wise", context);
  EXPECT_EQ(answer.text, context.substr(static_cast<size_t>(answer.offsets[0]),
                                        static_cast<size_t>(answer.offsets[1] - answer.offsets[0])));
  EXPECT_NE(answer.score, TextModel::open(path, {.threads = 1}).answer("wise", context).score);
  EXPECT_EQ(detail_of([&] { model.answer("wise", context, {.stride = 12}); }).field, "stride");
}

TEST(Choices, ShareAProbability) {
  const TempDirectory directory;
  const TextModel model = TextModel::open(make_family(directory, "roformer_multiple_choice"), {.threads = 2});
  EXPECT_TRUE(model.chooses());
  const auto found = model.choose("a wise son", {"iron", "pride\tfall", "a"});
  ASSERT_EQ(found.size(), 3u);
  EXPECT_NEAR(std::accumulate(found.begin(), found.end(), 0.0), 1, 1e-9);
  const float first = model.logits(model.tokenize("a wise son", {.pair = "iron"})).values[0];
  const float third = model.logits(model.tokenize("a wise son", {.pair = "a"})).values[0];
  EXPECT_NEAR(found[0] / found[2], std::exp(first - third), 1e-5);
  EXPECT_TRUE(model.choose("a", {}).empty());
}

TEST(Heads, AreNeeded) {
  const TempDirectory directory;
  const TextModel model = TextModel::open(make_model(directory), {.threads = 1});
  EXPECT_EQ(detail_of([&] { model.label_tokens("a"); }).key, "architectures");
  EXPECT_EQ(detail_of([&] { model.answer("a", "b"); }).key, "architectures");
  EXPECT_EQ(detail_of([&] { model.choose("a", {"b"}); }).key, "architectures");
  EXPECT_FALSE(model.labels_tokens() || model.answers_questions() || model.chooses());
  const TextModel bare = TextModel::open(make_family(directory, "roformer_model"), {.threads = 1});
  EXPECT_THROW(bare.logits("a"), Error);
}

TEST(Logits, AreRowsOfTokensOrTexts) {
  const TempDirectory directory;
  const TextModel model = TextModel::open(make_model(directory, 3), {.threads = 2, .max_batch_tokens = 8});
  const TextMatrix logits = model.logits({"a [MASK] son", "iron", "a merry heart does good"});
  EXPECT_EQ(logits.columns, 28);
  EXPECT_EQ(logits.offsets, (std::vector<int64_t>{0, 5, 8, 15}));
  EXPECT_EQ(logits.rows, 15);
  const Matrix alone = model.logits("a [MASK] son");
  ASSERT_EQ(alone.rows, 5);
  for (size_t j = 0; j < alone.values.size(); ++j) EXPECT_NEAR(logits.of(0).values[j], alone.values[j], 2e-5);
  EXPECT_EQ(model.logits(model.tokenize("a [MASK] son")).values, alone.values);
  const auto row = alone.row(2);
  const auto best = std::max_element(row.begin(), row.end()) - row.begin();
  EXPECT_EQ(model.fill_mask("a [MASK] son", 1)[0][0].id, best);
  EXPECT_THROW(model.logits(TokenizedText()), Error);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THROW(model.logits(model.tokenize("a"), stop.get_token()), Error);
  EXPECT_EQ(model.logits(std::vector<std::string>()).texts(), 0u);

  const TextModel classifier = TextModel::open(make_family(directory, "roformer_sequence_single_label"));
  const TextMatrix scores = classifier.logits({"a wise son", "iron"});
  EXPECT_EQ(scores.offsets, (std::vector<int64_t>{0, 1, 2}));
  EXPECT_EQ(scores.columns, 3);
  const auto found = classifier.classify("a wise son").scores;
  EXPECT_NEAR(found[0] / found[1], std::exp(scores.row(0)[0] - scores.row(0)[1]), 1e-5);
}

TEST(ManyTexts, ComeInAnyForm) {
  const TempDirectory directory;
  const TextModel model = TextModel::open(make_model(directory, 3), {.threads = 1});
  const std::vector<std::string> strings = {"a wise son", "iron"};
  const std::array<std::string_view, 2> views = {"a wise son", "iron"};
  const char* literals[] = {"a wise son", "iron"};
  const Matrix expected = model.embed(strings);
  EXPECT_EQ(expected.rows, 2);
  EXPECT_EQ(model.embed(views).values, expected.values);
  EXPECT_EQ(model.embed(literals).values, expected.values);
  EXPECT_EQ(model.embed({"a wise son", "iron"}).values, expected.values);
  EXPECT_EQ(model.embed({strings[0], "iron"}).values, expected.values);
  EXPECT_EQ(model.embed(std::span(strings).first(1)).rows, 1);
  EXPECT_EQ(model.embed({"iron"}).rows, 1);
  EXPECT_EQ(model.embed(std::vector<std::string>()).rows, 0);
  EXPECT_EQ(model.encode({"a", "iron"}).texts(), 2u);
  EXPECT_EQ(model.fill_mask({"[MASK]", "a [MASK]"}, 1).size(), 2u);
  const std::vector<std::pair<std::string_view, std::string_view>> pairs = {{"a", "iron"}};
  EXPECT_EQ(model.similarity(pairs), model.similarity({{"a", "iron"}}));
  // One text of a larger one, which goes on behind it.
  const std::string_view part = std::string_view("iron sharpens").substr(0, 4);
  EXPECT_EQ(model.embed(part).values, model.embed("iron").values);
  const TextModel classifier = TextModel::open(make_family(directory, "roformer_sequence_single_label"));
  EXPECT_EQ(classifier.classify({"a", "iron", "son"}).size(), 3u);
  EXPECT_EQ(classifier.classify({{"a", "iron"}, {"son", strings[0]}}).size(), 2u);
  EXPECT_EQ(classifier.classify({{"a", "iron"}})[0].scores, classifier.classify(pairs)[0].scores);
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

TEST_F(Generators, ShowEachToken) {
  const auto whole = model_.generate("a wise", {.max_new_tokens = 6, .min_new_tokens = 6, .greedy = true});
  std::vector<int32_t> ids;
  std::string text, shown;
  TextGenerationOptions options{.max_new_tokens = 6, .min_new_tokens = 6, .greedy = true};
  options.on_text = [&](size_t, const std::string& more) { shown += more; };
  options.on_token = [&](size_t, int32_t id, const std::string& more) {
    ids.push_back(id);
    text += more;
    EXPECT_EQ(text, shown);
    return ids.size() < 4;
  };
  const auto cut = model_.generate("a wise", options);
  EXPECT_EQ(ids, std::vector<int32_t>(whole.ids.begin(), whole.ids.begin() + 4));
  EXPECT_EQ(cut.ids, ids);
  EXPECT_EQ(cut.text, text);
  EXPECT_EQ(cut.end, GenerationEnd::halted);
  EXPECT_TRUE(whole.text.starts_with(cut.text));
  // One of several ends, the others go on.
  options.on_token = [&](size_t index, int32_t, const std::string&) { return index != 0; };
  options.on_text = {};
  const auto two = model_.generate({"a wise", "pride"}, options);
  EXPECT_EQ(two[0].ids.size(), 1u);
  EXPECT_EQ(two[1].ids.size(), 6u);
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
