#include "text/jieba/jieba_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "tests/text/jieba/jieba_files.h"

namespace roformer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Offset = std::array<int64_t, 2>;

// Ids: 5 今天, 6 非常, 7 好, 8 今, 9 天, 10 气, 11 a, 12 ##b, 13 ".", 14 ",", 15 中国, 16 e, 17 c++, 18 ς, 19 σ
constexpr std::string_view kVocabulary =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n今天\n非常\n好\n今\n天\n气\na\n##b\n.\n,\n中国\ne\nc++\nς\nσ\n";
constexpr std::string_view kJiebaConfig = R"({"tokenizer_class": "RoFormerTokenizer"})";

class Jieba : public WithJieba {
 protected:
  std::unique_ptr<Tokenizer> load(std::string_view mode) {
    write_text(directory_ / "vocab.txt", kVocabulary);
    write_text(directory_ / "tokenizer_config.json", kJiebaConfig);
    return load_tokenizer(directory_.path(), {.mode = parse_jieba_mode(mode), .jieba_dictionary = {}});
  }
};

TEST_F(Jieba, WordsOfTheVocabularyAreTokensOthersAreCut) {
  for (const char* mode : {"fast", "slow", "bert4keras"}) {
    const auto encoding = load(mode)->encode("今天天气非常好, AB中国[MASK]É");
    // 今天天气 is jieba's word, but no token: its characters are.
    EXPECT_THAT(encoding.ids, ElementsAre(2, 8, 9, 9, 10, 6, 7, 14, 11, 12, 15, 4, 16, 3)) << mode;
    EXPECT_EQ(encoding.offsets[5], (Offset{4, 6}));
    EXPECT_EQ(encoding.offsets[8], (Offset{9, 10}));
    EXPECT_EQ(encoding.offsets[10], (Offset{11, 13}));
    EXPECT_EQ(encoding.offsets[11], (Offset{13, 19}));
    EXPECT_EQ(encoding.offsets[12], (Offset{19, 20}));
    EXPECT_THAT(load(mode)->encode("a", "今天", 4).ids, ElementsAre(2, 3, 5, 3)) << mode;
  }
}

// Differences between the three modes, each as in its reference.
TEST_F(Jieba, TheModesDiffer) {
  const auto fast = load("fast"), slow = load("slow"), original = load("bert4keras");
  // A control character inside a word: dropped before jieba cuts, or a word for jieba.
  EXPECT_THAT(fast->encode_plain("非\u200B常"), ElementsAre(6));
  EXPECT_THAT(slow->encode_plain("非\u200B常"), ElementsAre(1, 1));
  EXPECT_THAT(original->encode_plain("非\u200B常"), ElementsAre(1, 1));
  // An accent inside: dropped before, left for jieba, dropped before.
  EXPECT_THAT(fast->encode_plain("a\u0301b"), ElementsAre(11, 12));
  EXPECT_THAT(slow->encode_plain("a\u0301b"), ElementsAre(11, 1));
  EXPECT_THAT(original->encode_plain("a\u0301b"), ElementsAre(11, 12));
  // The small sigma at the end of a word is bert4keras' alone (the text in lower case as a whole).
  EXPECT_THAT(fast->encode_plain("aΣ"), ElementsAre(11, 19));
  EXPECT_THAT(slow->encode_plain("aΣ"), ElementsAre(11, 19));
  EXPECT_THAT(original->encode_plain("aΣ Σa"), ElementsAre(11, 18, 19, 11));
  // The maximum length of words.
  const std::string word = "a" + std::string(150, 'b');
  EXPECT_THAT(fast->encode_plain(word), ElementsAre(1));
  EXPECT_THAT(slow->encode_plain(word), ElementsAre(1));
  EXPECT_EQ(original->encode_plain(word).size(), 151u);
  EXPECT_THAT(original->encode_plain("a" + std::string(200, 'b')), ElementsAre(1));
}

