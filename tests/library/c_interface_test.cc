#include "roformer/roformer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <sstream>

#include "roformer/text_model.h"
#include "tests/library/c_interface.h"

namespace roformer {
namespace {

using testing::HasSubstr;

TEST_F(CInterface, SaysWhatTheCppClassesSay) {
  const TextModel model = TextModel::open(path_);
  EXPECT_EQ(roformer_model_hidden_size(model_), 32);

  roformer_tokens* tokens = nullptr;
  ASSERT_EQ(roformer_tokenize(model_, "a wise son!", 10, "iron", ROFORMER_NUL_TERMINATED, &tokens, &error_),
            ROFORMER_OK);
  const TokenizedText expected = model.tokenize("a wise son", {.pair = "iron"});
  ASSERT_EQ(tokens->count, expected.ids.size());
  for (size_t i = 0; i < tokens->count; ++i) {
    EXPECT_EQ(tokens->tokens[i], expected.tokens[i]);
    EXPECT_EQ(tokens->ids[i], expected.ids[i]);
    EXPECT_EQ(tokens->segment_ids[i], expected.segment_ids[i]);
    EXPECT_EQ(tokens->offsets[2 * i], expected.offsets[i][0]);
    EXPECT_EQ(tokens->offsets[2 * i + 1], expected.offsets[i][1]);
  }
  roformer_tokens_free(tokens);

  roformer_matrix* matrix = nullptr;
  ASSERT_EQ(roformer_encode(model_, "iron", ROFORMER_NUL_TERMINATED, &matrix, &error_), ROFORMER_OK);
  EXPECT_EQ(matrix->rows, 3u);
  EXPECT_EQ(matrix->columns, 32u);
  EXPECT_EQ(std::vector<float>(matrix->values, matrix->values + 96), model.encode("iron").values);
  roformer_matrix_free(matrix);

  const char* texts[] = {"iron", "a glad father"};
  roformer_embedding_options how = ROFORMER_EMBEDDING_OPTIONS_INIT;
  how.pooling = ROFORMER_POOLING_MAX;
  how.normalize = ROFORMER_YES;
  ASSERT_EQ(roformer_embed(model_, texts, nullptr, 2, &how, &matrix, &error_), ROFORMER_OK);
  EXPECT_EQ(matrix->rows, 2u);
  const auto embedded = model.embed(std::vector<std::string>{"iron", "a glad father"},
                                    {.pooling = EmbeddingPooling::max, .normalize = true});
  EXPECT_EQ(std::vector<float>(matrix->values, matrix->values + 64), embedded.values);
  roformer_matrix_free(matrix);
  ASSERT_EQ(roformer_embed(model_, nullptr, nullptr, 0, nullptr, &matrix, &error_), ROFORMER_OK);
  EXPECT_EQ(matrix->rows, 0u);
  roformer_matrix_free(matrix);

  ASSERT_EQ(roformer_embed(model_, texts, nullptr, 1, nullptr, &matrix, &error_), ROFORMER_OK);
  EXPECT_EQ(std::vector<float>(matrix->values, matrix->values + 32), model.embed("iron").values);
  roformer_matrix_free(matrix);
  double similarity = 0;
  ASSERT_EQ(roformer_similarity(model_, "iron", 4, "a son", ROFORMER_NUL_TERMINATED, &how, &similarity, &error_),
            ROFORMER_OK);
  EXPECT_EQ(similarity, model.similarity("iron", "a son", {.pooling = EmbeddingPooling::max, .normalize = true}));

  how.pooling = ROFORMER_POOLING_LAST_TOKEN;
  how.prompt = "a ";
  how.dimensions = 5;
  ASSERT_EQ(roformer_embed(model_, texts, nullptr, 1, &how, &matrix, &error_), ROFORMER_OK);
  EXPECT_EQ(
      std::vector<float>(matrix->values, matrix->values + 5),
      model.embed("a iron", {.pooling = EmbeddingPooling::last_token, .normalize = true, .dimensions = 5}).values);
  roformer_matrix_free(matrix);
  how.prompt_name = "query";
  EXPECT_EQ(roformer_embed(model_, texts, nullptr, 1, &how, &matrix, &error_), ROFORMER_USAGE_ERROR);
  how.struct_size = offsetof(roformer_embedding_options, prompt);  // of a program that knows no prompts
  EXPECT_EQ(roformer_embed(model_, texts, nullptr, 1, &how, &matrix, &error_), ROFORMER_OK);
  EXPECT_EQ(matrix->columns, 32u);
  roformer_matrix_free(matrix);

  roformer_masks* masks = nullptr;
  ASSERT_EQ(roformer_fill_mask(model_, "[MASK] a [MASK]", ROFORMER_NUL_TERMINATED, 2, &masks, &error_), ROFORMER_OK);
  const FilledMasks filled = model.fill_mask("[MASK] a [MASK]", 2);
  EXPECT_EQ(masks->masks, 2u);
  EXPECT_EQ(masks->top_k, 2u);
  EXPECT_EQ(masks->candidates[3].token, filled[1][1].token);
  EXPECT_EQ(masks->candidates[3].score, filled[1][1].score);
  roformer_masks_free(masks);
}

TEST_F(CInterface, TellsIgnoredSettings) {
  EXPECT_EQ(roformer_model_ignored_setting(model_, 0), nullptr);
  std::ostringstream config;
  config << std::ifstream(path_ + "/config.json").rdbuf();
  std::string text = config.str();
  write_text(path_ + "/config.json", text.insert(text.find('{') + 1, "\"my_key\": 7,"));
  roformer_model* model = nullptr;
  roformer_trainer* trainer = nullptr;
  ASSERT_EQ(roformer_model_open(path_.c_str(), nullptr, &model, &error_), ROFORMER_OK);
  EXPECT_STREQ(roformer_model_ignored_setting(model, 0), "my_key");
  EXPECT_EQ(roformer_model_ignored_setting(model, 1), nullptr);
  EXPECT_THAT(roformer_model_warning(model, 0), testing::HasSubstr("config.json: not understood and ignored: my_key"));
  EXPECT_EQ(roformer_model_warning(model, 1), nullptr);
  roformer_model_free(model);
  ASSERT_EQ(roformer_trainer_open(path_.c_str(), nullptr, &trainer, &error_), ROFORMER_OK);
  EXPECT_STREQ(roformer_trainer_ignored_setting(trainer, 0), "my_key");
  roformer_trainer_free(trainer);
}

TEST_F(CInterface, TrainersHaveTheOptionsOfTheCppClass) {
  roformer_trainer_options options = ROFORMER_TRAINER_OPTIONS_INIT;
  options.hidden_size = 32;
  options.layers = options.heads = 2;
  options.max_length = 16;
  options.threads = 1;
  options.position = "alibi";
  options.intermediate_size = 48;
  options.dropout = -1;
  options.warmup = 5;
  options.weight_decay = -1;
  options.clip_norm = -1;
  options.mask_probability = 0.3;
  options.whole_words = 1;
  options.max_batch_tokens = 64;
  options.device = "reference";
  roformer_trainer* trainer = nullptr;
  const std::string tokenizer = directory_ / "tokenizer";
  ASSERT_EQ(roformer_trainer_create(tokenizer.c_str(), &options, &trainer, &error_), ROFORMER_OK) << error_.message;
  auto expected = MaskedLanguageTrainer::create(
      tokenizer,
      {.hidden_size = 32, .layers = 2, .heads = 2, .intermediate_size = 48, .position = "alibi", .dropout = 0},
      {.warmup = 5,
       .weight_decay = 0,
       .clip_norm = 0,
       .mask_probability = 0.3,
       .whole_words = true,
       .max_length = 16,
       .max_batch_tokens = 64,
       .threads = 1,
       .device = "reference"});
  const char* texts[] = {"iron sharpens iron", "pride goes before a fall"};
  const std::vector<std::string> same(texts, texts + 2);
  double loss = 0;
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(roformer_trainer_step(trainer, texts, nullptr, 2, &loss, &error_), ROFORMER_OK) << error_.message;
    EXPECT_EQ(loss, expected.step(same));
  }
  roformer_score score{};
  ASSERT_EQ(roformer_trainer_validate(trainer, texts, nullptr, 2, &score, &error_), ROFORMER_OK) << error_.message;
  const MaskedLanguageScore found = expected.validate(same);
  EXPECT_EQ(score.loss, found.loss);
  EXPECT_EQ(score.accuracy, found.accuracy);
  EXPECT_EQ(score.masked, found.masked);
  roformer_trainer_free(trainer);
  options.warmup = -1;
  EXPECT_EQ(roformer_trainer_create(tokenizer.c_str(), &options, &trainer, &error_), ROFORMER_USAGE_ERROR);
  EXPECT_STREQ(roformer_last_error(ROFORMER_ERROR_FIELD), "warmup");
}

TEST_F(CInterface, ErrorsAreCodesAndLines) {
  roformer_model* other = nullptr;
  EXPECT_EQ(roformer_model_open((directory_ / "none").c_str(), nullptr, &other, &error_), ROFORMER_FILE_ERROR);
  EXPECT_EQ(error_.status, ROFORMER_FILE_ERROR);
  EXPECT_THAT(error_.message, HasSubstr("none"));
  EXPECT_EQ(other, nullptr);
  roformer_masks* masks = nullptr;
  EXPECT_EQ(roformer_fill_mask(model_, "iron", ROFORMER_NUL_TERMINATED, 2, &masks, nullptr), ROFORMER_DATA_ERROR);
  EXPECT_EQ(roformer_fill_mask(model_, "[MASK]", ROFORMER_NUL_TERMINATED, 0, &masks, nullptr), ROFORMER_USAGE_ERROR);
  EXPECT_EQ(roformer_fill_mask(model_, "\xff[MASK]", 7, 1, &masks, nullptr), ROFORMER_DATA_ERROR);
  const std::string missing = "x\u00e9" + std::string(3000, 'y') + "\u00e9";
  EXPECT_EQ(roformer_model_open(missing.c_str(), nullptr, &other, &error_), ROFORMER_FILE_ERROR);
  EXPECT_LT(std::string(error_.message).size(), sizeof(error_.message));
  roformer_tokens* tokens = nullptr;
  EXPECT_EQ(roformer_tokenize(model_, nullptr, 0, nullptr, 0, &tokens, &error_), ROFORMER_OK);  // an empty text
  EXPECT_STREQ(error_.message, "");
  EXPECT_EQ(tokens->count, 2u);
  roformer_tokens_free(tokens);
}

TEST_F(CInterface, NullIsRefusedEverywhere) {
  roformer_model* model = nullptr;
  roformer_tokens* tokens = nullptr;
  roformer_matrix* matrix = nullptr;
  roformer_masks* masks = nullptr;
  roformer_trainer* trainer = nullptr;
  const char* hole[] = {nullptr};
  const roformer_status usage = ROFORMER_USAGE_ERROR;
  EXPECT_EQ(roformer_model_open(nullptr, nullptr, &model, &error_), usage);
  EXPECT_EQ(roformer_model_open(path_.c_str(), nullptr, nullptr, &error_), usage);
  EXPECT_EQ(roformer_tokenize(nullptr, "", 0, nullptr, 0, &tokens, &error_), usage);
  EXPECT_EQ(roformer_tokenize(model_, "", 0, nullptr, 0, nullptr, &error_), usage);
  EXPECT_EQ(roformer_tokenize(model_, nullptr, 1, nullptr, 0, &tokens, &error_), usage);
  EXPECT_EQ(roformer_encode(nullptr, "", 0, &matrix, &error_), usage);
  EXPECT_EQ(roformer_encode(model_, nullptr, ROFORMER_NUL_TERMINATED, &matrix, &error_), usage);
  EXPECT_EQ(roformer_encode(model_, "", 0, nullptr, &error_), usage);
  EXPECT_EQ(roformer_embed(nullptr, hole, nullptr, 0, nullptr, &matrix, &error_), usage);
  EXPECT_EQ(roformer_embed(model_, nullptr, nullptr, 1, nullptr, &matrix, &error_), usage);
  EXPECT_EQ(roformer_embed(model_, hole, nullptr, 1, nullptr, &matrix, &error_), usage);
  EXPECT_EQ(roformer_embed(model_, hole, nullptr, 0, nullptr, nullptr, &error_), usage);
  EXPECT_EQ(roformer_fill_mask(nullptr, "[MASK]", 6, 1, &masks, &error_), usage);
  EXPECT_EQ(roformer_fill_mask(model_, "[MASK]", 6, 1, nullptr, &error_), usage);
  roformer_classification* classification = nullptr;
  roformer_generated* generated = nullptr;
  roformer_score score{};
  double similarity = 0;
  EXPECT_EQ(roformer_similarity(nullptr, "", 0, "", 0, nullptr, &similarity, &error_), usage);
  EXPECT_EQ(roformer_similarity(model_, nullptr, 1, "", 0, nullptr, &similarity, &error_), usage);
  EXPECT_EQ(roformer_similarity(model_, "", 0, "", 0, nullptr, nullptr, &error_), usage);
  EXPECT_EQ(roformer_classify(nullptr, "", 0, nullptr, 0, &classification, &error_), usage);
  EXPECT_EQ(roformer_classify(model_, "", 0, nullptr, 0, nullptr, &error_), usage);
  EXPECT_EQ(roformer_generate(nullptr, "", 0, nullptr, &generated, &error_), usage);
  EXPECT_EQ(roformer_generate(model_, "", 0, nullptr, nullptr, &error_), usage);
  EXPECT_EQ(roformer_trainer_validate(nullptr, hole, nullptr, 0, &score, &error_), usage);
  EXPECT_EQ(roformer_model_ignored_setting(nullptr, 0), nullptr);
  EXPECT_EQ(roformer_model_warning(nullptr, 0), nullptr);
  EXPECT_EQ(roformer_trainer_ignored_setting(nullptr, 0), nullptr);
  roformer_classification_free(nullptr);
  roformer_generated_free(nullptr);
  EXPECT_EQ(roformer_trainer_create(nullptr, nullptr, &trainer, &error_), usage);
  EXPECT_EQ(roformer_trainer_create(path_.c_str(), nullptr, nullptr, &error_), usage);
  EXPECT_EQ(roformer_trainer_open(nullptr, nullptr, &trainer, &error_), usage);
  EXPECT_EQ(roformer_trainer_open(path_.c_str(), nullptr, nullptr, &error_), usage);
  EXPECT_EQ(roformer_trainer_step(nullptr, hole, nullptr, 0, nullptr, &error_), usage);
  EXPECT_EQ(roformer_trainer_save(nullptr, path_.c_str(), &error_), usage);
  EXPECT_EQ(roformer_model_hidden_size(nullptr), 0);
  EXPECT_EQ(roformer_model_parameters(nullptr), 0);
  EXPECT_EQ(roformer_model_tokenizer(nullptr), nullptr);
  EXPECT_EQ(roformer_model_label(nullptr, 0), nullptr);
  EXPECT_EQ(roformer_model_can(nullptr, ROFORMER_FILL_MASK), 0);
  roformer_tokenizer* tokenizer = nullptr;
  roformer_text* text = nullptr;
  roformer_token_labels* labels = nullptr;
  roformer_answer* answer = nullptr;
  double probability = 0;
  const roformer_tokenizer* mine = roformer_model_tokenizer(model_);
  EXPECT_EQ(roformer_tokenizer_open(nullptr, &tokenizer, &error_), usage);
  EXPECT_EQ(roformer_tokenizer_open(path_.c_str(), nullptr, &error_), usage);
  EXPECT_EQ(roformer_tokenizer_encode(nullptr, "a", 1, nullptr, 0, 0, &tokens, &error_), usage);
  EXPECT_EQ(roformer_tokenizer_encode(mine, nullptr, 1, nullptr, 0, 0, &tokens, &error_), usage);
  EXPECT_EQ(roformer_tokenizer_encode(mine, "a", 1, nullptr, 0, 0, nullptr, &error_), usage);
  EXPECT_EQ(roformer_tokenizer_decode(nullptr, nullptr, 0, 0, &text, &error_), usage);
  EXPECT_EQ(roformer_tokenizer_decode(mine, nullptr, 1, 0, &text, &error_), usage);
  EXPECT_EQ(roformer_tokenizer_size(nullptr), 0);
  EXPECT_EQ(roformer_tokenizer_token(nullptr, 0), nullptr);
  EXPECT_EQ(roformer_tokenizer_id(nullptr, "a"), -1);
  EXPECT_EQ(roformer_tokenizer_id(mine, nullptr), -1);
  EXPECT_EQ(roformer_tokenizer_mask_token(nullptr), nullptr);
  EXPECT_EQ(roformer_logits(nullptr, "a", 1, &matrix, &error_), usage);
  EXPECT_EQ(roformer_logits(model_, "a", 1, nullptr, &error_), usage);
  EXPECT_EQ(roformer_logits_of_ids(model_, nullptr, nullptr, 1, &matrix, &error_), usage);
  EXPECT_EQ(roformer_encode_ids(model_, nullptr, nullptr, 1, &matrix, &error_), usage);
  EXPECT_EQ(roformer_encode_ids(nullptr, nullptr, nullptr, 0, &matrix, &error_), usage);
  EXPECT_EQ(roformer_classify_texts(nullptr, hole, nullptr, nullptr, nullptr, 0, &matrix, &error_), usage);
  EXPECT_EQ(roformer_label_tokens(nullptr, "a", 1, &labels, &error_), usage);
  EXPECT_EQ(roformer_label_tokens(model_, "a", 1, nullptr, &error_), usage);
  EXPECT_EQ(roformer_answer_question(nullptr, "a", 1, "b", 1, nullptr, &answer, &error_), usage);
  EXPECT_EQ(roformer_answer_question(model_, "a", 1, "b", 1, nullptr, nullptr, &error_), usage);
  EXPECT_EQ(roformer_choose(nullptr, "a", 1, hole, nullptr, 1, &probability, &error_), usage);
  EXPECT_EQ(roformer_choose(model_, "a", 1, hole, nullptr, 1, nullptr, &error_), usage);
  roformer_tokenizer_free(nullptr);
  roformer_text_free(nullptr);
  roformer_token_labels_free(nullptr);
  roformer_answer_free(nullptr);
  roformer_model_free(nullptr);
  roformer_tokens_free(nullptr);
  roformer_matrix_free(nullptr);
  roformer_masks_free(nullptr);
  roformer_trainer_free(nullptr);
}

TEST_F(CInterface, Trains) {
  roformer_trainer* trainer = nullptr;
  roformer_trainer_options options = ROFORMER_TRAINER_OPTIONS_INIT;
  options.hidden_size = 16;
  options.layers = 1;
  options.heads = 2;
  options.learning_rate = 0.01;
  options.max_length = 16;
  options.seed = 7;
  options.threads = 1;
  ASSERT_EQ(roformer_trainer_create((directory_ / "tokenizer").c_str(), &options, &trainer, &error_), ROFORMER_OK)
      << error_.message;
  const char* texts[] = {"iron sharpens iron", "pride goes before a fall"};
  double first = 0, last = 0;
  ASSERT_EQ(roformer_trainer_step(trainer, texts, nullptr, 2, &first, &error_), ROFORMER_OK);
  EXPECT_NEAR(first, std::log(28), 0.5);
  for (int i = 0; i < 60; ++i) roformer_trainer_step(trainer, texts, nullptr, 2, &last, nullptr);
  EXPECT_LT(last, first - 0.5);
  EXPECT_EQ(roformer_trainer_step(trainer, texts, nullptr, 0, nullptr, &error_), ROFORMER_DATA_ERROR);
  ASSERT_EQ(roformer_trainer_save(trainer, (directory_ / "trained").c_str(), &error_), ROFORMER_OK);
  roformer_trainer_free(trainer);
  ASSERT_EQ(roformer_trainer_open((directory_ / "trained").c_str(), &options, &trainer, &error_), ROFORMER_OK);
  roformer_trainer_free(trainer);
}

TEST_F(CInterface, OptionsGrow) {
  // A program that was compiled before dtype came: its struct ends there, whatever lies behind it.
  roformer_model_options options = ROFORMER_MODEL_OPTIONS_INIT;
  options.threads = 1;
  options.dtype = "no such";
  options.struct_size = offsetof(roformer_model_options, dtype);
  roformer_model* model = nullptr;
  ASSERT_EQ(roformer_model_open(path_.c_str(), &options, &model, &error_), ROFORMER_OK) << error_.message;
  roformer_model_free(model);

  // A program that was compiled against a later library: fine while it leaves the new fields alone.
  struct {
    roformer_model_options known = ROFORMER_MODEL_OPTIONS_INIT;
    int64_t later = 0;
  } longer;
  longer.known.struct_size = sizeof longer;
  ASSERT_EQ(roformer_model_open(path_.c_str(), &longer.known, &model, &error_), ROFORMER_OK) << error_.message;
  roformer_model_free(model);
  longer.later = 1;
  model = nullptr;
  EXPECT_EQ(roformer_model_open(path_.c_str(), &longer.known, &model, &error_), ROFORMER_USAGE_ERROR);
  EXPECT_THAT(error_.message, HasSubstr("newer"));

  for (const size_t wrong : {size_t{0}, sizeof(size_t), offsetof(roformer_model_options, dtype) - 1, SIZE_MAX}) {
    options.struct_size = wrong;
    EXPECT_EQ(roformer_model_open(path_.c_str(), &options, &model, &error_), ROFORMER_USAGE_ERROR) << wrong;
    EXPECT_STREQ(roformer_last_error(ROFORMER_ERROR_FIELD), "struct_size");
  }
  roformer_trainer_options trainer_options{};
  roformer_trainer* trainer = nullptr;
  EXPECT_EQ(roformer_trainer_open(path_.c_str(), &trainer_options, &trainer, &error_), ROFORMER_USAGE_ERROR);
}

TEST_F(CInterface, TakesADtype) {
  roformer_model_options options = ROFORMER_MODEL_OPTIONS_INIT;
  options.dtype = "bfloat16";
  roformer_model* rounded = nullptr;
  ASSERT_EQ(roformer_model_open(path_.c_str(), &options, &rounded, &error_), ROFORMER_OK) << error_.message;
  roformer_matrix* matrix = nullptr;
  ASSERT_EQ(roformer_encode(rounded, "iron", ROFORMER_NUL_TERMINATED, &matrix, &error_), ROFORMER_OK);
  EXPECT_EQ(std::vector<float>(matrix->values, matrix->values + 96),
            TextModel::open(path_, {.dtype = "bfloat16"}).encode("iron").values);
  roformer_matrix_free(matrix);
  roformer_model_free(rounded);
  options.dtype = "int4";
  EXPECT_EQ(roformer_model_open(path_.c_str(), &options, &rounded, &error_), ROFORMER_USAGE_ERROR);
  EXPECT_THAT(error_.message, HasSubstr("int4"));
}

TEST_F(CInterface, SaysWhatAnErrorIsAbout) {
  roformer_matrix* matrix = nullptr;
  EXPECT_EQ(roformer_encode(model_, nullptr, 1, &matrix, nullptr), ROFORMER_USAGE_ERROR);
  EXPECT_STREQ(roformer_last_error(ROFORMER_ERROR_FIELD), "text");
  EXPECT_STREQ(roformer_last_error(ROFORMER_ERROR_PATH), "");
  const std::string config = path_ + "/config.json";
  write_text(config, "{\n  \"hidden_size\" 32}");
  roformer_model* other = nullptr;
  EXPECT_EQ(roformer_model_open(path_.c_str(), nullptr, &other, nullptr), ROFORMER_DATA_ERROR);
  EXPECT_EQ(roformer_last_error(ROFORMER_ERROR_PATH), config);
  EXPECT_STREQ(roformer_last_error(ROFORMER_ERROR_LINE), "2");
  EXPECT_STREQ(roformer_last_error(ROFORMER_ERROR_FIELD), "");
  EXPECT_STREQ(roformer_last_error(static_cast<roformer_error_detail>(17)), "");
  ASSERT_EQ(roformer_encode(model_, "iron", ROFORMER_NUL_TERMINATED, &matrix, nullptr), ROFORMER_OK);
  EXPECT_STREQ(roformer_last_error(ROFORMER_ERROR_LINE), "");
  roformer_matrix_free(matrix);
}

TEST_F(CInterface, Stops) {
  roformer_stop* stop = roformer_stop_new();
  roformer_model_options options = ROFORMER_MODEL_OPTIONS_INIT;
  options.stop = stop;
  roformer_trainer_options training = ROFORMER_TRAINER_OPTIONS_INIT;
  training.stop = stop;
  roformer_model* model = nullptr;
  roformer_trainer* trainer = nullptr;
  ASSERT_EQ(roformer_model_open(path_.c_str(), &options, &model, &error_), ROFORMER_OK) << error_.message;
  ASSERT_EQ(roformer_trainer_open(path_.c_str(), &training, &trainer, &error_), ROFORMER_OK) << error_.message;
  const char* texts[] = {"iron sharpens iron"};
  roformer_matrix* matrix = nullptr;
  roformer_stop_request(stop);
  EXPECT_EQ(roformer_encode(model, "iron", ROFORMER_NUL_TERMINATED, &matrix, &error_), ROFORMER_INTERRUPTED);
  EXPECT_EQ(roformer_trainer_step(trainer, texts, nullptr, 1, nullptr, &error_), ROFORMER_INTERRUPTED);
  roformer_stop_reset(stop);
  roformer_stop_free(stop);  // what was opened with it goes on
  ASSERT_EQ(roformer_encode(model, "iron", ROFORMER_NUL_TERMINATED, &matrix, &error_), ROFORMER_OK);
  roformer_matrix_free(matrix);
  EXPECT_EQ(roformer_trainer_step(trainer, texts, nullptr, 1, nullptr, &error_), ROFORMER_OK);
  roformer_trainer_free(trainer);
  roformer_model_free(model);
  roformer_stop_request(nullptr);
  roformer_stop_reset(nullptr);
  roformer_stop_free(nullptr);
}

TEST(Version, IsOne) { EXPECT_STREQ(roformer_version(), ROFORMER_VERSION); }

}  // namespace
}  // namespace roformer
