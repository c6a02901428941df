// JSON files: records, documents of questions, and the shapes of Chinese tasks.
#include "tests/base/error_detail.h"
#include "tests/data/labeled/labeled_files.h"

namespace roformer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

using JsonFile = LabeledFiles;

TEST_F(JsonFile, RecordsAreLinesAListOrOneAfterAnother) {
  const std::string a = R"({"text": "a \"}", "label": 1, "id": 7})", b = "{\n \"text\": \"b\",\n \"label\": 0\n}";
  for (const std::string& text : {a + "\n\n" + b, a + b, "[" + a + ",\n" + b + "\n]\n"}) {
    const auto data = read("classification", "a.json", text);
    EXPECT_EQ(texts_of(data), (Texts{{"a \"}"}, {"b"}})) << text;
    EXPECT_EQ(labels_of(data), (Texts{{"1"}, {"0"}}));
    EXPECT_THAT(each(data, &Example::id), ElementsAre("7", ""));
  }
  EXPECT_THAT(each(read("classification", "a.jsonl", a + "\n\n" + b), &Example::line), ElementsAre(1, 3));
  EXPECT_THAT(each(read("classification", "a.jsonl", b + "\n" + a), &Example::line), ElementsAre(1, 5));
  EXPECT_THAT(read("classification", "a.txt", "\n " + a).examples, SizeIs(1));
}

TEST_F(JsonFile, BrokenOnesAreRefusedWithTheirLine) {
  const auto error = [&](std::string_view text) {
    return detail_of<DataError>([&] { read("classification", "a.jsonl", text); }).line;
  };
  const std::string good = "{\"text\": \"a\", \"label\": 1}\n";
  EXPECT_EQ(error(good + "{\"text\": a}\n"), 2);
  EXPECT_EQ(error(good + "{\"text\": \"a\"\n" + good), 3);  // where the parser sees it
  EXPECT_EQ(error(good + good + "{\"text\": \"never ends"), 3);
  EXPECT_EQ(error(good + "7\n"), 2);
  EXPECT_EQ(error(good + "}\n"), 2);
  EXPECT_EQ(error("[" + good + good + "]"), 2);
  EXPECT_EQ(error("[" + good), 2);
  EXPECT_EQ(error("[" + good + "]\n" + good), 3);
  EXPECT_EQ(error(good + "{\"text\": {}, \"label\": 1}\n"), 2);
  EXPECT_THAT(refuse("classification", "a.json", good + "   {\"text\": a}"), HasSubstr("line 2, column 13"));
  EXPECT_THAT(refuse("classification", "a.json", std::string(100'000, '[')), HasSubstr("nested deeper"));
  EXPECT_THAT(refuse("classification", "a.json", "[]"), HasSubstr("holds no example"));
}

TEST_F(JsonFile, ValuesOfOtherTypesCount) {
  EXPECT_EQ(labels_of(read("mrpc", "a.json", R"({"sentence1":"a","sentence2":"b","label":true})")), (Texts{{"1"}}));
  EXPECT_EQ(labels_of(read("multilabel", "a.json", R"({"text":"a","labels":["x,y",2]}{"text":"b","labels":[]})")),
            (Texts{{"x,y", "2"}, {}}));
  EXPECT_THAT(each(read("regression", "a.json", R"({"text":"a","score":0.25})"), &Example::value), ElementsAre(0.25));
  const auto data =
      read("classification", "a.json", R"({"text":"a","label":null}{"text":"b"}{"text":"c","label":"x"})");
  EXPECT_EQ(texts_of(data), (Texts{{"c"}}));
  EXPECT_THAT(data.notices, ElementsAre("a.json: dropped 2 rows without a label, the first at line 1"));
  EXPECT_THAT(refuse("classification", "a.json", R"({"text":"a","label":["x","y"]})"), HasSubstr("multilabel"));
  EXPECT_THAT(refuse("classification", "a.json", R"({"text":"a","label":"x"})", {.label_column = "2"}),
              HasSubstr("no column \"2\""));
}

TEST_F(JsonFile, TokensHaveTags) {
  const auto data = read("token-classification", "a.json",
                         R"({"tokens":["A","b"],"tags":["B-X","O"]}{"tokens":["c"],"tags":["O","O"]}{"tokens":[]})");
  EXPECT_EQ(texts_of(data), (Texts{{"A", "b"}}));
  EXPECT_EQ(labels_of(data), (Texts{{"B-X", "O"}}));
  EXPECT_THAT(data.notices, ElementsAre("a.json: dropped 1 row with another number of tags than of tokens, at line 1",
                                        "a.json: dropped 1 row without a list of tokens, at line 1"));
  EXPECT_FALSE(read("token-classification", "b.json", R"({"tokens":["A","b"]})").labeled());
}

TEST_F(JsonFile, ChoicesAreALabelOrAnAnswer) {
  const auto data = read("multiple-choice", "a.json",
                         R"({"question":"q","choices":["1","0"],"answer":1})"
                         R"({"question":"q","choices":["1","0"],"answer":"1"})"
                         R"({"question":"q","choices":["x","y"],"answer":"b"})");
  EXPECT_THAT(each(data, &Example::choice), ElementsAre(1, 0, 1));
  EXPECT_EQ(
      texts_of(read("multiple-choice", "a.json", R"({"context":"c","question":"q?","options":["x","y"],"label":0})")),
      (Texts{{"c", "q? x", "q? y"}}));
}

constexpr std::string_view kSquad =
    R"({"version": "2", "data": [{"title": "t", "paragraphs": [{"context": "é is é, b is b",
  "qas": [{"id": "1", "question": "one?", "answers": [{"text": "é", "answer_start": 5}, {"text": "b", "answer_start": 8}]},
          {"id": "2", "question": "two?", "is_impossible": true, "answers": [], "plausible_answers": []},
          {"id": "3", "question": "three?", "answers": [{"text": "b", "answer_start": 11}, {"text": "c", "answer_start": 1}]},
          {"id": "4", "question": "four?", "answers": [{"text": "b", "answer_start": 900}]},
          {"id": "5", "question": " ", "answers": [{"text": "b", "answer_start": 8}]},
          {"id": "6", "question": "six?", "answers": []}]}]}]})";

