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
  // The first block of a tar archive.
  static std::string tar() {
    std::string header(512, '\0');
    header.replace(0, 5, "a.txt");
    header.replace(257, 6, std::string_view("ustar\0", 6));
    return header;
  }
  // The same of a tar before POSIX, which only the sum of its bytes marks.
  static std::string old_tar() {
    std::string header(512, '\0');
    header.replace(0, 5, "a.txt").replace(124, 11, "00000000000").replace(148, 8, std::string(8, ' '));
    int sum = 0;
    for (const char byte : header) sum += static_cast<unsigned char>(byte);
    std::string digits;
    for (int shift = 15; shift >= 0; shift -= 3) digits += static_cast<char>('0' + ((sum >> shift) & 7));
    return header.replace(148, 7, digits + '\0');
  }

  TempDirectory directory_;
};

class PackedText : public Text, public testing::WithParamInterface<std::string (*)(const std::string&)> {
 protected:
  std::string pack(const std::string& text) const { return GetParam()(text); }
};
INSTANTIATE_TEST_SUITE_P(Formats, PackedText,
                         testing::Values(
                             gzip, zstandard, [](const std::string& text) { return xz(text); },
                             [](const std::string& text) { return xz(text, LZMA_CHECK_SHA256); }, lzma_alone, bzip2));

TEST_P(PackedText, PackedFilesAreTheirText) {
  const std::string packed = pack("one\r\ntwo\n\nfour");
  EXPECT_THAT(lines(packed), ElementsAre("one", "two", "", "four"));
  EXPECT_THAT(lines(packed + packed), ElementsAre("one", "two", "", "fourone", "two", "", "four"));
  EXPECT_THAT(lines(pack("") + pack("x") + pack("")), ElementsAre("x"));
  EXPECT_THAT(lines(pack("")), ElementsAre());
}

// Sizes around the read block size: members that end with a block, output that fills it.
TEST_P(PackedText, MembersOfAnySizeAreRead) {
  for (const int size : {1 << 20, (1 << 20) - 1, (1 << 20) + 1, 3 << 20}) {
    const std::string line(static_cast<size_t>(size), 'x'), packed = pack(line);
    const auto all = lines(packed + packed);
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0], line + line);
  }
}

// Zeros that fill a disk block or a tape record, behind the last member or between two.
TEST_P(PackedText, ZerosBehindMembersAreSkipped) {
  const std::string packed = pack("one\n");
  for (const size_t zeros : {1, 4, 511, (1 << 20) - static_cast<int>(packed.size()) - 3, 3 << 20}) {
    const std::string padding(zeros, '\0');
    EXPECT_THAT(lines(packed + padding), ElementsAre("one")) << zeros;
    EXPECT_THAT(lines(packed + padding + packed + padding), ElementsAre("one", "one")) << zeros;
    EXPECT_THAT(error(packed + padding + "more"), HasSubstr("data is followed by something else")) << zeros;
  }
}

TEST_P(PackedText, DamagedPackedFilesAreRefused) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += std::to_string(i * 7919) + "\n";
  const std::string packed = pack(text);
  for (const size_t size : {size_t{5}, size_t{20}, packed.size() / 2, packed.size() - 1}) {
    EXPECT_THAT(error(packed.substr(0, size)), HasSubstr("text: the compressed data is truncated")) << size;
    EXPECT_THAT(error(packed + packed.substr(0, size)), HasSubstr("text: the compressed data is truncated")) << size;
  }
  EXPECT_THAT(error(packed + "more"), HasSubstr("text: the "));
  EXPECT_THAT(error(packed + "more"), HasSubstr("data is followed by something else"));
}

TEST_P(PackedText, WhatIsNoTextInsideIsNamed) {
  EXPECT_THAT(error(pack(tar())), HasSubstr("text: is a tar archive, compressed with "));
  EXPECT_THAT(error(pack("PK\x03\x04 and so on")), HasSubstr("is a zip archive"));
  EXPECT_THAT(error(pack(gzip("text"))), HasSubstr("text: is gzip data, compressed again with "));
}

TEST_F(Text, WhatFollowsThePackedDataIsNamed) {
  EXPECT_THAT(error(gzip("a") + xz("b")), HasSubstr("text: the gzip data is followed by xz data, expected more gzip"));
  EXPECT_THAT(error(skippable_frame(0, "a") + "\x04\x22\x4D\x18\x64"), HasSubstr("is followed by lz4 data"));
}

