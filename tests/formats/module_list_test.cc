#include "formats/module_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "formats/directory_weights.h"
#include "tests/base/temp_directory.h"

namespace roformer {
namespace {

class ModuleLists : public testing::Test {
 protected:
  void put(const std::string& list) { write_file_atomically(directory_ / "modules.json", list); }
  std::string path() const { return directory_ / ""; }

  TempDirectory directory_;
};

TEST_F(ModuleLists, NameClassesAndFolders) {
  EXPECT_EQ(read_module_list(path()), std::nullopt);
  put(R"([{"idx": 0, "path": "", "type": "sentence_transformers.base.modules.transformer.Transformer"},
          {"path": "a/1_Pooling", "type": "sentence_transformers.models.Pooling"},
          {"type": "Normalize"}, {"path": ".", "type": "custom_st.Transformer"}])");
  const auto list = read_module_list(path());
  ASSERT_EQ(list->size(), 4u);
  EXPECT_TRUE(list->at(0).is_transformer());
  EXPECT_EQ(list->at(0).folder, "");
  EXPECT_EQ(list->at(1).class_name(), "Pooling");
  EXPECT_EQ(list->at(1).folder, "a/1_Pooling");
  EXPECT_EQ(list->at(2).class_name(), "Normalize");
  EXPECT_EQ(list->at(3).class_name(), "");  // may do anything
  EXPECT_FALSE(list->at(3).is_transformer());
  EXPECT_EQ(list->at(3).folder, "");
}

// The folder of the transformer is the model directory.
TEST_F(ModuleLists, SayWhereTheModelIs) {
  EXPECT_EQ(model_directory(path()), path());
  put(R"([{"path": "0_BERT", "type": "sentence_transformers.models.BERT"}])");
  EXPECT_THAT([&] { model_directory(path()); }, testing::ThrowsMessage<FileError>(testing::HasSubstr("0_BERT")));
  make_directories(directory_ / "0_BERT");
  EXPECT_EQ(model_directory(path()), join_path(path(), "0_BERT"));
  EXPECT_THAT([&] { WeightFiles{path()}; }, testing::ThrowsMessage<FileError>(testing::HasSubstr("0_BERT' holds no")));
  for (const char* other : {"[]", R"([{"path": "x", "type": "custom_st.Transformer"}])",
                            R"([{"path": "", "type": "sentence_transformers.models.Transformer"}])"}) {
    put(other);
    EXPECT_EQ(model_directory(path()), path()) << other;
  }
}

}  // namespace
}  // namespace roformer