TEST_F(JsonFile, SquadsAnswersArePutWhereTheyAre) {
  const auto data = read("question-answering", "a.json", kSquad);
  const auto answers = each(data, &Example::answers);
  ASSERT_THAT(answers, SizeIs(4));
  const auto is = [](const AnswerSpan& answer, std::string_view text, int64_t begin) {
    EXPECT_EQ(answer.text, text);
    EXPECT_EQ(answer.begin, begin);
  };
  EXPECT_EQ(data.examples[0].texts, (std::vector<std::string>{"one?", "é is é, b is b"}));
  EXPECT_THAT(each(data, &Example::id), ElementsAre("1", "2", "3", "4"));
  EXPECT_THAT(each(data, &Example::line), ElementsAre(1, 2, 3, 4));
  is(answers[0][0], "é", 5);
  is(answers[0][1], "b", 8);
  EXPECT_THAT(answers[1], IsEmpty());
  is(answers[2][0], "b", 13);  // as near as the one before it, and in bytes nearer
  is(answers[2][1], "c", -1);
  is(answers[3][0], "b", 8);
  EXPECT_EQ(refuse<UsageError>("question-answering", "a.json", kSquad, {.text_column = "question"}),
            "text_column is not for documents of questions, which have their own keys");
  EXPECT_THAT(data.notices, ElementsAre("a.json: moved 2 answers to where the context has it, the first at question 3",
                                        "a.json: found 1 answer nowhere in their contexts, at question 3",
                                        "a.json: dropped 1 row with an empty text, at question 5",
                                        "a.json: dropped 1 row without a label, at question 6"));
}

TEST_F(JsonFile, QuestionsMayBeRecords) {
  const auto data = read("question-answering", "a.jsonl",
                         R"({"question":"q","context":"a b a","answers":{"text":["a","b"],"answer_start":[4,2]}})"
                         R"({"question":"q","context":"a b a","answers":[{"text":"a","answer_start":4}]})"
                         R"({"question":"q","context":"a b a","answers":["b"]})"
                         R"({"question":"q","context":"a b a","answers":{"text":[],"answer_start":[]}})");
  std::vector<int64_t> begins;
  for (const Example& example : data.examples)
    begins.push_back(example.answers.empty() ? -2 : example.answers[0].begin);
  EXPECT_THAT(begins, ElementsAre(4, 4, 2, -2));
  EXPECT_THAT(data.notices, IsEmpty());
  const auto table = read("question-answering", "a.tsv", "question\tcontext\tanswer\nq\ta b a\tb\n");
  EXPECT_EQ(table.examples[0].answers[0].begin, 2);
}

