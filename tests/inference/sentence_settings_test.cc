#include "inference/sentence_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "tests/base/error_detail.h"
#include "tests/base/temp_directory.h"
#include "tests/inference/head_models.h"

namespace roformer {
namespace {

using testing::HasSubstr;

class SentenceDirectory : public testing::Test {
 protected:
  void put(const std::string& name, const std::string& content) {
    const std::string path = directory_ / name;
    make_directories(parent_directory(path));
    write_file_atomically(path, content);
  }
  void put_modules(const std::string& pooling_path = "1_Pooling") {
    put("modules.json", R"([{"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"},
                            {"idx": 1, "path": ")" +
                            pooling_path + R"(", "type": "sentence_transformers.models.Pooling"},
                            {"idx": 2, "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}])");
  }
  SentenceSettings read() { return read_sentence_settings(directory_ / ""); }
  std::string failure() {
    try {
      read();
    } catch (const DataError& error) {
      return error.what();
    }
    return "no error";
  }

  TempDirectory directory_;
};

TEST_F(SentenceDirectory, WithoutModulesSaysNothing) {
  const SentenceSettings settings = read();
  EXPECT_EQ(settings.pooling, std::nullopt);
  EXPECT_FALSE(settings.normalize);
  EXPECT_EQ(settings.max_length, std::nullopt);
  EXPECT_EQ(settings.unsupported, "");
}

TEST_F(SentenceDirectory, SaysPoolingNormalizationAndLength) {
  put_modules();
  put("sentence_bert_config.json", R"({"max_seq_length": 256, "do_lower_case": false})");
  const std::pair<const char*, TextPooling> cases[] = {
      {R"({"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false})", TextPooling::cls},
      {R"({"pooling_mode_mean_tokens": true, "word_embedding_dimension": 384})", TextPooling::mean},
      {R"({"pooling_mode_max_tokens": true})", TextPooling::max},
      {R"({"pooling_mode": "mean"})", TextPooling::mean}};
  for (const auto& [config, pooling] : cases) {
    put("1_Pooling/config.json", config);
    const SentenceSettings settings = read();
    EXPECT_EQ(settings.pooling, pooling) << config;
    EXPECT_TRUE(settings.normalize);
    EXPECT_EQ(settings.max_length, 256);
    EXPECT_EQ(settings.unsupported, "");
  }
}

TEST_F(SentenceDirectory, NamesWhatIsNotSupported) {
  put_modules();
  put("1_Pooling/config.json", R"({"pooling_mode_weightedmean_tokens": true})");
  EXPECT_THAT(read().unsupported, HasSubstr("pooling \"weightedmean\" is not supported"));
  put("1_Pooling/config.json", R"({"pooling_mode_cls_token": true, "pooling_mode_max_tokens": true})");
  EXPECT_THAT(read().unsupported, HasSubstr("2 kinds of pooling"));
  put("1_Pooling/config.json", "{}");
  EXPECT_THAT(read().unsupported, HasSubstr("0 kinds of pooling"));
  put("modules.json", R"([{"type": "sentence_transformers.models.Dense", "path": "2_Dense"}])");
  EXPECT_THAT(read().unsupported, HasSubstr("models.Dense\" is not supported"));
}

TEST_F(SentenceDirectory, RefusesFoldersElsewhere) {
  for (const char* path : {"../1_Pooling", "/etc", "a/b", "", "..", "a\\\\b", "a\\u0000b"}) {
    put_modules(path);
    EXPECT_THAT(failure(), HasSubstr("expected the name of a folder")) << path;
  }
}

TEST_F(SentenceDirectory, RefusesWhatIsNoSuchFile) {
  put("modules.json", "{}");
  EXPECT_THAT(failure(), HasSubstr("expected a list of modules"));
  put("modules.json", "[1]");
  EXPECT_THAT(failure(), HasSubstr("[0]"));
  put("modules.json", R"([{"type": 3}])");
  EXPECT_THAT(failure(), HasSubstr("'type' is 3"));
  put_modules();
  put("1_Pooling/config.json", R"({"pooling_mode_max_tokens": 1})");
  EXPECT_THAT(failure(), HasSubstr("'pooling_mode_max_tokens' is 1"));
  put("sentence_bert_config.json", R"({"max_seq_length": -5})");
  EXPECT_THAT(failure(), HasSubstr("'max_seq_length' is -5"));
}

TEST_F(SentenceDirectory, IsOverruledByTheCaller) {
  ThreadPool pool{1};
  const auto backend = make_reference_backend(pool);
  const Model model = random_model(*backend, 10, Head::none);
  const SentenceSettings settings{.pooling = TextPooling::max, .normalize = true, .max_length = 7, .unsupported = ""};
  const SentenceVectors own = sentence_vectors({}, settings, model);
  EXPECT_EQ(own.embed.pooling, TextPooling::max);
  EXPECT_TRUE(own.embed.normalize);
  EXPECT_EQ(own.max_length, 7);
  const SentenceVectors other =
      sentence_vectors({.pooling = TextPooling::cls, .normalize = false, .max_length = 0}, settings, model);
  EXPECT_EQ(other.embed.pooling, TextPooling::cls);
  EXPECT_FALSE(other.embed.normalize);
  EXPECT_EQ(other.max_length, 0);
  EXPECT_EQ(sentence_vectors({}, {}, model).embed.pooling, TextPooling::mean);

  SentenceSettings unsupported;
  unsupported.unsupported = "a module";
  EXPECT_EQ(detail_of<DataError>([&] { sentence_vectors({}, unsupported, model); }).field, "pooling");
  EXPECT_EQ(sentence_vectors({.pooling = TextPooling::mean, .normalize = {}, .max_length = {}}, unsupported, model)
                .embed.pooling,
            TextPooling::mean);
  EXPECT_EQ(detail_of<DataError>([&] {
              sentence_vectors({.pooling = TextPooling::pooler, .normalize = {}, .max_length = {}}, {}, model);
            }).field,
            "pooling");
}

}  // namespace
}  // namespace roformer
