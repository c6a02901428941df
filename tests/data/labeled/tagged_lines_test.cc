#include "tests/data/labeled/labeled_files.h"

namespace roformer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using TaggedLines = LabeledFiles;

TEST_F(TaggedLines, BlankLinesEndSentences) {
  const auto data = read("conll2003", "a.txt",
                         "-DOCSTART- O 0\n\nEU B-ORG 0\nis  O 0\r\n\n \t\nU.N. I-ORG 0\n\n\n-DOCSTART- O\nx S-PER 0");
  EXPECT_EQ(texts_of(data), (Texts{{"EU", "is"}, {"U.N."}, {"x"}}));
  EXPECT_EQ(labels_of(data), (Texts{{"B-ORG", "O"}, {"I-ORG"}, {"S-PER"}}));
  EXPECT_THAT(each(data, &Example::line), ElementsAre(3, 7, 11));
  EXPECT_THAT(data.notices, IsEmpty());
}

TEST_F(TaggedLines, TheTagIsTheSecondColumnOrTheOneWithTags) {
  const auto tags = [&](std::string_view text, const ReadOptions& options = {}) {
    return labels_of(read("token-classification", "a.conll", text, options)).front();
  };
  EXPECT_THAT(tags("EU B-ORG x\n"), ElementsAre("B-ORG"));
  EXPECT_THAT(tags("the DET\n"), ElementsAre("DET"));
  EXPECT_THAT(tags("the DET B\ndog NOUN I\n"), ElementsAre("DET", "NOUN"));
  EXPECT_THAT(tags("a\tDET\tB-NP\tO\nnew car\tNOUN\tI-NP\tB-X\n"), ElementsAre("O", "B-X"));
  const auto noticed = read("conll2003", "b.txt", "EU NNP B-NP B-ORG\nis VB O O\n");
  EXPECT_EQ(labels_of(noticed), (Texts{{"B-ORG", "O"}}));
  EXPECT_THAT(noticed.notices,
              ElementsAre("b.txt: took the tags from the last column, because those in the second are none"));
  EXPECT_THAT(tags("EU NNP B-NP B-ORG\n", {.tag_column = "3"}), ElementsAre("B-NP"));
  EXPECT_THAT(tags("EU NNP B-NP\nx y B-ORG 0 O\n", {.tag_column = "last"}), ElementsAre("B-NP", "O"));
}

TEST_F(TaggedLines, TabsSeparateTokensWithSpaces) {
  EXPECT_EQ(texts_of(read("conll2003", "a.txt", "New York\tB-LOC\n")), (Texts{{"New York"}}));
}

TEST_F(TaggedLines, SentencesWithoutATagAreDropped) {
  const auto data = read("conll2003", "a.txt", "a O\nb\n\nc O\n\n\tO\nd\tO\n");
  EXPECT_EQ(texts_of(data), (Texts{{"c"}}));
  EXPECT_THAT(data.notices, ElementsAre("a.txt: dropped 2 sentences with a line without a tag, the first at line 2"));
}

TEST_F(TaggedLines, TokensAloneAreUnlabeled) {
  EXPECT_FALSE(read("conll2003", "a.txt", "a\nb\n\nc\n").labeled());
  EXPECT_EQ(refuse("conll2003", "a.txt", "a\nb\n", {.labels_required = true}), "a.txt: no example has a label");
}

TEST_F(TaggedLines, ColumnsThatAreNotThereAreRefused) {
  EXPECT_EQ(refuse("conll2003", "a.txt", "a O\n", {.tag_column = "3"}),
            "a.txt: tag_column is 3, but lines have 2 columns");
  EXPECT_EQ(refuse("conll2003", "a.txt", "a\n", {.tag_column = "last"}),
            "a.txt: tag_column is last, but lines have 1 column");
  for (const char* column : {"1", "0", "-1", "two", "99999999999999999999", ""}) {
    const std::string message = refuse<UsageError>("conll2003", "a.txt", "a O\n", {.tag_column = column});
    EXPECT_EQ(message.empty(), *column == '\0') << column;
  }
  EXPECT_EQ(refuse<UsageError>("conll2003", "a.txt", "a O\n", {.label_column = "2"}),
            "label_column is not for tokens in columns, where only the tag's can be chosen");
  EXPECT_EQ(refuse<UsageError>("cola", "a.tsv", "a\n", {.tag_column = "2"}),
            "tag_column is for tokens in columns; other files have label_column");
  EXPECT_THAT(refuse("conll2003", "a.txt", "\n\n"), HasSubstr("holds no example"));
}

}  // namespace
}  // namespace roformer