TEST_F(JsonFile, OtherDocumentsAreRefused) {
  for (const char* text :
       {R"({"data": 1})", R"({"data": [1]})", R"({"data": [{"paragraphs": [{"context": 1}]}]})",
        R"({"data": [{"paragraphs": [{"context": "a", "qas": [{"question": "q", "answers": 1}]}]}]})",
        R"({"data": [{"paragraphs": [{"context": "a", "qas": [{"answers": []}]}]}]})", R"({"data": []})",
        R"({"question":"q","context":"c","answers":{"text":["c"],"answer_start":[]}})",
        R"({"question":"q","context":"c","answers":7})"}) {
    EXPECT_NE(refuse("question-answering", "a.json", text), "") << text;
  }
  for (const char* text : {"[[1, 2]]", "[[[1], []]]", R"([[["a"], [{"question": "q"}]]])", "[[]]", "[7]"}) {
    EXPECT_NE(refuse("c3", "a.json", text), "") << text;
  }
}

TEST_F(JsonFile, QuestionsOfC3ComeBeforeTheirChoices) {
  const auto data =
      read("c3", "a.json",
           R"([[["甲：一", "乙：二"], [{"question": "几?", "choice": ["一", "二"], "answer": "二"}], "x-1"]])");
  EXPECT_EQ(texts_of(data), (Texts{{"甲：一\n乙：二", "几? 一", "几? 二"}}));
  EXPECT_THAT(each(data, &Example::choice), ElementsAre(1));
  EXPECT_THAT(each(data, &Example::id), ElementsAre("x-1"));
}

TEST_F(JsonFile, IdiomsFillABlank) {
  const auto data = read("chid", "a.json",
                         R"({"id": 0, "candidates": ["一心", "二意"], "content": "他#idiom#。", "answer": 1})"
                         R"({"id": 1, "candidates": ["一心", "二意"], "content": "他。", "answer": 0})");
  EXPECT_EQ(texts_of(data), (Texts{{"他____。", "一心", "二意"}}));
  EXPECT_THAT(data.notices, ElementsAre("a.json: dropped 1 row without #idiom# in its content, at line 1"));
}

TEST_F(JsonFile, SpansOfCluewscAreMarked) {
  const auto record = [](const char* first, int at, const char* second, int there) {
    return fmt::format(
        R"({{"text": "小明说他累，他走了", "label": "true", "target": {{"span1_text": "{}", "span1_index": {},
                           "span2_text": "{}", "span2_index": {}}}}})",
        first, at, second, there);
  };
  const auto marked = [&](const std::string& text) { return texts_of(read("cluewsc", "a.json", text)); };
  EXPECT_EQ(marked(record("小明", 0, "他", 6)), (Texts{{"_小明_说他累，[他]走了"}}));
  EXPECT_EQ(marked(record("他", 3, "小明", 0)), (Texts{{"[小明]说_他_累，他走了"}}));
  EXPECT_EQ(marked(record("说", 2, "他", 3)), (Texts{{"小明_说_[他]累，他走了"}}));
  const auto moved = read("cluewsc", "b.json", record("小明", 1, "他", 5));
  EXPECT_EQ(texts_of(moved), (Texts{{"_小明_说他累，[他]走了"}}));
  EXPECT_THAT(moved.notices, ElementsAre("b.json: moved 1 span to where the text has it, at line 1"));
  EXPECT_THAT(refuse("cluewsc", "a.json", record("小红", 0, "他", 6)), HasSubstr("a span that is nowhere"));
  EXPECT_THAT(refuse("cluewsc", "a.json", R"({"text": "a", "target": 1})"), HasSubstr("'target' is 1"));
}

TEST_F(JsonFile, EntitiesOfCluenerAreTagged) {
  const auto data = read("cluener", "a.json",
                         "{\n\"text\": \"在é大学a\",\n\"label\": {\"place\": {\"é大学\": [[1, 3]], \"大\": [[2, 2]]},"
                         "\"name\": {\"a\": [[4, 4], [4, 9]]}}\n}\n{\"text\": \"无\", \"label\": {}}");
  EXPECT_EQ(texts_of(data), (Texts{{"在", "é", "大", "学", "a"}, {"无"}}));
  EXPECT_EQ(labels_of(data), (Texts{{"O", "B-place", "I-place", "I-place", "B-name"}, {"O"}}));
  EXPECT_THAT(data.notices, ElementsAre("a.json: dropped 1 entity mention beyond the ends of their texts, at line 1",
                                        "a.json: dropped 1 entity mention within others, at line 1"));
  EXPECT_THAT(refuse("cluener", "a.json", R"({"text": "a", "label": {"x": {"a": [[0]]}}})"),
              HasSubstr("'label' has [0], expected"));
}

TEST_F(JsonFile, KeywordsOfCslAreJoined) {
  EXPECT_EQ(texts_of(read("csl", "a.json", R"({"id": 0, "abst": "摘要", "keyword": ["一", "二"], "label": "0"})")),
            (Texts{{"一 二", "摘要"}}));
}

}  // namespace
}  // namespace roformer
