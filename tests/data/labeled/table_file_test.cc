// Delimited files: rows, columns, labels.
#include "tests/base/error_detail.h"
#include "tests/data/labeled/labeled_files.h"
#include "tests/text/packed_text.h"

namespace roformer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using TableFile = LabeledFiles;

TEST_F(TableFile, QuotesOfTsvAreText) {
  const auto data = read("classification", "a.tsv", "text\tlabel\n\"Hello\t1\nsay \"\"so\"\"\t0\n\"a\"\t1\n");
  EXPECT_EQ(texts_of(data), (Texts{{"\"Hello"}, {"say \"\"so\"\""}, {"\"a\""}}));
  EXPECT_EQ(labels_of(data), (Texts{{"1"}, {"0"}, {"1"}}));
  EXPECT_THAT(each(data, &Example::line), ElementsAre(2, 3, 4));
  EXPECT_THAT(data.notices, IsEmpty());
  EXPECT_TRUE(data.labeled());
}

TEST_F(TableFile, QuotesOfCsvAreSyntax) {
  const auto data =
      read("classification", "a.csv",
           "\xEF\xBB\xBFtext,label\r\n\"a, b\",x\r\n\"two\nlines\r\nmore\",\"y\"\r\n\"say \"\"so\"\"\",x\r\n"
           "in \"quotes\" within,y\r\n\"\"\"\",x");
  EXPECT_EQ(texts_of(data),
            (Texts{{"a, b"}, {"two\nlines\r\nmore"}, {"say \"so\""}, {"in \"quotes\" within"}, {"\""}}));
  EXPECT_EQ(labels_of(data), (Texts{{"x"}, {"y"}, {"x"}, {"y"}, {"x"}}));
  EXPECT_THAT(each(data, &Example::line), ElementsAre(2, 3, 6, 7, 8));
}

TEST_F(TableFile, OtherDelimitersOfCsvAreTold) {
  const Texts texts = {{"a, b"}, {"c"}};
  EXPECT_EQ(texts_of(read("classification", "a.csv", "text\tlabel\n\"a, b\"\tx\nc\ty\n")), texts);
  EXPECT_EQ(texts_of(read("classification", "b.csv", "text;label\n\"a, b\";x\nc;y\n")), texts);
  EXPECT_EQ(texts_of(read("classification", "c.txt", "text\tlabel\na, b\tx\nc\ty\n")), texts);
  EXPECT_EQ(texts_of(read("classification", "d.txt", "text,label\n\"a, b\",x\nc,y\n")), texts);
  // Tabs and a header in quotes, as of Quora's own file.
  EXPECT_EQ(texts_of(read("classification", "e.tsv", "\"text\"\t\"label\"\n\"a, b\"\t\"x\"\n\"c\"\t\"y\"\n")), texts);
  EXPECT_EQ(texts_of(read("classification", "f", "text,label\n\"a, b\",x\nc,y\n", {.format = FileFormat::csv})), texts);
}

TEST_F(TableFile, QuotesThatAreNoneAreRefused) {
  EXPECT_EQ(refuse("classification", "a.csv", "text,label\nx,1\n\"open,1\nb,0\n"),
            "a.csv:3: a quoted field without an end; quotes are text in the format tsv");
  EXPECT_EQ(refuse("classification", "a.csv", "text,label\nx,1\n\"so\" he said,1\n"),
            "a.csv:3: text behind a closing quote; quotes are text in the format tsv");
  // STS-B's files are named .csv, have tabs, and quotes that are text.
  const std::string line = "a\tb\tc\td\t2.5\t\"open\tb\n";
  EXPECT_EQ(texts_of(read("sts-b", "sts.csv", line)), (Texts{{"\"open", "b"}}));
}

