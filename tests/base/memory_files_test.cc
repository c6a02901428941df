#include "base/memory_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "tests/base/temp_directory.h"

namespace roformer {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

using Files = std::map<std::string, std::string_view>;

std::string read_stream(const std::string& path) {
  std::FILE* stream = open_stream(path);
  std::string content(100, '\0');
  content.resize(std::fread(content.data(), 1, content.size(), stream));
  std::fclose(stream);
  return content;
}

TEST(MemoryFiles, AreReadLikeFilesOnDisk) {
  const std::string text("a\0b", 3), inner = "{}";
  const MemoryDirectory directory(Files{{"one.txt", text}, {"folder/./inner.json", inner}, {"empty", {}}});
  const std::string one = join_path(directory.path(), "one.txt");
  EXPECT_EQ(read_file(one, 100), text);
  EXPECT_THAT([&] { read_file(one, 0); }, ThrowsMessage<FileError>(HasSubstr("larger than 0 bytes")));
  EXPECT_EQ(MappedFile(one).data(), text.data());  // not a copy
  EXPECT_EQ(MappedFile(one).view(), text);
  EXPECT_EQ(read_stream(one), text);
  EXPECT_EQ(read_stream(join_path(directory.path(), "empty")), "");
  EXPECT_EQ(MappedFile(join_path(directory.path(), "empty")).size(), 0);
  EXPECT_EQ(read_file(join_path(join_path(directory.path(), "folder"), "inner.json"), 100), inner);
  EXPECT_EQ(read_file(join_path(join_path(directory.path(), ""), "./folder/../one.txt"), 100), text);
  EXPECT_TRUE(exists(one));
  EXPECT_TRUE(is_file(one));
  EXPECT_FALSE(is_directory(one));
  for (const std::string& path : {directory.path(), join_path(directory.path(), "folder")}) {
    EXPECT_TRUE(exists(path)) << path;
    EXPECT_TRUE(is_directory(path)) << path;
    EXPECT_FALSE(is_file(path)) << path;
  }
  for (const char* absent : {"two.txt", "fold", "one.txt/x", "../one.txt"}) {
    EXPECT_FALSE(exists(join_path(directory.path(), absent))) << absent;
    EXPECT_THROW(read_file(join_path(directory.path(), absent), 100), FileError);
    EXPECT_THROW(MappedFile(join_path(directory.path(), absent)), FileError);
    EXPECT_THROW(open_stream(join_path(directory.path(), absent)), FileError);
  }
}

TEST(MemoryFiles, EndWithTheirDirectory) {
  std::string path;
  {
    const MemoryDirectory directory(Files{{"a", "1"}});
    const MemoryDirectory other(Files{{"a", "2"}});
    path = directory.path();
    EXPECT_NE(path, other.path());
    EXPECT_EQ(read_file(join_path(other.path(), "a"), 1), "2");
  }
  EXPECT_FALSE(exists(path));
  EXPECT_FALSE(exists(join_path(path, "a")));
  const MemoryDirectory next(Files{{"a", "3"}});
  EXPECT_NE(next.path(), path);  // a name is not used again
}

TEST(MemoryFiles, HaveNamesInTheDirectory) {
  for (const char* name : {"", "/etc/passwd", "../a", "a/../../b", "folder/", "."}) {
    EXPECT_THAT([&] { MemoryDirectory(Files{{name, "x"}}); }, ThrowsMessage<UsageError>(HasSubstr("files"))) << name;
  }
  EXPECT_THROW(MemoryDirectory(Files{}), UsageError);
}

TEST(Streams, AreOfFilesOnDiskToo) {
  const TempDirectory directory;
  write_file_atomically(directory / "a", "some text");
  EXPECT_EQ(read_stream(directory / "a"), "some text");
  EXPECT_THAT([&] { open_stream(directory / "b"); }, ThrowsMessage<FileError>(HasSubstr("cannot open")));
  EXPECT_THROW(open_stream(directory.path()), FileError);
  EXPECT_TRUE(is_file(directory / "a"));
  EXPECT_TRUE(is_directory(directory.path()));
  EXPECT_FALSE(is_directory(directory / "a"));
}

}  // namespace
}  // namespace roformer
