#include "data/corpus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/text/tokenizer_files.h"

namespace roformer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Corpus : public testing::Test {
 protected:
  std::string file(const std::string& name, std::string_view text) {
    write_text(directory_ / name, text);
    return directory_ / name;
  }
  std::vector<std::string> read(std::string_view text, DocumentRule rule) {
    return read_files({file("text", text)}, rule);
  }
  std::vector<std::string> read_files(const std::vector<std::string>& paths, DocumentRule rule) {
    std::vector<std::string> documents;
    summary_ = read_documents(paths, rule, [&](std::string&& text) { documents.push_back(std::move(text)); });
    EXPECT_EQ(summary_.documents, static_cast<int64_t>(documents.size()));
    return documents;
  }

  TempDirectory directory_;
  CorpusSummary summary_;
};

TEST_F(Corpus, BlankLinesEndDocuments) {
  EXPECT_THAT(read("\n\na\nb\n \t\n\u3000\nc", DocumentRule::blank_line), ElementsAre("a\nb", "c"));
  EXPECT_THAT(read("a\nb\n\nc\r\nd\r\n\r\ne\n", DocumentRule::automatic), ElementsAre("a\nb", "c\nd", "e"));
  EXPECT_THAT(read("a\nb\nc\n", DocumentRule::automatic), ElementsAre("a\nb\nc"));
  EXPECT_THAT(read("<doc>\na\n\nb", DocumentRule::blank_line), ElementsAre("<doc>\na", "b"));
}

TEST_F(Corpus, LinesAreDocuments) {
  EXPECT_THAT(read("a\n\n  \nb c\n<doc>", DocumentRule::lines), ElementsAre("a", "b c", "<doc>"));
}

TEST_F(Corpus, TagsEndDocuments) {
  const std::string_view text =
      "x\n\ny\n<doc id=\"1\" title=\"A > B\">\n\nA\n\nB <doc>\n</doc>\n\nz\n\n <doc>\nC\n<doc id=3>\nD\n\nE";
  EXPECT_THAT(read(text, DocumentRule::automatic), ElementsAre("x", "y", "A\n\nB <doc>", "z", "C", "D\n\nE"));
  EXPECT_THAT(read(text, DocumentRule::doc_tags), ElementsAre("x\n\ny", "A\n\nB <doc>", "z\n", "C", "D\n\nE"));
  EXPECT_THAT(read("<doctor>\n\n<doc\n\n</doc >", DocumentRule::automatic), ElementsAre("<doctor>", "<doc", "</doc >"));
}

TEST_F(Corpus, FilesEndDocumentsAndTags) {
  const auto one = file("one", "<doc id=1>\na"), two = file("two",
                                                            "\xEF\xBB\xBF"
                                                            "b\n\nc");
  EXPECT_THAT(read_files({one, two}, DocumentRule::automatic), ElementsAre("a", "b", "c"));
  EXPECT_EQ(summary_.bytes, 12 + 7);
}

TEST_F(Corpus, HashFollowsContentAndFiles) {
  const auto hash = [&](std::vector<std::string> texts) {
    std::vector<std::string> paths;
    for (const auto& text : texts) paths.push_back(file(std::to_string(paths.size()), text));
    read_files(paths, DocumentRule::automatic);
    return summary_.content_hash;
  };
  const auto reference = hash({"ab\n", "c"});
  EXPECT_EQ(reference.size(), 32u);
  EXPECT_EQ(hash({"ab\n", "c"}), reference);
  EXPECT_NE(hash({"ab\n", "d"}), reference);
  EXPECT_NE(hash({"ab", "\nc"}), reference);
  EXPECT_NE(hash({"ab\nc"}), reference);
  EXPECT_NE(hash({"ab\r\n", "c"}), reference);
}

TEST_F(Corpus, ErrorsNameFileAndLine) {
  const auto none = [](std::string&&) {};
  const auto error = [&](std::string_view text) {
    return message_of<DataError>([&] { read(text, DocumentRule::automatic); });
  };
  EXPECT_THAT(error("a\nb\xC3\n"), HasSubstr("text:2: not valid UTF-8 at byte 1"));
  EXPECT_THAT(error(std::string_view("a\n\nb\0", 5)), HasSubstr("text:3: holds a NUL byte"));
  EXPECT_THAT(message_of<FileError>(
                  [&] { read_documents(std::vector<std::string>{directory_ / "none"}, DocumentRule::lines, none); }),
              HasSubstr("none: cannot open"));
  EXPECT_THAT(message_of<FileError>(
                  [&] { read_documents(std::vector<std::string>{directory_.path()}, DocumentRule::lines, none); }),
              HasSubstr("is a directory"));
}

TEST_F(Corpus, LongLinesAndBlockBordersAreRead) {
  std::string text(50'000'000, 'x');
  const auto documents = read(text + "\n\n" + text, DocumentRule::automatic);
  ASSERT_EQ(documents.size(), 2u);
  EXPECT_EQ(documents[0], text);
  EXPECT_EQ(documents[1], text);
  // Characters, "\r\n" and lines that lie across the borders of the blocks a file is read in.
  std::string mixed, expected;
  for (int i = 0; i < 300000; ++i) {
    mixed += i % 3 ? "中é\r\n" : "word\n";
    expected += i % 3 ? "中é\n" : "word\n";
  }
  expected.pop_back();
  EXPECT_EQ(read(mixed, DocumentRule::automatic), std::vector<std::string>{expected});
}

TEST_F(Corpus, RuleNames) {
  EXPECT_EQ(parse_document_rule("automatic"), DocumentRule::automatic);
  EXPECT_EQ(parse_document_rule("blank-line"), DocumentRule::blank_line);
  EXPECT_EQ(parse_document_rule("lines"), DocumentRule::lines);
  EXPECT_EQ(parse_document_rule("doc-tags"), DocumentRule::doc_tags);
  EXPECT_THROW(parse_document_rule("blank_line"), UsageError);
}

}  // namespace
}  // namespace roformer