TEST_F(TableFile, ColumnsAreFoundByUsualNames) {
  EXPECT_EQ(texts_of(read("classification", "a.tsv", "id\tlabel\trating\tText\nn1\t0\t2\tgood\n")), (Texts{{"good"}}));
  EXPECT_THAT(each(read("classification", "a.tsv", "id\tlabel\ttext\nn1\t0\tgood\n"), &Example::id), ElementsAre("n1"));
  for (const char* names : {"sentence1\tsentence2", "premise\thypothesis", "question1\tquestion2",
                            "sentence_A\tsentence_B", "#1 String\t#2 String", "text\ttext_pair"}) {
    EXPECT_EQ(texts_of(read("classification", "a.tsv", std::string(names) + "\tgold_label\na\tb\tx\n")),
              (Texts{{"a", "b"}}))
        << names;
  }
  EXPECT_THAT(each(read("pair-similarity", "a.tsv", "sentence1\tsentence2\tscore\na\tb\t4.25\n"), &Example::value),
              ElementsAre(4.25));
}

TEST_F(TableFile, ColumnsAreNamedOrNumbered) {
  const std::string text = "body text\tkind\tstars\na\tx\t1\nb\ty\t2\n";
  const auto named = read("classification", "a.tsv", text, {.text_column = "Body_Text", .label_column = "kind"});
  EXPECT_EQ(texts_of(named), (Texts{{"a"}, {"b"}}));
  EXPECT_EQ(labels_of(named), (Texts{{"x"}, {"y"}}));
  const auto numbered =
      read("classification", "a.tsv", text, {.text_column = "1", .label_column = "3", .header = true});
  EXPECT_EQ(labels_of(numbered), (Texts{{"1"}, {"2"}}));
  const auto bare = read("classification", "b.tsv", "x\t1\ny\t2\n", {.text_column = "2", .label_column = "1"});
  EXPECT_EQ(texts_of(bare), (Texts{{"1"}, {"2"}}));
  const auto pair = read("classification", "c.tsv", "x\t1\tp\ny\t2\tq\n",
                         {.text_column = "1", .text_pair_column = "3", .label_column = "2"});
  EXPECT_EQ(texts_of(pair), (Texts{{"x", "p"}, {"y", "q"}}));
}

TEST_F(TableFile, AHeaderOfUnknownNamesIsTold) {
  std::string text = "essay\tverdict\n";
  for (int i = 0; i < 20; ++i) text += i % 3 ? "some text\tgood\n" : "other text\tbad\n";
  const auto data = read("classification", "a.tsv", text, {.text_column = "1", .label_column = "2"});
  EXPECT_EQ(data.examples.size(), 20u);
  EXPECT_THAT(data.notices, ElementsAre("a.tsv: took the first line for names of columns, because no other has a "
                                        "label such as \"verdict\""));
  const auto whole = read("classification", "a.tsv", text, {.text_column = "1", .label_column = "2", .header = false});
  EXPECT_EQ(whole.examples.size(), 21u);
}

TEST_F(TableFile, AHeaderOverNumbersIsTold) {
  const std::string text = "essay\tgrade\nsome text\t2.5\n";
  const auto data = read("regression", "a.tsv", text, {.text_column = "1", .label_column = "2"});
  EXPECT_THAT(each(data, &Example::value), ElementsAre(2.5));
  EXPECT_EQ(data.notices.size(), 1u);
  EXPECT_THAT(refuse("regression", "a.tsv", "a\tnan\nb\tnan\n", {.text_column = "1", .label_column = "2"}),
              HasSubstr("a.tsv:1: the label is \"nan\""));
}