// Only `fast` leaves punctuation in an unknown word: jieba's word c+. here.
TEST_F(Jieba, UnknownWordsWithPunctuation) {
  write_text(directory_ / "dict.txt", "a.b 9 x\n中国 3\n");
  EXPECT_THAT(load("fast")->encode_plain("a.b"), ElementsAre(1));
  EXPECT_THAT(load("slow")->encode_plain("a.b"), ElementsAre(11, 13, 1));
  EXPECT_THAT(load("bert4keras")->encode_plain("a.b"), ElementsAre(11, 13, 1));
}

TEST_F(Jieba, WordsAreWhatJiebaCuts) {
  const auto tokenizer = load("fast");
  EXPECT_THAT(dynamic_cast<const JiebaTokenizer&>(*tokenizer).words("今天天气 É!"),
              ElementsAre("今天天气", " ", "e", "!"));
  EXPECT_THROW(dynamic_cast<const JiebaTokenizer&>(*tokenizer).words("\xFF"), DataError);
}

TEST_F(Jieba, FilesHoldModeAndDictionary) {
  const auto tokenizer = load("slow");
  const auto files = tokenizer->files();
  EXPECT_EQ(files.at("jieba_dict.txt"), kTinyDictionary);
  EXPECT_THAT(files.at("tokenizer_config.json"), HasSubstr(R"("tokenizer_mode": "slow")"));
  TempDirectory copy;
  for (const auto& [name, content] : files) write_text(copy / name, content);
  ::unsetenv("ROFORMER_JIEBA_DICTIONARY");
  const auto again = load_tokenizer(copy.path());
  EXPECT_EQ(again->files(), files);
  EXPECT_EQ(again->encode("今天天气a\u0301b").ids, tokenizer->encode("今天天气a\u0301b").ids);
  EXPECT_EQ(again->type(), "jieba-wordpiece");
  write_text(directory_ / "dict.txt", "中国 5\n");
  EXPECT_THAT(message_of<DataError>([&] { tokenizer->files(); }), HasSubstr("has changed since"));
}

TEST_F(Jieba, WhichDirectoriesAreJiebas) {
  const auto type_of = [&](std::string_view vocabulary, std::string_view model, std::string_view config) {
    TempDirectory directory;
    write_text(directory / "vocab.txt", vocabulary);
    if (!model.empty()) write_text(directory / "config.json", model);
    if (!config.empty()) write_text(directory / "tokenizer_config.json", config);
    return std::string(load_tokenizer(directory.path())->type());
  };
  constexpr std::string_view kRoFormer = R"({"model_type": "roformer"})";
  EXPECT_EQ(type_of(kVocabulary, "", kJiebaConfig), "jieba-wordpiece");
  EXPECT_EQ(type_of(kVocabulary, kRoFormer, ""), "jieba-wordpiece");
  EXPECT_EQ(type_of(kVocabulary, "", ""), "wordpiece");
  EXPECT_EQ(type_of(kTinyVocabulary, kRoFormer, ""), "wordpiece");  // no word of two ideographs
  EXPECT_EQ(type_of(kVocabulary, R"({"model_type": "roformer", "tokenizer_class": "BertTokenizer"})", ""), "wordpiece");
  EXPECT_EQ(type_of(kVocabulary, kRoFormer, R"({"tokenizer_class": "BertTokenizer"})"), "wordpiece");
  EXPECT_EQ(type_of(kVocabulary, R"({"model_type": "bert"})", ""), "wordpiece");
}

