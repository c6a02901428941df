#include "formats/llama2c_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "tests/base/error_detail.h"
#include "tests/base/temp_directory.h"
#include "tests/formats/llama2c_bytes.h"

namespace roformer::test {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class Llama2cFileTest : public ::testing::Test {
 protected:
  Llama2cFile read(const std::string& bytes) {
    write_file_atomically(directory_ / "model.bin", bytes);
    return read_llama2c(directory_ / "model.bin");
  }
  // A valid file of this version with one number changed.
  std::string with(int version, size_t at, int32_t number) {
    std::string bytes = llama2c_bytes({}, version);
    std::memcpy(bytes.data() + at, &number, sizeof number);
    return bytes;
  }
  void expect_refused(const std::string& bytes, const std::string& message) {
    EXPECT_THAT([&] { read(bytes); }, ThrowsMessage<DataError>(HasSubstr(message)));
    EXPECT_EQ(detail_of<DataError>([&] { read(bytes); }).path, directory_ / "model.bin") << message;
  }

  TempDirectory directory_;
};

TEST_F(Llama2cFileTest, EveryVersion) {
  for (const int version : {0, 1, 2}) {
    for (const bool shared : {true, false}) {
      SCOPED_TRACE(::testing::Message() << version << ", shared " << shared);
      const Llama2cFile file = read(llama2c_bytes({.shared = shared}, version));
      EXPECT_EQ(file.version, version);
      EXPECT_EQ(file.shared_classifier, shared);
      EXPECT_EQ(file.vocabulary, 11);
      EXPECT_EQ(file.kv_heads, 2);
      EXPECT_EQ(file.positions, 8);
      EXPECT_EQ(file.weights.size(), 2u + 2 * 9 + (shared ? 0 : 1));
      EXPECT_EQ(file.weights.at("layers.1.attention.wk.weight").shape(), (Shape{8, 16}));
      EXPECT_EQ(file.weights.at("layers.1.feed_forward.w2.weight").shape(), (Shape{16, 12}));
      EXPECT_EQ(file.weights.at("norm.weight").shape(), Shape{16});
      for (const auto& [name, tensor] : file.weights) {
        for (int64_t i = 0; i < tensor.elements(); ++i) {
          ASSERT_EQ(tensor.data<float>()[i], llama2c_element(name, i)) << name << ", " << i;
        }
      }
    }
  }
}

TEST_F(Llama2cFileTest, RefusesWhatIsCutOffOrTooLong) {
  for (const int version : {0, 1, 2}) {
    const std::string good = llama2c_bytes({}, version);
    for (const size_t size : {size_t{0}, size_t{3}, size_t{27}, size_t{40}, size_t{300}, good.size() - 1}) {
      EXPECT_EQ(detail_of<DataError>([&] { read(good.substr(0, size)); }).path, directory_ / "model.bin")
          << version << ", " << size;
    }
    expect_refused(good + "x", "its header describes a model of " + std::to_string(good.size()));
  }
}

TEST_F(Llama2cFileTest, RejectsInvalidDimensions) {
  const std::vector<std::pair<size_t, const char*>> numbers = {{0, "dim is"},         {4, "hidden_dim is"},
                                                               {8, "n_layers is"},    {12, "n_heads is"},
                                                               {16, "n_kv_heads is"}, {24, "seq_len is"}};
  for (const auto& [at, message] : numbers) {
    for (const int32_t number : {0, -1, INT32_MIN, INT32_MAX}) {
      expect_refused(with(0, at, number), message);
      expect_refused(with(1, at + 8, number), message);
    }
  }
  for (const int32_t number : {0, INT32_MIN, INT32_MAX}) expect_refused(with(0, 20, number), "vocab_size is");
  expect_refused(with(1, 28, -11), "vocab_size is");
  expect_refused(with(0, 12, 3), "give no even head size");
  expect_refused(with(0, 12, 16), "give no even head size");  // of one element
  expect_refused(with(0, 16, 3), "give no even head size");
  expect_refused(with(0, 8, 1000), "its header describes a model of");
  expect_refused(with(1, 4, 3), "its version is 3, expected 1 to 2");
  expect_refused(with(1, 36, 2), "the flag of a shared classifier is 2");
  expect_refused(with(2, 37, 0), "the group of int8 weights is 0");
  expect_refused(with(2, 37, 7), "are not a multiple of the group size 7");
  EXPECT_EQ(detail_of<DataError>([&] { read(with(2, 37, 7)); }).tensor, "tok_embeddings.weight");
}

}  // namespace
}  // namespace roformer::test