TEST_F(TableFile, WrongColumnsAreNamedWithThoseFound) {
  const std::string text = "text\tlabel\na\t1\n";
  EXPECT_EQ(refuse("classification", "a.tsv", text, {.text_column = "txt"}),
            "a.tsv: no column \"txt\", which text_column names, but \"text\", \"label\"; did you mean \"text\"?");
  EXPECT_EQ(refuse("classification", "a.tsv", "essay\tlabel\na\t1\n"),
            "a.tsv: no column for the text of classification, but \"essay\", \"label\"; name it by text_column");
  EXPECT_EQ(refuse("classification", "a.tsv", "review\tcomment\tlabel\na\tb\t1\n"),
            "a.tsv: \"review\" and \"comment\" could both be meant; say which by text_column");
  EXPECT_EQ(refuse("classification", "a.tsv", "text\tlabel\tgold_label\na\tb\t1\n"),
            "a.tsv: \"label\" and \"gold_label\" could both be meant; say which by label_column");
  EXPECT_THAT(refuse("classification", "a.tsv", "sentence1\tsentence2\tquestion1\tquestion2\tlabel\na\tb\tc\td\t1\n"),
              HasSubstr("could both be meant; say which by text_column and text_pair_column"));
  EXPECT_EQ(refuse("pair-similarity", "a.tsv", "text\tlabel\na\t1\n"),
            "a.tsv: no column for the texts of pair-similarity, but \"text\", \"label\"; name it by text_column");
  EXPECT_EQ(refuse("classification", "a.tsv", text, {.text_column = "3"}),
            "a.tsv: text_column is 3, expected a column from 1 to 2");
  EXPECT_THAT(refuse("classification", "a.tsv", "a film\tgood\nanother\tbad\n"),
              HasSubstr("its first line, \"a film\", \"good\", does not name the columns of classification"));
  EXPECT_THAT(refuse("classification", "a.tsv", "a\tb\n", {.text_column = "x"}), HasSubstr("has no header"));
  EXPECT_EQ(refuse<UsageError>("cola", "a.tsv", text, {.text_column = "text", .text_pair_column = "label"}),
            "text_pair_column is set, but the task cola has one text");
  EXPECT_EQ(refuse<UsageError>("classification", "a.tsv", text, {.text_pair_column = "text"}),
            "text_pair_column needs text_column, too");
}

TEST_F(TableFile, RowsOfAnotherLengthAreDroppedAndCounted) {
  const auto data = read("classification", "a.tsv", "text\tlabel\na\t1\nb\n\nc\t1\t2\nd\t0\n");
  EXPECT_EQ(texts_of(data), (Texts{{"a"}, {"d"}}));
  EXPECT_THAT(data.notices, ElementsAre("a.tsv: dropped 2 rows with another number of fields than the header's 2, the "
                                        "first at line 3"));
  // Rows of STS-B may have more.
  const std::string row = "g\tf\ty\t1\t3.2\ta\tb";
  EXPECT_EQ(read("sts-b", "s.csv", row + "\n" + row + "\tmore\tof it\n" + "g\tf\ty\t1\t3.2\ta\n").examples.size(), 2u);
}

TEST_F(TableFile, RowsWithoutTextOrLabelAreDroppedAndCounted) {
  const auto data = read("qqp", "a.tsv", "question1\tquestion2\tis_duplicate\na\tb\t1.0\nc\td\t\ne\t \t0\nf\tg\t0.0\n");
  EXPECT_EQ(texts_of(data), (Texts{{"a", "b"}, {"f", "g"}}));
  EXPECT_EQ(labels_of(data), (Texts{{"1"}, {"0"}}));
  EXPECT_THAT(data.notices, ElementsAre("a.tsv: dropped 1 row with an empty text, at line 4",
                                        "a.tsv: dropped 1 row without a label, at line 3"));
  EXPECT_EQ(read("snli", "b.tsv", "-\ta\tb\nneutral\tc\td\n").examples.size(), 1u);
  EXPECT_EQ(labels_of(read("classification", "c.tsv", "text\tlabel\na\t-\nb\t+\n")), (Texts{{"-"}, {"+"}}));
}

TEST_F(TableFile, AFileWithoutLabelsIsUnlabeled) {
  for (const char* text : {"sentence1\tsentence2\na\tb\n", "sentence1\tsentence2\tlabel\na\tb\t-1\nc\td\t-1\n"}) {
    const auto data = read("rte", "a.tsv", text);
    EXPECT_FALSE(data.labeled());
    EXPECT_THAT(data.notices, IsEmpty());
    EXPECT_THAT(refuse("rte", "a.tsv", text, {.labels_required = true}), HasSubstr("label"));
  }
  EXPECT_EQ(refuse("rte", "a.tsv", "sentence1\tsentence2\na\tb\n", {.labels_required = true}),
            "a.tsv: no column for the label of rte, but \"sentence1\", \"sentence2\"; name it by label_column");
}

