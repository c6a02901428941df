#include "data/text_blocks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <filesystem>
#include <thread>

#include "base/utf8.h"
#include "tests/base/error_detail.h"
#include "tests/text/packed_text.h"
#include "tests/text/tokenizer_files.h"

namespace roformer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Documents as they come back from blocks of about `block_bytes`.
class Documents : public testing::Test {
 protected:
  std::string file(const std::string& name, std::string_view text) {
    write_text(directory_ / name, text);
    return directory_ / name;
  }
  std::vector<std::string> read(std::string_view text, DocumentRule rule, int64_t block_bytes = 1 << 23) {
    return read_files({file("text", text)}, rule, block_bytes);
  }
  std::vector<std::string> read_files(const std::vector<std::string>& paths, DocumentRule rule,
                                      int64_t block_bytes = 1 << 23) {
    blocks_ = std::make_unique<TextBlocks>(paths, rule, block_bytes);
    std::vector<std::string> documents;
    for (int64_t block = 0; block < blocks_->size(); ++block) {
      for (std::string& document : blocks_->read(block)) documents.push_back(std::move(document));
    }
    return documents;
  }

  TempDirectory directory_;
  std::unique_ptr<TextBlocks> blocks_;
};

TEST_F(Documents, BlankLinesEndDocuments) {
  EXPECT_THAT(read("\n\na\nb\n \t\n\u3000\nc", DocumentRule::blank_line), ElementsAre("a\nb", "c"));
  EXPECT_THAT(read("a\nb\n\nc\r\nd\r\n\r\ne\n", DocumentRule::automatic), ElementsAre("a\nb", "c\nd", "e"));
  EXPECT_THAT(read("a\nb\nc\n", DocumentRule::automatic), ElementsAre("a\nb\nc"));
  EXPECT_THAT(read("<doc>\na\n\nb", DocumentRule::blank_line), ElementsAre("<doc>\na", "b"));
}

TEST_F(Documents, AFileOfManyLinesThatIsOneDocumentIsNoted) {
  std::string lines;
  for (int i = 0; i < UndividedFile::kManyLines; ++i) lines += "a line\n";
  read_files({file("short", "a\nb\n"), file("divided", lines + "\n" + lines), file("list", "\n" + lines + "\n")},
             DocumentRule::automatic, 100);
  ASSERT_TRUE(blocks_->undivided());
  EXPECT_EQ(blocks_->undivided()->path, directory_ / "list");
  EXPECT_EQ(blocks_->undivided()->lines, UndividedFile::kManyLines);
  for (const std::string& text : {lines.substr(7), "<doc>\n" + lines + "</doc>\n", lines + "\n" + lines}) {
    read(text, DocumentRule::automatic);
    EXPECT_FALSE(blocks_->undivided()) << text;
  }
  read(lines, DocumentRule::blank_line);
  EXPECT_FALSE(blocks_->undivided());
}

TEST_F(Documents, LinesAreDocuments) {
  EXPECT_THAT(read("a\n\n  \nb c\n<doc>", DocumentRule::lines), ElementsAre("a", "b c", "<doc>"));
}

TEST_F(Documents, TagsEndDocuments) {
  const std::string_view text =
      "x\n\ny\n<doc id=\"1\" title=\"A > B\">\n\nA\n\nB <doc>\n</doc>\n\nz\n\n <doc>\nC\n<doc id=3>\nD\n\nE";
  EXPECT_THAT(read(text, DocumentRule::automatic), ElementsAre("x", "y", "A\n\nB <doc>", "z", "C", "D\n\nE"));
  EXPECT_THAT(read(text, DocumentRule::doc_tags), ElementsAre("x\n\ny", "A\n\nB <doc>", "z\n", "C", "D\n\nE"));
  EXPECT_THAT(read("<doctor>\n\n<doc\n\n</doc >", DocumentRule::automatic), ElementsAre("<doctor>", "<doc", "</doc >"));
}

