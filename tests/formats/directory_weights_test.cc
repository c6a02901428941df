#include "formats/directory_weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "formats/safetensors.h"
#include "tests/base/error_detail.h"
#include "tests/base/temp_directory.h"

namespace roformer {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::ThrowsMessage;

Tensor numbers(Shape shape, float first) {
  Tensor tensor = Tensor::allocate(shape, DType::float32);
  for (int64_t i = 0; i < tensor.elements(); ++i) tensor.data<float>()[i] = first + static_cast<float>(i);
  return tensor;
}

std::string error_of(const std::string& path) {
  try {
    load_directory_weights(path);
  } catch (const Error& error) {
    return error.what();
  }
  return "none";
}

std::vector<std::string> names_of(const StateDict& weights) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : weights) names.push_back(name);
  return names;
}

class DirectoryWeightsTest : public ::testing::Test {
 protected:
  void shard(const std::string& name, const std::vector<std::string>& tensors) const {
    std::vector<std::pair<std::string, Tensor>> content;
    for (const std::string& tensor : tensors) content.emplace_back(tensor, numbers({2, 3}, tensor[0]));
    write_safetensors(directory_ / name, content);
  }
  // The message of the error of loading the directory.
  ErrorDetail detail() const {
    return detail_of<Error>([&] { load_directory_weights(directory_.path()); });
  }
  void index(const std::string& weight_map, const std::string& more = "") const {
    write_file_atomically(directory_ / "model.safetensors.index.json", "{\"weight_map\": " + weight_map + more + "}");
  }
  TempDirectory directory_;
};

TEST_F(DirectoryWeightsTest, OneFileIsPreferredAndItsTensorsAreNotCopied) {
  shard("model.safetensors", {"a"});
  index(R"({"b": "no such shard"})");
  const DirectoryWeights weights = load_directory_weights(directory_.path());
  EXPECT_EQ(weights.source, directory_ / "model.safetensors");
  EXPECT_THAT(names_of(weights.tensors), ElementsAre("a"));
  const WeightFiles files(directory_.path());
  EXPECT_FALSE(files.sharded());
  EXPECT_TRUE(files.contains("a"));
  EXPECT_FALSE(files.contains("b"));
  EXPECT_EQ(files.load().at("a").raw(), files.load().at("a").raw());  // views of one map
}

TEST_F(DirectoryWeightsTest, ShardsBecomeOne) {
  shard("model-00001-of-00002.safetensors", {"b", "a", "skipped"});
  shard("model-00002-of-00002.safetensors", {"c", "unlisted"});
  index(R"({"a": "model-00001-of-00002.safetensors", "b": "model-00001-of-00002.safetensors",
            "c": "model-00002-of-00002.safetensors"})",
        R"(, "metadata": {"total_size": 7})");  // ignored
  const DirectoryWeights weights = load_directory_weights(directory_.path(), {"skip*"});
  EXPECT_EQ(weights.source, directory_ / "model.safetensors.index.json");
  EXPECT_THAT(names_of(weights.tensors), ElementsAre("a", "b", "c", "unlisted"));
  EXPECT_EQ(weights.tensors.at("c").data<float>()[5], 'c' + 5.0f);
  const WeightFiles files(directory_ / "model.safetensors.index.json");
  ASSERT_EQ(files.tensors().size(), 5u);
  EXPECT_TRUE(files.sharded());
  EXPECT_THAT(files.tensors()[3].file->path(), HasSubstr("00002-of"));
  EXPECT_THAT(files.tensors()[3].info.shape, ElementsAre(2, 3));
}

TEST_F(DirectoryWeightsTest, ABadIndexIsRefusedWithItsReason) {
  shard("one", {"a"});
  std::filesystem::rename(directory_ / "one", directory_ / "one.safetensors");
  shard("two.safetensors", {"a", "b"});
  for (const char* name : {"../outside.safetensors", "/etc/passwd", "sub/x.safetensors", "..", ".", "", "a\\u0000"}) {
    index(std::string(R"({"a": ")") + name + "\"}");
    EXPECT_THAT(error_of(directory_.path()), HasSubstr("expected the name of a file beside the index")) << name;
    EXPECT_EQ(detail().tensor, "a") << name;
  }
  struct Case {
    std::string map, reason, tensor, key;
  };
  const std::vector<Case> cases = {
      {R"({"a": 1})", R"(is in 1, expected the name of a file)", "a", ""},
      {R"({"a": "three.safetensors"})", R"(the shard "three.safetensors" does not exist)", "", ""},
      {R"({"b": "one.safetensors"})", R"(is not in the shard "one.safetensors")", "b", ""},
      {R"({"a": "one.safetensors", "b": "two.safetensors"})", "is in '", "a", ""},
      {"{}", "names no tensor", "", "weight_map"},
      {"[]", "is [], expected an object", "", "weight_map"}};
  for (const Case& bad : cases) {
    index(bad.map);
    EXPECT_THAT(error_of(directory_.path()), HasSubstr(bad.reason));
    EXPECT_EQ(detail().path, directory_ / "model.safetensors.index.json") << bad.reason;
    EXPECT_EQ(detail().tensor, bad.tensor) << bad.reason;
    EXPECT_EQ(detail().key, bad.key) << bad.reason;
  }
}

TEST_F(DirectoryWeightsTest, NoWeightsSaysWhatWasLookedFor) {
  EXPECT_THAT(error_of(directory_.path()),
              AllOf(HasSubstr("expected model.safetensors, model.safetensors.index.json, pytorch_model.bin or "
                              "pytorch_model.bin.index.json"),
                    Not(HasSubstr("supported"))));
  write_file_atomically(directory_ / "bert_model.ckpt.index", "x");
  EXPECT_THAT(error_of(directory_.path()),
              HasSubstr("; TensorFlow files are not supported yet: \"bert_model.ckpt.index\""));
  EXPECT_THAT(error_of(directory_ / "nowhere"), HasSubstr("is not a model directory"));
  EXPECT_EQ(detail().path, directory_.path());
  EXPECT_EQ(detail_of<FileError>([&] { load_directory_weights(directory_ / "nowhere"); }).path, directory_ / "nowhere");
}

TEST_F(DirectoryWeightsTest, ANameOfTheHubIsToldHowToBeDownloaded) {
  const auto opening = [] { model_directory("junnyu/roformer_chinese_base"); };
  EXPECT_THAT(opening, ThrowsMessage<FileError>(AllOf(
                           HasSubstr("'junnyu/roformer_chinese_base' is not a model directory"),
                           EndsWith("hf download junnyu/roformer_chinese_base --local-dir roformer_chinese_base"))));
  EXPECT_EQ(detail_of<FileError>(opening).path, "junnyu/roformer_chinese_base");
}

TEST_F(DirectoryWeightsTest, AnLfsPointerIsNamed) {
  write_file_atomically(directory_ / "model.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n");
  EXPECT_THAT(error_of(directory_.path()), HasSubstr("git lfs pull"));
  EXPECT_EQ(detail().path, directory_ / "model.safetensors");
}

}  // namespace
}  // namespace roformer
