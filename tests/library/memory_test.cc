// Models and tokenizers from memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "roformer/roformer.h"
#include "roformer/text_model.h"
#include "tests/base/error_detail.h"
#include "tests/library/model_directories.h"

namespace roformer {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::ThrowsMessage;

MemoryFiles views(const std::map<std::string, std::string>& contents) { return {contents.begin(), contents.end()}; }

TEST(Memory, HoldsWhatADirectoryHolds) {
  const TempDirectory directory;
  const std::string path = make_model(directory, 3);
  std::filesystem::create_directories(path + "/1_Pooling");
  write_text(path + "/modules.json", R"([{"path": "", "type": "sentence_transformers.models.Transformer"},
      {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}])");
  write_text(path + "/1_Pooling/config.json", R"({"pooling_mode_cls_token": true})");
  const TextModel expected = TextModel::open(path);
  const auto contents = contents_of(path);
  const TextModel model = TextModel::open_memory(views(contents));
  std::filesystem::remove_all(path);
  EXPECT_EQ(model.encode("a wise son").values, expected.encode("a wise son").values);
  EXPECT_EQ(model.embed("a wise son").values, expected.embed("a wise son").values);
  EXPECT_EQ(model.embed("a wise son").values, model.embed("a wise son", {.pooling = EmbeddingPooling::cls}).values);
  EXPECT_EQ(model.fill_mask("[MASK]")[0][0].id, expected.fill_mask("[MASK]")[0][0].id);
}

TEST(Memory, NeedsNoAlignment) {
  const TempDirectory directory;
  const std::string path = make_model(directory, 1);
  const auto contents = contents_of(path);
  const auto expected = TextModel::open(path).encode("a wise son").values;
  for (size_t shift = 0; shift < 9; ++shift) {
    const std::string shifted = std::string(shift, ' ') + contents.at("model.safetensors");
    MemoryFiles files = views(contents);
    files["model.safetensors"] = std::string_view(shifted).substr(shift);
    EXPECT_EQ(TextModel::open_memory(files).encode("a wise son").values, expected) << shift;
  }
}

TEST(Memory, AlsoOfAModelThatGenerates) {
  const TempDirectory directory;
  const std::string path = make_family(directory, "roformer_causal_lm");
  const auto contents = contents_of(path);
  const TextModel model = TextModel::open_memory(views(contents));
  EXPECT_EQ(model.generate("a wise", {.max_new_tokens = 5}).ids,
            TextModel::open(path).generate("a wise", {.max_new_tokens = 5}).ids);
}

TEST(Memory, HoldsTokenizers) {
  const TempDirectory directory;
  auto contents = contents_of(make_tokenizer(directory));
  const TextTokenizer tokenizer = TextTokenizer::open_memory(views(contents));
  contents.clear();  // not needed any more
  EXPECT_EQ(tokenizer.tokenize("a wise son").ids, (std::vector<int32_t>{2, 5, 6, 7, 3}));
}

TEST(Memory, ErrorsNameTheFile) {
  const TempDirectory directory;
  auto contents = contents_of(make_model(directory));
  contents["config.json"] = "{";
  const ErrorDetail malformed = detail_of([&] { TextModel::open_memory(views(contents)); });
  EXPECT_THAT(malformed.path, EndsWith("/config.json"));
  contents.erase("config.json");
  EXPECT_THAT(detail_of([&] { TextModel::open_memory(views(contents)); }).path, EndsWith("/config.json"));
  EXPECT_EQ(detail_of([&] { TextModel::open_memory({}); }).field, "files");
  EXPECT_EQ(detail_of([&] { TextModel::open_memory({{"/etc/passwd", ""}}); }).field, "files");
  EXPECT_THROW(TextTokenizer::open_memory({{"readme", "x"}}), Error);
}

TEST(Memory, IsThereForC) {
  const TempDirectory directory;
  const std::string path = make_model(directory, 2);
  const auto contents = contents_of(path);
  std::vector<roformer_file> files;
  for (const auto& [name, content] : contents) files.push_back({name.c_str(), content.data(), content.size()});
  roformer_model* model = nullptr;
  roformer_error error{};
  ASSERT_EQ(roformer_model_open_memory(files.data(), files.size(), nullptr, &model, &error), ROFORMER_OK)
      << error.message;
  roformer_matrix* matrix = nullptr;
  ASSERT_EQ(roformer_encode(model, "iron", ROFORMER_NUL_TERMINATED, &matrix, &error), ROFORMER_OK);
  EXPECT_EQ(std::vector<float>(matrix->values, matrix->values + matrix->rows * matrix->columns),
            TextModel::open(path).encode("iron").values);
  roformer_matrix_free(matrix);
  roformer_model_free(model);
  roformer_tokenizer* tokenizer = nullptr;
  ASSERT_EQ(roformer_tokenizer_open_memory(files.data(), files.size(), &tokenizer, &error), ROFORMER_OK);
  EXPECT_EQ(roformer_tokenizer_size(tokenizer), 28);
  roformer_tokenizer_free(tokenizer);
  EXPECT_EQ(roformer_model_open_memory(nullptr, 1, nullptr, &model, &error), ROFORMER_USAGE_ERROR);
  EXPECT_EQ(roformer_model_open_memory(nullptr, 0, nullptr, &model, &error), ROFORMER_USAGE_ERROR);
  EXPECT_EQ(roformer_model_open_memory(files.data(), files.size(), nullptr, nullptr, &error), ROFORMER_USAGE_ERROR);
  files.push_back(files[0]);
  EXPECT_EQ(roformer_model_open_memory(files.data(), files.size(), nullptr, &model, &error), ROFORMER_USAGE_ERROR);
  EXPECT_STREQ(roformer_last_error(ROFORMER_ERROR_FIELD), "files");
  files.back() = {nullptr, "", 0};
  EXPECT_EQ(roformer_tokenizer_open_memory(files.data(), files.size(), &tokenizer, &error), ROFORMER_USAGE_ERROR);
  files.back() = {"more", nullptr, 3};
  EXPECT_EQ(roformer_tokenizer_open_memory(files.data(), files.size(), &tokenizer, &error), ROFORMER_USAGE_ERROR);
}

}  // namespace
}  // namespace roformer
