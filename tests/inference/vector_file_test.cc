#include "inference/vector_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <vector>

#include "base/error.h"
#include "formats/safetensors.h"
#include "formats/state_dict.h"
#include "tests/base/temp_directory.h"

namespace roformer {
namespace {

const std::vector<std::vector<float>> kVectors = {{1, 2, 3}, {-0.5f, 0, 1e-30f}};

std::string written(const std::string& path, size_t count) {
  VectorFile file(path, 3);
  for (size_t i = 0; i < count; ++i) file.append(kVectors[i]);
  EXPECT_FALSE(std::filesystem::exists(path));
  file.commit();
  return read_file(path, 1 << 20);
}

TEST(VectorFile, IsWhatNumPyReads) {
  const TempDirectory directory;
  for (const size_t count : {size_t{0}, size_t{2}}) {
    const std::string content = written(directory / ("v" + std::to_string(count) + ".npy"), count);
    ASSERT_EQ(content.size(), 128 + count * 12);
    EXPECT_EQ(content.substr(0, 10), std::string("\x93NUMPY\x01\x00\x76\x00", 10));
    EXPECT_EQ(content[127], '\n');
    const std::string expected =
        "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(count) + ", 3), }";
    EXPECT_EQ(content.substr(10, expected.size()), expected);
    for (size_t i = 0; i < count; ++i) EXPECT_EQ(std::memcmp(&content[128 + 12 * i], kVectors[i].data(), 12), 0);
  }
}

TEST(VectorFile, IsASafetensorsFile) {
  const TempDirectory directory;
  for (const size_t count : {size_t{0}, size_t{2}}) {
    const std::string path = directory / ("v" + std::to_string(count) + ".safetensors");
    written(path, count);
    const StateDict tensors = load_state_dict(path);
    ASSERT_EQ(tensors.size(), 1u);
    const Tensor embeddings = tensors.at("embeddings");
    EXPECT_EQ(embeddings.rows(), static_cast<int64_t>(count));
    EXPECT_EQ(embeddings.columns(), 3);
    for (size_t i = 0; i < count; ++i) {
      EXPECT_EQ(std::memcmp(embeddings.row<float>(static_cast<int64_t>(i)), kVectors[i].data(), 12), 0);
    }
  }
}

// Two runs would write over each other.
TEST(VectorFile, HasOneWriter) {
  const TempDirectory directory;
  const std::string path = directory / "v.npy";
  const auto held = testing::ThrowsMessage<FileError>(testing::HasSubstr("another run is writing"));
  VectorFile first(path, 3, {}, 0);
  first.append(kVectors[0]);
  EXPECT_THAT([&] { VectorFile(path, 3, {}, 0); }, held);
  first.mark(VectorProgress());
  EXPECT_THAT([&] { VectorFile(path, 3, {}, 0); }, held);
  first.append(kVectors[1]);
  first.commit();
  EXPECT_EQ(read_file(path, 1 << 20).size(), 128u + 24);
  VectorFile(path, 3).commit();
}

TEST(VectorFile, AppearsWholeOrNotAtAll) {
  const TempDirectory directory;
  const std::string path = directory / "v.npy";
  {
    VectorFile file(path, 3);
    file.append(kVectors[0]);
  }
  EXPECT_TRUE(std::filesystem::is_empty(directory / ""));
}

VectorProgress after(int64_t items) {
  return {.items = items, .input = "hash", .malformed = 1, .first_malformed = {2}, .on_error = "skip"};
}

