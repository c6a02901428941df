// The C++ interface, linked as by a user: against libroformer.so and nothing else of ours.
#include "roformer/text_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "roformer/version.h"
#include "tests/base/error_detail.h"
#include "tests/library/model_directories.h"

namespace roformer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class TextModels : public testing::Test {
 protected:
  TempDirectory directory_;
  std::string path_ = make_model(directory_, 3);
  TextModel model_ = TextModel::open(path_, {.threads = 2});
};

std::string message_of(const std::function<void()>& work, ErrorKind kind) {
  try {
    work();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no roformer::Error";
  return "";
}

TEST_F(TextModels, TokenizesPairsAndDecodes) {
  const TokenizedText text = model_.tokenize("a [MASK] Son", {.pair = "zzz"});
  EXPECT_THAT(text.tokens, ElementsAre("[CLS]", "a", "[MASK]", "son", "[SEP]", "[UNK]", "[SEP]"));
  EXPECT_THAT(text.ids, ElementsAre(2, 5, 4, 7, 3, 1, 3));
  EXPECT_THAT(text.segment_ids, ElementsAre(0, 0, 0, 0, 0, 1, 1));
  EXPECT_EQ(text.offsets[3], (std::array<int64_t, 2>{9, 12}));
  const TextTokenizer tokenizer = TextTokenizer::open(path_);
  EXPECT_EQ(tokenizer.decode(text.ids), "a son");
  EXPECT_EQ(tokenizer.mask_token(), "[MASK]");
  EXPECT_EQ(tokenizer.token(7), "son");
  EXPECT_EQ(tokenizer.id("son"), 7);
  EXPECT_EQ(tokenizer.vocabulary_size(), 28);
  EXPECT_EQ(tokenizer.tokenize("a a a a", {.max_length = 4}).ids.size(), 4u);
}

TEST_F(TextModels, PackedTextsAreAsTheyAreAlone) {
  const std::vector<std::string> texts = {"a wise son", "", "iron sharpens iron iron sharpens iron", "[MASK]"};
  for (const int64_t budget : {1, 7, 10000}) {
    const TextModel model = TextModel::open(path_, {.threads = 2, .max_batch_tokens = budget});
    const auto together = model.encode(texts);
    ASSERT_EQ(together.texts(), texts.size());
    for (size_t i = 0; i < texts.size(); ++i) {
      const Matrix alone = model.encode(texts[i]);
      const MatrixView mine = together.of(i);
      ASSERT_EQ(mine.rows, std::ssize(model.tokenize(texts[i]).ids));
      ASSERT_EQ(mine.columns, 32);
      ASSERT_EQ(mine.rows, alone.rows);
      for (size_t j = 0; j < alone.values.size(); ++j) EXPECT_NEAR(mine.values[j], alone.values[j], 2e-6);
    }
  }
}

TEST_F(TextModels, EncodesTokensOfTheCallersOwn) {
  const TokenizedText pair = model_.tokenize("a wise son", {.pair = "iron"});
  const Matrix states = model_.encode(pair);
  EXPECT_EQ(states.rows, 7);
  EXPECT_EQ(states.row(6).size(), 32u);
  TokenizedText flat = pair;
  flat.segment_ids.clear();
  EXPECT_NE(model_.encode(flat).values, states.values);
  flat.ids[1] = 99;
  EXPECT_THAT(message_of([&] { model_.encode(flat); }, ErrorKind::data), HasSubstr("99"));
  EXPECT_EQ(model_.encode(TokenizedText()).rows, 0);
}

TEST_F(TextModels, PoolsHiddenStates) {
  const Matrix states = model_.encode("a glad father");
  const auto cls = model_.embed("a glad father", {.pooling = EmbeddingPooling::cls});
  EXPECT_EQ(cls.tokens, 5);
  EXPECT_EQ(cls.values, std::vector<float>(states.row(0).begin(), states.row(0).end()));
  const auto mean = model_.embed("a glad father").values;
  const auto max = model_.embed("a glad father", {.pooling = EmbeddingPooling::max}).values;
  EXPECT_THROW(model_.embed("a glad father", {.pooling = EmbeddingPooling::pooler}), Error);  // it has none
  for (size_t c = 0; c < mean.size(); ++c) {
    double sum = 0;
    float largest = -1e9f;
    for (int64_t t = 0; t < states.rows; ++t) {
      sum += states.row(t)[c];
      largest = std::max(largest, states.row(t)[c]);
    }
    EXPECT_NEAR(mean[c], sum / 5, 1e-6);
    EXPECT_EQ(max[c], largest);
  }
  double length = 0;
  for (const float x : model_.embed("a glad father", {.normalize = true}).values) length += double{x} * x;
  EXPECT_NEAR(length, 1, 1e-6);
}

TEST_F(TextModels, CutsLongTextsOnRequest) {
  const TextModel model = TextModel::open(path_, {.threads = 1, .max_length = 4});
  EXPECT_EQ(model.encode("iron iron iron iron").rows, 4);
  EXPECT_EQ(model.embed("iron iron iron iron").tokens, 4);
  EXPECT_EQ(model.fill_mask("iron iron iron iron [MASK]", 1).size(), 1u);
}

TEST_F(TextModels, FillsMasks) {
  const std::vector<std::string> texts = {"a [MASK] [MASK]", "[MASK] sharpens iron"};
  const auto filled = model_.fill_mask(texts, 3);
  ASSERT_EQ(filled.size(), 2u);
  EXPECT_EQ(filled[0].size(), 2u);
  ASSERT_EQ(filled[1].size(), 1u);
  const auto alone = model_.fill_mask(texts[1], 1000)[0];
  EXPECT_EQ(alone.size(), 28u);
  double sum = 0;
  for (const MaskCandidate& candidate : alone) sum += candidate.score;
  EXPECT_NEAR(sum, 1, 1e-6);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(filled[1][0][i].id, alone[i].id);
    EXPECT_EQ(filled[1][0][i].token, model_.tokenizer().token(alone[i].id));
    EXPECT_NEAR(filled[1][0][i].score, alone[i].score, 1e-6);
  }
}