TEST_F(TableFile, LabelsOfATaskMayBeWrittenOtherwise) {
  const auto labels = [&](const char* task, const std::string& column) {
    return labels_of(read(task, "a.tsv", "sentence1\tsentence2\tlabel\na\tb\t" + column + "\n")).front().front();
  };
  EXPECT_EQ(labels("rte", "1"), "not_entailment");
  EXPECT_EQ(labels("rte", " Not_Entailment "), "not_entailment");
  EXPECT_EQ(labels("mnli", "2"), "contradiction");
  EXPECT_EQ(labels("mrpc", "1.0"), "1");
  EXPECT_EQ(labels("mrpc", "TRUE"), "1");
  EXPECT_EQ(refuse("mrpc", "a.tsv", "sentence1\tsentence2\tlabel\na\tb\t1\nc\td\t2\n"),
            "a.tsv:3: the label is \"2\", expected one of 0 1");
  EXPECT_EQ(refuse("tnews", "a.tsv", "sentence\tlabel\na\t7\n").substr(0, 30), "a.tsv:2: the label is \"7\", exp");
  EXPECT_EQ(labels_of(read("classification", "b.tsv", "text\tlabel\na\t1.0\nb\t0\n")), (Texts{{"1"}, {"0"}}));
  EXPECT_EQ(labels_of(read("classification", "b.tsv", "text\tlabel\na\t1.0\nb\t2.5\n")), (Texts{{"1.0"}, {"2.5"}}));
  EXPECT_EQ(labels_of(read("classification", "b.tsv", "text\tlabel\na\t 1.0 \nb\tbeta\n")), (Texts{{"1.0"}, {"beta"}}));
}

TEST_F(TableFile, NumbersMustBeNumbers) {
  const auto data = read("regression", "a.tsv", "text\tscore\na\t-1e-3\nb\t\nc\t+2\n");
  EXPECT_THAT(each(data, &Example::value), ElementsAre(-1e-3, 2));
  for (const char* value : {"nan", "inf", "-Infinity", "1,5", "high", "1e999", "3 stars", "0x10"}) {
    EXPECT_EQ(refuse("regression", "a.tsv", std::string("text\tscore\na\t1\nb\t") + value + "\n"),
              std::string("a.tsv:3: the label is \"") + value + "\", expected a finite number");
    EXPECT_EQ(detail_of<DataError>([&] { read("regression", "a.tsv", std::string("text\tscore\nb\t") + value); }).line,
              2);
  }
}

TEST_F(TableFile, SeveralLabelsAreSeparated) {
  const auto data = read("multilabel", "a.tsv", "text\tlabels\na\tx, y\nb\ty;z\nc\tx|x\nd\t\ne\t[\"p, q\", \"r\"]\n");
  EXPECT_EQ(labels_of(data), (Texts{{"x", "y"}, {"y", "z"}, {"x"}, {}, {"p, q", "r"}}));
  EXPECT_EQ(data.examples.size(), 5u);
  EXPECT_THAT(refuse("multilabel", "a.tsv", "text\tlabels\na\t['x', 'y']\n"), HasSubstr("expected a JSON list"));
}

TEST_F(TableFile, ChoicesAreColumns) {
  const std::string header = "prompt\tchoice1\tchoice2\tlabel\n";
  const auto data = read("multiple-choice", "a.tsv", header + "p\tx\ty\t1\nq\tx\ty\tA\nr\t2\t0\t0\ns\tx\ty\ty\n");
  EXPECT_EQ(texts_of(data).front(), (std::vector<std::string>{"p", "x", "y"}));
  EXPECT_THAT(each(data, &Example::choice), ElementsAre(1, 0, 1, 1));
  EXPECT_EQ(refuse("multiple-choice", "a.tsv", header + "p\tx\ty\t2\n"),
            "a.tsv:2: the label is \"2\", expected a choice, its letter, or its number from 0 to 1");
  EXPECT_THAT(each(read("multiple-choice", "b.tsv", "p\tx\ty\tz\t2\n"), &Example::choice), ElementsAre(2));
}