TEST_F(Documents, FilesEndDocumentsAndTags) {
  const auto one = file("one", "<doc id=1>\na"), two = file("two",
                                                            "\xEF\xBB\xBF"
                                                            "b\n\nc");
  EXPECT_THAT(read_files({one, two}, DocumentRule::automatic), ElementsAre("a", "b", "c"));
  EXPECT_EQ(blocks_->bytes(), 12 + 7);
  EXPECT_EQ(blocks_->documents(), 3);
}

TEST_F(Documents, HashFollowsContentAndFiles) {
  const auto hash = [&](std::vector<std::string> texts) {
    std::vector<std::string> paths;
    for (const auto& text : texts) paths.push_back(file(std::to_string(paths.size()), text));
    read_files(paths, DocumentRule::automatic);
    return blocks_->content_hash();
  };
  const auto reference = hash({"ab\n", "c"});
  EXPECT_EQ(reference.size(), 32u);
  EXPECT_EQ(hash({"ab\n", "c"}), reference);
  EXPECT_NE(hash({"ab\n", "d"}), reference);
  EXPECT_NE(hash({"ab", "\nc"}), reference);
  EXPECT_NE(hash({"ab\nc"}), reference);
  EXPECT_NE(hash({"ab\r\n", "c"}), reference);
}

TEST_F(Documents, ErrorsNameFileAndLine) {
  const auto error = [&](std::string_view text, int64_t line) {
    const auto work = [&] { read(text, DocumentRule::automatic); };
    const ErrorDetail detail = detail_of<DataError>(work);
    EXPECT_EQ(detail.path, directory_ / "text") << text;
    EXPECT_EQ(detail.line, line) << text;
    return message_of<DataError>(work);
  };
  EXPECT_THAT(error("a\nb\xC3\n", 2), HasSubstr("not valid UTF-8 at byte 1"));
  EXPECT_THAT(error(std::string_view("a\n\nb\0", 5), 3), HasSubstr("holds a NUL byte"));
  EXPECT_THAT(error("\n \n", 0), HasSubstr("no text in 1 file(s) of 3 bytes"));
  EXPECT_EQ(detail_of<FileError>([&] { read_files({directory_ / "none"}, DocumentRule::lines); }).path,
            directory_ / "none");
  EXPECT_EQ(detail_of<UsageError>([] { parse_document_rule("pages"); }).field, "documents");
  EXPECT_THROW(read_files({}, DocumentRule::lines), DataError);
}

TEST_F(Documents, DirectoriesAreTheirFilesInOrder) {
  std::filesystem::create_directories(directory_ / "d/b/.hidden");
  const std::string root = directory_ / "d";
  EXPECT_THAT(message_of<FileError>([&] { read_files({root}, DocumentRule::lines); }), HasSubstr("without files"));
  EXPECT_EQ(detail_of<FileError>([&] { read_files({root}, DocumentRule::lines); }).path, root);
  file("d/c", "3");
  file("d/b/x", "2");
  file("d/a", "1");
  file("d/.no", "0");
  file("d/b/.hidden/no", "0");
  EXPECT_THAT(read_files({root, file("last", "4")}, DocumentRule::lines), ElementsAre("1", "2", "3", "4"));
}

TEST_F(Documents, LongLinesAndBlockBordersAreRead) {
  std::string text(50'000'000, 'x');
  const auto documents = read(text + "\n\n" + text, DocumentRule::automatic, 1 << 30);
  ASSERT_EQ(documents.size(), 2u);
  EXPECT_EQ(documents[0], text);
  EXPECT_EQ(documents[1], text);
  // Characters, "\r\n" and lines that span read blocks.
  std::string mixed, expected;
  for (int i = 0; i < 300000; ++i) {
    mixed += i % 3 ? "中é\r\n" : "word\n";
    expected += i % 3 ? "中é\n" : "word\n";
  }
  expected.pop_back();
  EXPECT_EQ(read(mixed, DocumentRule::automatic), std::vector<std::string>{expected});
}