TEST_F(TextModels, ErrorsSayWhatAndWhere) {
  message_of([&] { TextModel::open(directory_ / "none"); }, ErrorKind::file);
  message_of([&] { TextTokenizer::open(directory_ / "none"); }, ErrorKind::file);
  EXPECT_THAT(message_of([&] { TextModel::open(path_, {.device = "tpu"}); }, ErrorKind::usage), HasSubstr("tpu"));
  EXPECT_THAT(message_of([&] { TextModel::open(path_, {.threads = -1}); }, ErrorKind::usage), HasSubstr("-1"));
  message_of([&] { TextModel::open(path_, {.max_length = 1}); }, ErrorKind::usage);
  message_of([&] { TextModel::open(path_, {.max_batch_tokens = 0}); }, ErrorKind::usage);
  message_of([&] { model_.fill_mask("[MASK]", 0); }, ErrorKind::usage);
  EXPECT_THAT(message_of([&] { model_.fill_mask("iron"); }, ErrorKind::data), HasSubstr("[MASK]"));
  const std::vector<std::string> texts = {"iron", "\xff"};
  EXPECT_THAT(message_of([&] { model_.encode(texts); }, ErrorKind::data), HasSubstr("text 2"));
  EXPECT_THAT(message_of([&] { model_.tokenizer().token(28); }, ErrorKind::data), HasSubstr("28"));
}

TEST_F(TextModels, ATokenizerThatKnowsMoreThanTheModel) {
  std::filesystem::remove(path_ + "/tokenizer.json");
  std::ofstream(path_ + "/vocab.txt", std::ios::app) << "extra\n";
  const TextModel more = TextModel::open(path_);
  EXPECT_THAT(more.warnings(), ElementsAre(HasSubstr("the tokenizer has 29 tokens")));
  EXPECT_EQ(more.encode("son").rows, model_.encode("son").rows);
  EXPECT_THAT(message_of([&] { more.embed("extra"); }, ErrorKind::data), HasSubstr("\"extra\""));
}

TEST_F(TextModels, TellsWhatItIs) {
  EXPECT_EQ(model_.hidden_size(), 32);
  EXPECT_TRUE(model_.fills_masks());
  EXPECT_TRUE(model_.ignored_settings().empty());
  EXPECT_TRUE(model_.warnings().empty());
  int64_t size = 0;
  for (const auto& file : std::filesystem::directory_iterator(path_)) {
    if (file.path().filename() == "model.safetensors") size = static_cast<int64_t>(file.file_size());
  }
  EXPECT_GT(size, model_.parameters() * 4);
  EXPECT_LT(size, model_.parameters() * 4 + 65536);  // with the table of positions that transformers expects
  EXPECT_STREQ(version(), ROFORMER_VERSION);
}