// A run that is killed at some moment is continued from its last progress file; the bytes are those of one run.
TEST(VectorFile, IsContinuedAfterACrash) {
  const TempDirectory directory;
  for (const char* name : {"v.npy", "v.safetensors"}) {
    const std::string path = directory / name, whole = written(directory / std::string("whole_") + name, 2);
    {
      VectorFile file(path, 3, {{"pooling", "cls"}}, 0);
      EXPECT_EQ(file.begun().items, 0);
      file.append(kVectors[0]);
      file.mark(after(5));
      file.append(kVectors[0]);  // not marked: computed again
      EXPECT_FALSE(std::filesystem::exists(path));
    }
    VectorFile file(path, 3, {{"pooling", "cls"}}, 0);
    EXPECT_EQ(file.begun().items, 5);
    EXPECT_EQ(file.begun().input, "hash");
    EXPECT_EQ(file.begun().malformed, 1);
    EXPECT_EQ(file.begun().first_malformed, std::vector<int64_t>{2});
    EXPECT_EQ(file.begun().on_error, "skip");
    EXPECT_EQ(file.count(), 1);
    file.append(kVectors[1]);
    file.commit();
    EXPECT_TRUE(read_file(path, 1 << 20) == whole);
    EXPECT_FALSE(std::filesystem::exists(path + ".progress"));
    EXPECT_FALSE(std::filesystem::exists(path + ".partial"));
  }
}

// A run that stops in order leaves a file with all vectors, also those that will be computed again.
TEST(VectorFile, HoldsTheVectorsOfAStoppedRun) {
  const TempDirectory directory;
  const std::string path = directory / "v.npy", whole = written(directory / "whole.npy", 2);
  {
    VectorFile file(path, 3);
    file.append(kVectors[0]);
    file.mark(after(5));
    file.append(kVectors[1]);
    file.stop();
  }
  EXPECT_TRUE(read_file(path, 1 << 20) == whole);
  {
    VectorFile file(path, 3);
    EXPECT_EQ(file.count(), 1);
    EXPECT_EQ(file.begun().items, 5);
    file.stop();
  }
  {
    VectorFile file(path, 3);
    file.append(kVectors[1]);
    file.commit();
  }
  EXPECT_TRUE(read_file(path, 1 << 20) == whole);
  {
    VectorFile file(path, 3);  // a complete file is begun anew
    EXPECT_EQ(file.begun().items, 0);
    EXPECT_TRUE(read_file(path, 1 << 20) == whole);  // and stays until there is another
    file.stop();
  }
  EXPECT_TRUE(read_file(path, 1 << 20) == whole);
  EXPECT_FALSE(std::filesystem::exists(path + ".partial"));
}

TEST(VectorFile, RefusesOtherSettingsByName) {
  const TempDirectory directory;
  const std::string path = directory / "v.npy";
  {
    VectorFile file(path, 3, {{"pooling", "cls"}, {"prompt", ""}}, 0);
    file.append(kVectors[0]);
    file.mark(after(1));
  }
  const auto message = [&](int64_t length, const std::string& pooling) {
    try {
      VectorFile(path, length, {{"pooling", pooling}, {"prompt", ""}});
    } catch (const UsageError& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  EXPECT_THAT(message(3, "max"), testing::HasSubstr("pooling was \"cls\", now \"max\"; use"));
  EXPECT_THAT(message(4, "cls"), testing::HasSubstr("dimensions was \"3\", now \"4\""));
  // Without its vectors the progress means nothing, and another file in their place is none of it.
  std::filesystem::remove(path + ".partial");
  written(directory / "w.npy", 2);
  std::filesystem::rename(directory / "w.npy", path);
  VectorFile file(path, 3, {{"pooling", "cls"}, {"prompt", ""}});
  EXPECT_EQ(file.count(), 0);
}

TEST(VectorFile, RefusesOtherFilesAndLengths) {
  const TempDirectory directory;
  EXPECT_THROW(VectorFile(directory / "v.txt", 3), UsageError);
  EXPECT_THROW(VectorFile(directory / "none/v.npy", 3), FileError);
  std::filesystem::create_symlink("/dev/null", directory / "null.npy");
  EXPECT_THROW(VectorFile(directory / "null.npy", 3), FileError);
  VectorFile file(directory / "v.npy", 3);
  EXPECT_THROW(file.append(std::vector<float>{1}), ShapeError);
}

}  // namespace
}  // namespace roformer