TEST_F(Text, FlippedBitsAreFound) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += std::to_string(i * 7919) + "\n";
  for (const auto& [packed, name] : {std::pair(gzip(text), "gzip"), {xz(text), "xz"}, {bzip2(text), "bzip2"}}) {
    std::string wrong = packed;
    wrong[wrong.size() / 2] = static_cast<char>(wrong[wrong.size() / 2] ^ 0x55);
    EXPECT_THAT(error(wrong), HasSubstr(std::string("text: corrupt ") + name + " data"));
  }
}

// As pzstd and the seekable format write them: before, between and after frames.
TEST_F(Text, SkippableFramesAreSkipped) {
  const std::string one = zstandard("one\n"), skipped = skippable_frame(0, std::string("\x0C\0\0\0", 4));
  EXPECT_THAT(lines(skipped + one + skipped + skippable_frame(15, "") + one + skippable_frame(14, "index")),
              ElementsAre("one", "one"));
  EXPECT_THAT(lines(skippable_frame(3, std::string(3 << 20, 'x')) + one), ElementsAre("one"));
  EXPECT_THAT(lines(skipped), ElementsAre());
  EXPECT_THAT(error(skipped.substr(0, 9)), HasSubstr("truncated"));
  EXPECT_THAT(error(one + skipped.substr(0, 5)), HasSubstr("truncated"));
}

// More memory than any common setting needs: a dictionary of 1.5 GiB, a window of 1 TiB.
TEST_F(Text, MemoryToUnpackIsBounded) {
  std::string packed = lzma_alone("one\n");
  packed.replace(1, 4, std::string("\0\0\0\x60", 4));
  EXPECT_THAT(error(packed), HasSubstr("text: lzma data that takes 1536 MiB of memory to unpack, at most 256 are"));
  EXPECT_THAT(error("\x28\xB5\x2F\xFD" + std::string("\0\xF0\x01\0\0", 5)), HasSubstr("window of more than 128 MiB"));
}

TEST_F(Text, BinaryFilesAreNamed) {
  EXPECT_THAT(error(tar()), HasSubstr("text: is a tar archive, expected a text file, plain or compressed with gzip, "
                                      "zstd, xz or bzip2: unpack it first"));
  using namespace std::string_literals;
  for (const auto& [start, name] : {std::pair("PK\x03\x04\x14\0"s, "zip archive"),
                                    {"7z\xBC\xAF\x27\x1C\0\x04"s, "7z archive"},
                                    {"Rar!\x1A\x07\x01\0"s, "RAR archive"},
                                    {"\x04\x22\x4D\x18\x64"s, "lz4 data"},
                                    {"\x1F\x9D\x90"s, "compress data"},
                                    {"PAR1\x15\x04\x15"s, "Parquet file"},
                                    {old_tar(), "tar archive"},
                                    {"070701" + std::string(104, '0') + "a\0"s, "cpio archive"},
                                    {std::string(32769, '\0') + "CD001\x01"s, "ISO 9660"},
                                    {"\x78\x9C\x01"s, "zlib data"},
                                    {"GGUF\x03\0\0\0"s, "GGUF"},
                                    {"\x80\x04\x95"s, "pickle"},
                                    {"\x30\0\0\0\0\0\0\0{\"a\""s, "safetensors"},
                                    {"{\\rtf1\\ansi a"s, "RTF document"},
                                    {"\xFF\xFE\x61\0"s, "text in UTF-16"},
                                    {"\xFE\xFF\0\x61"s, "text in UTF-16"},
                                    {"\xFF\xFE\0\0\x61\0\0\0"s, "text in UTF-32"},
                                    {"a\0b\0\n\0"s, "text in UTF-16"},
                                    {"ARROW1\0\0"s, "Arrow file"},
                                    {"%PDF-1.7\n"s, "PDF document"}}) {
    EXPECT_THAT(error(start), HasSubstr(name));
  }
  for (const std::string start :
       {"PK", "PAR1 is a start", "BZh9 is a start", "ustar", "0707012 is a number", "x", ""}) {
    EXPECT_EQ(error(start), "") << start;
  }
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
