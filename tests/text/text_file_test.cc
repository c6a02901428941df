#include "text/text_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/utf8.h"
#include "tests/text/packed_text.h"
#include "tests/text/tokenizer_files.h"

namespace roformer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Text : public testing::Test {
 protected:
  std::vector<std::string> lines(std::string_view content) {
    write_text(directory_ / "text", content);
    TextFile file(directory_ / "text");
    std::vector<std::string> all;
    for (std::string_view line; file.next_line(line);) all.emplace_back(line);
    return all;
  }
  std::string error(std::string_view content) {
    return message_of<DataError>([&] { lines(content); });
  }

  TempDirectory directory_;
};

TEST_F(Text, PackedFilesAreTheirText) {
  const std::string text = "one\r\ntwo\n\nfour";
  for (const std::string& packed : {gzip(text), zstandard(text)}) {
    EXPECT_THAT(lines(packed), ElementsAre("one", "two", "", "four"));
    EXPECT_THAT(lines(packed + packed), ElementsAre("one", "two", "", "fourone", "two", "", "four"));
  }
  EXPECT_THAT(lines(gzip("") + gzip("x")), ElementsAre("x"));
  EXPECT_THAT(lines(gzip("")), ElementsAre());
  EXPECT_THAT(lines(zstandard("")), ElementsAre());
}

// Sizes around the read block size: members that end with a block, output that fills it.
TEST_F(Text, MembersOfAnySizeAreRead) {
  for (const int size : {1 << 20, (1 << 20) - 1, (1 << 20) + 1, 3 << 20}) {
    const std::string line(static_cast<size_t>(size), 'x');
    for (const std::string& packed : {gzip(line) + gzip(line), zstandard(line) + zstandard(line)}) {
      const auto all = lines(packed);
      ASSERT_EQ(all.size(), 1u);
      EXPECT_EQ(all[0], line + line);
    }
  }
}

TEST_F(Text, DamagedPackedFilesAreRefused) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += std::to_string(i * 7919) + "\n";
  for (const std::string& packed : {gzip(text), zstandard(text)}) {
    for (const size_t size : {size_t{5}, packed.size() / 2, packed.size() - 1}) {
      EXPECT_THAT(error(packed.substr(0, size)), HasSubstr("text: the compressed data is truncated")) << size;
    }
    EXPECT_THAT(error(packed + "more"), HasSubstr("text: corrupt"));
  }
  std::string wrong = gzip(text);
  wrong[wrong.size() / 2] = static_cast<char>(wrong[wrong.size() / 2] ^ 0x55);
  EXPECT_THAT(error(wrong), HasSubstr("text: corrupt gzip data"));
}

TEST_F(Text, GoesOnBehindABadLine) {
  write_text(directory_ / "text", "a\nb\xff\nc\n");
  TextFile file(directory_ / "text");
  std::string_view line;
  ASSERT_TRUE(file.next_line(line));
  EXPECT_THROW(file.next_line(line), DataError);
  ASSERT_TRUE(file.next_line(line));
  EXPECT_EQ(line, "c");
  EXPECT_FALSE(file.next_line(line));
}

TEST_F(Text, LongLinesComeInParts) {
  const std::string longest(TextFile::kLongLine, 'x');
  std::string longer;
  while (longer.size() <= 2 * TextFile::kLongLine) longer += "é中";
  write_text(directory_ / "text", "a\n" + longest + "\r\n" + longer + "\nb");
  TextFile file(directory_ / "text");
  std::vector<std::string> whole = {""};
  int parts = 0;
  for (TextFile::Part part; file.next_part(part); ++parts) {
    EXPECT_LE(part.text.size(), TextFile::kLongLine);
    EXPECT_EQ(find_invalid_utf8(part.text), kValidUtf8);
    whole.back() += part.text;
    if (part.ends_line) whole.emplace_back();
  }
  EXPECT_THAT(whole, ElementsAre("a", longest, longer, "b", ""));
  EXPECT_GE(parts, 6);
  EXPECT_EQ(file.offset(), static_cast<int64_t>(longest.size() + longer.size() + 6));
}

}  // namespace
}  // namespace roformer
