// Heads, tokens and generation in the C interface.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "roformer/roformer.h"
#include "roformer/text_model.h"
#include "tests/library/c_interface.h"

namespace roformer {
namespace {

using testing::HasSubstr;

TEST_F(CInterface, Classifies) {
  const std::string path = make_family(directory_, "roformer_sequence_single_label");
  const TextModel expected = TextModel::open(path);
  roformer_model* model = nullptr;
  ASSERT_EQ(roformer_model_open(path.c_str(), nullptr, &model, &error_), ROFORMER_OK) << error_.message;
  roformer_classification* found = nullptr;
  for (const char* pair : {static_cast<const char*>(nullptr), "iron"}) {
    ASSERT_EQ(
        roformer_classify(model, "a wise son", ROFORMER_NUL_TERMINATED, pair, ROFORMER_NUL_TERMINATED, &found, &error_),
        ROFORMER_OK)
        << error_.message;
    const std::vector<TextPair> both = {{"a wise son", "iron"}};
    const Classification same = pair == nullptr ? expected.classify("a wise son") : expected.classify(both)[0];
    ASSERT_EQ(found->count, 3u);
    EXPECT_EQ(found->labels[found->best].name, same.label);
    EXPECT_EQ(found->labels[found->best].score, same.score);
    EXPECT_STREQ(found->labels[0].name, "negative");
    roformer_classification_free(found);
  }
  roformer_model_free(model);
  EXPECT_EQ(roformer_classify(model_, "a", 1, nullptr, 0, &found, &error_), ROFORMER_DATA_ERROR);
  EXPECT_STREQ(roformer_last_error(ROFORMER_ERROR_KEY), "architectures");
}

TEST_F(CInterface, Generates) {
  const std::string path = make_family(directory_, "roformer_causal_lm");
  roformer_model* model = nullptr;
  ASSERT_EQ(roformer_model_open(path.c_str(), nullptr, &model, &error_), ROFORMER_OK) << error_.message;
  roformer_generation_options options = ROFORMER_GENERATION_OPTIONS_INIT;
  options.max_new_tokens = options.min_new_tokens = 5;
  options.temperature = 1.5;
  options.top_k = -1;
  options.seed = 3;
  roformer_generated* generated = nullptr;
  ASSERT_EQ(roformer_generate(model, "a wise", ROFORMER_NUL_TERMINATED, &options, &generated, &error_), ROFORMER_OK)
      << error_.message;
  const GeneratedText expected = TextModel::open(path).generate(
      "a wise", {.max_new_tokens = 5, .min_new_tokens = 5, .temperature = 1.5, .top_k = 0, .seed = 3});
  EXPECT_EQ(generated->text, expected.text);
  EXPECT_EQ(generated->length, expected.text.size());
  EXPECT_EQ(std::vector<int32_t>(generated->ids, generated->ids + generated->count), expected.ids);
  EXPECT_EQ(generated->end, ROFORMER_END_LENGTH);
  roformer_generated_free(generated);
  options.top_p = 2;
  EXPECT_EQ(roformer_generate(model, "a", 1, &options, &generated, &error_), ROFORMER_USAGE_ERROR);
  EXPECT_STREQ(roformer_last_error(ROFORMER_ERROR_FIELD), "top_p");
  options.top_p = 0;
  options.stop_string_count = 1;
  EXPECT_EQ(roformer_generate(model, "a", 1, &options, &generated, &error_), ROFORMER_USAGE_ERROR);
  EXPECT_STREQ(roformer_last_error(ROFORMER_ERROR_FIELD), "stop_strings");
  roformer_model_free(model);
}

TEST_F(CInterface, ClassifiesManyTexts) {
  const std::string path = make_family(directory_, "roformer_sequence_single_label");
  const TextModel expected = TextModel::open(path);
  roformer_model* model = nullptr;
  ASSERT_EQ(roformer_model_open(path.c_str(), nullptr, &model, &error_), ROFORMER_OK) << error_.message;
  const char* texts[] = {"a wise son", "iron"};
  const char* pairs[] = {"pride", "fall"};
  roformer_matrix* scores = nullptr;
  ASSERT_EQ(roformer_classify_texts(model, texts, nullptr, nullptr, nullptr, 2, &scores, &error_), ROFORMER_OK);
  ASSERT_EQ(scores->rows, 2u);
  ASSERT_EQ(scores->columns, 3u);
  EXPECT_EQ(scores->values[4], static_cast<float>(expected.classify(texts)[1].scores[1]));
  roformer_matrix_free(scores);
  ASSERT_EQ(roformer_classify_texts(model, texts, nullptr, pairs, nullptr, 2, &scores, &error_), ROFORMER_OK);
  EXPECT_EQ(scores->values[5],
            static_cast<float>(expected.classify({{"a wise son", "pride"}, {"iron", "fall"}})[1].scores[2]));
  roformer_matrix_free(scores);
  EXPECT_EQ(roformer_model_can(model, ROFORMER_CLASSIFY), 1);
  EXPECT_EQ(roformer_model_can(model, ROFORMER_FILL_MASK), 0);
  EXPECT_STREQ(roformer_model_label(model, 2), "positive");
  EXPECT_EQ(roformer_model_label(model, 3), nullptr);
  EXPECT_EQ(roformer_model_parameters(model), expected.parameters());
  roformer_model_free(model);
  EXPECT_EQ(roformer_classify_texts(model_, texts, nullptr, nullptr, nullptr, 2, &scores, &error_),
            ROFORMER_DATA_ERROR);
}

TEST_F(CInterface, HasATokenizerOfItsOwn) {
  roformer_tokenizer* tokenizer = nullptr;
  ASSERT_EQ(roformer_tokenizer_open(path_.c_str(), &tokenizer, &error_), ROFORMER_OK) << error_.message;
  for (const roformer_tokenizer* one :
       {static_cast<const roformer_tokenizer*>(tokenizer), roformer_model_tokenizer(model_)}) {
    EXPECT_EQ(roformer_tokenizer_size(one), 28);
    EXPECT_STREQ(roformer_tokenizer_token(one, 7), "son");
    EXPECT_EQ(roformer_tokenizer_token(one, 28), nullptr);
    EXPECT_EQ(roformer_tokenizer_token(one, -1), nullptr);
    EXPECT_EQ(roformer_tokenizer_id(one, "son"), 7);
    EXPECT_EQ(roformer_tokenizer_id(one, "no such"), -1);
    EXPECT_STREQ(roformer_tokenizer_mask_token(one), "[MASK]");
    roformer_tokens* tokens = nullptr;
    ASSERT_EQ(roformer_tokenizer_encode(one, "a wise son", ROFORMER_NUL_TERMINATED, "iron", 4, 5, &tokens, &error_),
              ROFORMER_OK);
    const TokenizedText expected = TextTokenizer::open(path_).tokenize("a wise son", {.pair = "iron", .max_length = 5});
    EXPECT_EQ(std::vector<int32_t>(tokens->ids, tokens->ids + tokens->count), expected.ids);
    EXPECT_EQ(std::vector<int32_t>(tokens->segment_ids, tokens->segment_ids + tokens->count), expected.segment_ids);
    roformer_text* text = nullptr;
    ASSERT_EQ(roformer_tokenizer_decode(one, tokens->ids, tokens->count, 0, &text, &error_), ROFORMER_OK);
    EXPECT_EQ(text->text, TextTokenizer::open(path_).decode(expected.ids));
    EXPECT_EQ(text->length, std::string(text->text).size());
    roformer_text_free(text);
    ASSERT_EQ(roformer_tokenizer_decode(one, tokens->ids, 1, 1, &text, &error_), ROFORMER_OK);
    EXPECT_STREQ(text->text, "[CLS]");
    roformer_text_free(text);
    roformer_tokens_free(tokens);
    const int32_t wrong = 99;
    EXPECT_EQ(roformer_tokenizer_decode(one, &wrong, 1, 0, &text, &error_), ROFORMER_DATA_ERROR);
  }
  roformer_tokenizer_free(tokenizer);
  EXPECT_EQ(roformer_tokenizer_open((directory_ / "none").c_str(), &tokenizer, &error_), ROFORMER_FILE_ERROR);
}

TEST_F(CInterface, GivesLogits) {
  const TextModel model = TextModel::open(path_);
  const TokenizedText tokens = model.tokenize("a wise", {.pair = "son"});
  roformer_matrix* matrix = nullptr;
  const auto values = [&] {
    std::vector<float> result(matrix->values, matrix->values + matrix->rows * matrix->columns);
    roformer_matrix_free(matrix);
    return result;
  };
  ASSERT_EQ(roformer_logits(model_, "a wise", ROFORMER_NUL_TERMINATED, &matrix, &error_), ROFORMER_OK);
  EXPECT_EQ(matrix->rows, 4u);
  EXPECT_EQ(matrix->columns, 28u);
  EXPECT_EQ(values(), model.logits("a wise").values);
  const size_t count = tokens.ids.size();
  ASSERT_EQ(roformer_logits_of_ids(model_, tokens.ids.data(), tokens.segment_ids.data(), count, &matrix, &error_),
            ROFORMER_OK);
  EXPECT_EQ(values(), model.logits(tokens).values);
  ASSERT_EQ(roformer_encode_ids(model_, tokens.ids.data(), nullptr, count, &matrix, &error_), ROFORMER_OK);
  TokenizedText flat = tokens;
  flat.segment_ids.clear();
  EXPECT_EQ(values(), model.encode(flat).values);
  const int32_t wrong = 99;
  EXPECT_EQ(roformer_encode_ids(model_, &wrong, nullptr, 1, &matrix, &error_), ROFORMER_DATA_ERROR);
  EXPECT_EQ(roformer_logits_of_ids(model_, nullptr, nullptr, 0, &matrix, &error_), ROFORMER_DATA_ERROR);
}

TEST_F(CInterface, AnswersLabelsAndChooses) {
  const auto open = [&](const char* family) {
    roformer_model* model = nullptr;
    EXPECT_EQ(roformer_model_open(make_family(directory_, family).c_str(), nullptr, &model, &error_), ROFORMER_OK)
        << error_.message;
    return model;
  };
  const auto nul = ROFORMER_NUL_TERMINATED;
  roformer_model* answerer = open("roformer_question_answering");
  const TextModel expected_answerer = TextModel::open(directory_ / "roformer_question_answering");
  for (const int64_t max_tokens : {0, 1}) {
    const TextAnswer expected =
        expected_answerer.answer("wise", "pride goes before", {.max_tokens = max_tokens == 0 ? 30 : 1});
    roformer_question_options options = ROFORMER_QUESTION_OPTIONS_INIT;
    options.max_tokens = max_tokens;
    roformer_answer* answer = nullptr;
    ASSERT_EQ(roformer_answer_question(answerer, "wise", nul, "pride goes before", nul, &options, &answer, &error_),
              ROFORMER_OK)
        << error_.message;
    EXPECT_EQ(answer->text, expected.text);
    EXPECT_EQ(answer->length, expected.text.size());
    EXPECT_EQ(answer->score, expected.score);
    EXPECT_EQ(answer->begin, expected.offsets[0]);
    EXPECT_EQ(answer->end, expected.offsets[1]);
    roformer_answer_free(answer);
  }
  roformer_model* labeler = open("roformer_token_classification");
  const auto expected = TextModel::open(directory_ / "roformer_token_classification").label_tokens("a wise son");
  roformer_token_labels* labels = nullptr;
  ASSERT_EQ(roformer_label_tokens(labeler, "a wise son", nul, &labels, &error_), ROFORMER_OK) << error_.message;
  ASSERT_EQ(labels->count, expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(labels->tokens[i].token, expected[i].token);
    EXPECT_EQ(labels->tokens[i].id, expected[i].id);
    EXPECT_EQ(labels->tokens[i].label, expected[i].label);
    EXPECT_EQ(labels->tokens[i].score, expected[i].score);
    EXPECT_EQ(labels->tokens[i].begin, expected[i].offsets[0]);
    EXPECT_EQ(labels->tokens[i].end, expected[i].offsets[1]);
  }
  roformer_token_labels_free(labels);
  roformer_model* chooser = open("roformer_multiple_choice");
  const char* choices[] = {"iron", "pride"};
  double probabilities[2] = {};
  ASSERT_EQ(roformer_choose(chooser, "a wise", nul, choices, nullptr, 2, probabilities, &error_), ROFORMER_OK);
  EXPECT_EQ(std::vector<double>(probabilities, probabilities + 2),
            TextModel::open(directory_ / "roformer_multiple_choice").choose("a wise", choices));
  EXPECT_EQ(roformer_model_can(answerer, ROFORMER_ANSWER), 1);
  EXPECT_EQ(roformer_model_can(labeler, ROFORMER_LABEL_TOKENS), 1);
  EXPECT_EQ(roformer_model_can(chooser, ROFORMER_CHOOSE), 1);
  EXPECT_EQ(roformer_model_can(chooser, ROFORMER_GENERATE), 0);
  EXPECT_EQ(roformer_model_can(chooser, static_cast<roformer_task>(99)), 0);
  for (roformer_model* model : {answerer, labeler, chooser}) roformer_model_free(model);
}

struct SeenTokens {
  std::vector<int32_t> ids;
  std::string text;
  size_t last;
};

TEST_F(CInterface, ShowsEachToken) {
  const std::string path = make_family(directory_, "roformer_causal_lm");
  roformer_model* model = nullptr;
  ASSERT_EQ(roformer_model_open(path.c_str(), nullptr, &model, &error_), ROFORMER_OK) << error_.message;
  EXPECT_EQ(roformer_model_can(model, ROFORMER_GENERATE), 1);
  SeenTokens seen{.ids = {}, .text = {}, .last = 4};
  roformer_generation_options options = ROFORMER_GENERATION_OPTIONS_INIT;
  options.max_new_tokens = options.min_new_tokens = 8;
  options.user = &seen;
  options.on_token = [](void* user, int32_t id, const char* text, size_t length) {
    auto& my = *static_cast<SeenTokens*>(user);
    my.ids.push_back(id);
    my.text.append(text, length);
    return my.ids.size() < my.last ? 1 : 0;
  };
  roformer_generated* generated = nullptr;
  ASSERT_EQ(roformer_generate(model, "a wise", ROFORMER_NUL_TERMINATED, &options, &generated, &error_), ROFORMER_OK);
  EXPECT_EQ(seen.ids.size(), 4u);
  EXPECT_EQ(std::vector<int32_t>(generated->ids, generated->ids + generated->count), seen.ids);
  EXPECT_EQ(generated->text, seen.text);
  EXPECT_EQ(generated->end, ROFORMER_END_HALTED);
  roformer_generated_free(generated);
  // A program compiled before there was a callback.
  options.struct_size = offsetof(roformer_generation_options, on_token);
  ASSERT_EQ(roformer_generate(model, "a wise", ROFORMER_NUL_TERMINATED, &options, &generated, &error_), ROFORMER_OK);
  EXPECT_EQ(seen.ids.size(), 4u);
  EXPECT_EQ(generated->count, 8u);
  roformer_generated_free(generated);
  roformer_model_free(model);
}

}  // namespace
}  // namespace roformer