TEST_F(TextModels, TheReferenceAgrees) {
  const TextModel reference = TextModel::open(path_, {.threads = 1, .device = "reference"});
  const Matrix expected = reference.encode("a soft answer"), found = model_.encode("a soft answer");
  for (size_t i = 0; i < expected.values.size(); ++i) EXPECT_NEAR(found.values[i], expected.values[i], 1e-5);
}

TEST_F(TextModels, ComputeInTheDtypeAskedFor) {
  const Matrix exact = model_.encode("a wise son");
  for (const char* dtype : {"bfloat16", "int8"}) {
    const Matrix rounded = TextModel::open(path_, {.dtype = dtype}).encode("a wise son");
    double largest = 0;
    for (size_t i = 0; i < exact.values.size(); ++i) {
      largest = std::max(largest, std::abs(double{rounded.values[i]} - exact.values[i]));
    }
    EXPECT_GT(largest, 0) << dtype;
    EXPECT_LT(largest, 0.2) << dtype;
  }
  EXPECT_THAT(message_of([&] { TextModel::open(path_, {.dtype = "int4"}); }, ErrorKind::usage), HasSubstr("int4"));
  EXPECT_THAT(message_of([&] { TextModel::open(path_, {.device = "reference", .dtype = "int8"}); }, ErrorKind::usage),
              HasSubstr("float32"));
}

TEST_F(TextModels, ErrorsSayWhatTheyAreAbout) {
  EXPECT_EQ(detail_of([&] { TextModel::open(path_, {.threads = -1}); }).field, "threads");
  EXPECT_EQ(detail_of([&] { TextModel::open(path_, {.device = "tpu"}); }).field, "device");
  EXPECT_EQ(detail_of([&] { TextModel::open(path_, {.dtype = "int4"}); }).field, "dtype");
  EXPECT_EQ(detail_of([&] { TextModel::open(path_, {.device = "reference", .dtype = "int8"}); }).field, "dtype");
  EXPECT_EQ(detail_of([&] { model_.fill_mask("[MASK]", 0); }).field, "top_k");
  EXPECT_EQ(detail_of([&] { model_.tokenize("a", {.max_length = 1}); }).field, "max_length");
  EXPECT_EQ(detail_of([&] { TextModel::open(directory_ / "none"); }).path, directory_ / "none");
  EXPECT_EQ(detail_of([&] { TextTokenizer::open(directory_ / "none"); }).path, directory_ / "none");
  std::ostringstream config;
  config << std::ifstream(path_ + "/config.json").rdbuf();
  const std::string right = R"("hidden_size": 32)";
  ASSERT_NE(config.str().find(right), std::string::npos);
  write_text(path_ + "/config.json",
             config.str().replace(config.str().find(right), right.size(), R"("hidden_size": "wide")"));
  const ErrorDetail detail = detail_of([&] { TextModel::open(path_); });
  EXPECT_EQ(detail.key, "hidden_size");
  EXPECT_EQ(detail.path, path_ + "/config.json");
  std::filesystem::remove(path_ + "/tokenizer.json");
  write_text(path_ + "/vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n\xff\n");
  EXPECT_EQ(detail_of([&] { TextTokenizer::open(path_); }).line, 7);
}

TEST_F(TextModels, StopWhenTheyAreAsked) {
  std::stop_source stop;
  std::vector<std::string> texts(200'000, "a merry heart does good like a medicine");
  std::thread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    stop.request_stop();
  });
  EXPECT_THAT(message_of([&] { model_.embed(texts, {}, stop.get_token()); }, ErrorKind::interrupted),
              HasSubstr("stopped on request"));
  later.join();
  const std::stop_token token = stop.get_token();
  message_of([&] { model_.encode("a", token); }, ErrorKind::interrupted);
  message_of([&] { model_.encode(model_.tokenize("a"), token); }, ErrorKind::interrupted);
  message_of([&] { model_.embed("a", {}, token); }, ErrorKind::interrupted);
  message_of([&] { model_.fill_mask("[MASK]", 1, token); }, ErrorKind::interrupted);
  EXPECT_EQ(model_.encode("a").rows, 3);
}

}  // namespace
}  // namespace roformer