// The documents, joined from their parts, do not depend on block boundaries.
TEST_F(Documents, BlocksDoNotChangeDocuments) {
  const std::string text =
      "x\n\ny\r\nyy\n<doc id=\"1\">\n\nA\n\nB\n</doc>\n\nz\n\n <doc>\nC\n\n\n<doc id=3>\nD\n\nE\n\n";
  for (const auto rule :
       {DocumentRule::automatic, DocumentRule::blank_line, DocumentRule::lines, DocumentRule::doc_tags}) {
    const auto whole = read(text, rule);
    ASSERT_EQ(blocks_->size(), 1);
    const int64_t documents = blocks_->documents();
    EXPECT_EQ(std::ssize(whole), documents);
    const auto letters = [](const std::vector<std::string>& texts) {
      std::string all = fmt::format("{}", fmt::join(texts, ""));
      std::erase(all, '\n');
      return all;
    };
    for (int64_t size = 1; size < std::ssize(text); ++size) {
      EXPECT_EQ(letters(read(text, rule, size)), letters(whole)) << "blocks of " << size;
      EXPECT_EQ(blocks_->documents(), documents);
    }
    read(text, rule, 4);
    EXPECT_GT(blocks_->size(), 3);
  }
}

TEST_F(Documents, PartsOfADocumentKeepTheirLineEnds) {
  EXPECT_THAT(read("a\nb\n\nc\r\nd\n", DocumentRule::doc_tags, 1), ElementsAre("a\n", "b\n", "\nc\n", "d"));
  EXPECT_EQ(blocks_->documents(), 1);
}

TEST_F(Documents, ALineWithoutEndIsCutBetweenCodePoints) {
  std::string text;
  while (text.size() < 5'000'000) text += "中é";
  const auto parts = read(text + "\n\nnext", DocumentRule::automatic, 1 << 20);
  ASSERT_GT(parts.size(), 2u);
  std::string again;
  for (const std::string& part : parts) {
    EXPECT_EQ(find_invalid_utf8(part), kValidUtf8);
    EXPECT_LE(part.size(), size_t{3} << 20);
    if (part != "next") again += part;
  }
  EXPECT_EQ(again, text);
  EXPECT_EQ(parts.back(), "next");
  EXPECT_EQ(blocks_->documents(), 2);
}

TEST_F(Documents, PackedFilesAndPipesAreReadTwice) {
  std::string text;
  for (int i = 0; i < 200'000; ++i) text += fmt::format("line {}\n\n", i);
  const auto expected = read(text, DocumentRule::automatic, 1 << 16);
  const std::string hash = blocks_->content_hash();
  EXPECT_GT(blocks_->size(), 20);
  for (const std::string& packed : {gzip(text), zstandard(text), xz(text), bzip2(text)}) {
    EXPECT_EQ(read(packed, DocumentRule::automatic, 1 << 16), expected);
    EXPECT_EQ(blocks_->content_hash(), hash);
  }
  const std::string pipe = directory_ / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  std::thread writer([&] { write_text(pipe, text); });
  EXPECT_EQ(read_files({pipe}, DocumentRule::automatic, 1 << 16), expected);
  writer.join();
}

TEST_F(Documents, AFileThatChangesIsNoticed) {
  read("a\n\nb\n", DocumentRule::automatic);
  file("text", "a\n\nc and more\n");
  EXPECT_THAT(message_of<FileError>([&] { blocks_->read(0); }), HasSubstr("has changed while it was in use"));
  EXPECT_EQ(detail_of<FileError>([&] { blocks_->read(0); }).path, directory_ / "text");
}

TEST_F(Documents, RuleNames) {
  EXPECT_EQ(parse_document_rule("automatic"), DocumentRule::automatic);
  EXPECT_EQ(parse_document_rule("blank-line"), DocumentRule::blank_line);
  EXPECT_EQ(parse_document_rule("lines"), DocumentRule::lines);
  EXPECT_EQ(parse_document_rule("doc-tags"), DocumentRule::doc_tags);
  EXPECT_THROW(parse_document_rule("blank_line"), UsageError);
}

}  // namespace
}  // namespace roformer