TEST_F(TableFile, TripletsHaveTheMoreSimilarTextSecond) {
  const auto data = read("triplet", "a.tsv", "A\tB\tC\tlabel\na\tb\tc\tB\nd\te\tf\tC\n");
  EXPECT_EQ(texts_of(data), (Texts{{"a", "b", "c"}, {"d", "f", "e"}}));
  EXPECT_THAT(each(data, &Example::choice), ElementsAre(0, 0));
  EXPECT_TRUE(read("triplet", "b.tsv", "anchor\tpositive\tnegative\na\tb\tc\n").labeled());
  EXPECT_THAT(refuse("triplet", "a.tsv", "A\tB\tC\tlabel\na\tb\tc\t1\n"), HasSubstr("expected B or C"));
  EXPECT_EQ(texts_of(read("contrastive", "c.tsv", "anchor\tpositive\tnegative\na\tb\tc\nd\te\t\n")),
            (Texts{{"a", "b", "c"}, {"d", "e"}}));
}

TEST_F(TableFile, LinesMayEndAsOnWindows) {
  EXPECT_EQ(texts_of(read("classification", "a.tsv", "label\ttext\r\n1\ta\r\n\r\n0\tb \r\n")), (Texts{{"a"}, {"b "}}));
}

TEST_F(TableFile, AFirstRowThatHasTheNameOfALabelIsNoHeader) {
  EXPECT_EQ(read("sts-b", "sts.csv", "score\tclass\ty\t1\t3.2\ta\tb\n").examples.size(), 1u);
}

TEST_F(TableFile, IsReadCompressed) {
  EXPECT_EQ(texts_of(read("classification", "a.csv.gz", gzip("text,label\n\"a,b\",1\n"))), (Texts{{"a,b"}}));
  EXPECT_EQ(texts_of(read("cola", "a.tsv.zst", zstandard("s\t1\t\t\"a\n"))), (Texts{{"\"a"}}));
}

TEST_F(TableFile, OtherFilesAreRefused) {
  EXPECT_EQ(refuse("cola", "a.tsv",
                   "s\t1\t\tgood\ns\t1\t\tb\xFF"
                   "d\n"),
            "a.tsv:2: not valid UTF-8");
  EXPECT_EQ(refuse("cola", "a.tsv", std::string_view("s\t1\t\tb\0d\n", 9)),
            "a.tsv:1: holds a NUL byte, expected a text file");
  EXPECT_EQ(refuse("cola", "a.tsv", ""), "a.tsv: holds no example of cola");
  EXPECT_EQ(
      refuse("cola", "a.tsv", "sentence\tlabel\nx\n"),
      "a.tsv: holds no example of cola; dropped 1 row with another number of fields than the header's 2, at line 2");
  EXPECT_THAT(message_of<FileError>([&] { read_examples(find_task("cola"), directory_ / "missing.tsv"); }),
              HasSubstr("missing.tsv"));
  EXPECT_EQ(refuse<UsageError>("cola", "a.tsv", "x", {.format = FileFormat::conll}),
            "format is conll, which is for token-classification, not cola");
  EXPECT_THAT(message_of<UsageError>([] { parse_file_format("xml"); }), HasSubstr("expected one of automatic tsv csv"));
}

TEST_F(TableFile, AFieldMayBeLarge) {
  const std::string text(10 << 20, 'x');
  EXPECT_EQ(texts_of(read("classification", "a.csv", "text,label\n\"" + text + "\",1\n")), (Texts{{text}}));
}

TEST_F(TableFile, LabelsAreCollectedInOrder) {
  const auto data = read("classification", "a.tsv", "text\tlabel\na\tb\nb\t10\nc\t9\nd\tO\ne\ta\nf\t9\n");
  EXPECT_THAT(collect_labels(data.examples), ElementsAre("9", "10", "O", "a", "b"));
}

}  // namespace
}  // namespace roformer