TEST_F(Jieba, OptionsAreForJiebaAlone) {
  write_text(directory_ / "vocab.txt", kTinyVocabulary);
  EXPECT_EQ(load_tokenizer(directory_.path(), {.mode = JiebaMode::slow, .jieba_dictionary = {}})->type(),
            "jieba-wordpiece");
  EXPECT_THROW(load_tokenizer(directory_.path(), {.mode = {}, .jieba_dictionary = directory_ / "dict.txt"}),
               UsageError);
  write_text(directory_ / "tokenizer_config.json", R"({"tokenizer_class": "BertTokenizer"})");
  EXPECT_THAT(message_of<UsageError>(
                  [&] { load_tokenizer(directory_.path(), {.mode = JiebaMode::slow, .jieba_dictionary = {}}); }),
              HasSubstr("BertTokenizer"));
  write_text(directory_ / "tokenizer_config.json",
             R"({"tokenizer_class": "RoFormerTokenizer", "tokenizer_mode": "quick"})");
  EXPECT_THAT(message_of<DataError>([&] { load_tokenizer(directory_.path()); }),
              HasSubstr("'tokenizer_mode' is \"quick\", expected fast, slow or bert4keras"));
}

TEST_F(Jieba, ADictionaryThatIsNotThereIsNamed) {
  const Environment elsewhere("ROFORMER_JIEBA_DICTIONARY", directory_ / "none");
  EXPECT_THAT(message_of<FileError>([&] { load("fast"); }), HasSubstr("none"));
}

// bert4keras uses the first field of a line, others the whole line.
TEST_F(Jieba, VocabularyLinesWithMoreThanAToken) {
  write_text(directory_ / "vocab.txt", "[PAD] 1\n[UNK] 2\n[CLS]\n[SEP]\n[MASK]\n今天\t7\n");
  write_text(directory_ / "tokenizer_config.json", kJiebaConfig);
  const auto load_as = [&](JiebaMode mode) {
    return load_tokenizer(directory_.path(), {.mode = mode, .jieba_dictionary = {}});
  };
  EXPECT_THAT(load_as(JiebaMode::bert4keras)->encode_plain("今天"), ElementsAre(5));
  EXPECT_THAT(message_of<DataError>([&] { load_as(JiebaMode::slow); }), HasSubstr("\"[PAD]\", \"[UNK]\""));
}

// Golden words and ids of RoFormer's own vocabulary: the model card of junnyu/roformer_chinese_base, and transformers'
// tests/models/roformer/test_tokenization_roformer.py.
TEST(RoFormerVocabulary, GoldenIds) {
  const char* variable = std::getenv("ROFORMER_SHARED");
  const std::string shared = variable ? variable : ROFORMER_SOURCE_DIR "/../shared";
  const std::string script = shared + "/data/unpack.sh";
  if (!std::filesystem::exists(script)) GTEST_SKIP() << script << " is absent (set ROFORMER_SHARED)";
  TempDirectory directory;
  const Environment cache("XDG_CACHE_HOME", directory.path());
  const std::string command = "bash '" + script + "' '" + directory.path() + "' vocab > /dev/null 2>&1";
  if (std::system(command.c_str()) != 0) GTEST_SKIP() << "cannot unpack the vocabularies";
  std::filesystem::rename(directory / "vocab/roformer_chinese_base-vocab.txt", directory / "vocab.txt");
  write_text(directory / "tokenizer_config.json", kJiebaConfig);
  const auto load_as = [&](JiebaMode mode) {
    return load_tokenizer(directory.path(), {.mode = mode, .jieba_dictionary = directory / "vocab/jieba_dict.txt"});
  };
  for (const JiebaMode mode : {JiebaMode::fast, JiebaMode::slow, JiebaMode::bert4keras}) {
    const auto tokenizer = load_as(mode);
    EXPECT_EQ(tokenizer->vocabulary_size(), 50000);
    EXPECT_THAT(tokenizer->encode_plain("永和服装饰品有限公司,今天天气非常好"),
                ElementsAre(22943, 21332, 34431, 45904, 117, 306, 1231, 1231, 2653, 33994, 1266));
    const auto& jieba = dynamic_cast<const JiebaTokenizer&>(*tokenizer);
    EXPECT_THAT(jieba.words("永和服装饰品有限公司,今天天气非常好"),
                ElementsAre("永和", "服装", "饰品", "有限公司", ",", "今天天气", "非常", "好"));
  }
}

}  // namespace
}  // namespace roformer
