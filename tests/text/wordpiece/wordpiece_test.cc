#include "text/wordpiece/wordpiece.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/random.h"
#include "tests/text/tokenizer_files.h"

namespace roformer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Offset = std::array<int64_t, 2>;

class WordPiece : public testing::Test {
 protected:
  TempDirectory directory_;
  std::unique_ptr<Tokenizer> tokenizer_ = make_tokenizer(directory_, kTinyVocabulary);
};

TEST_F(WordPiece, CutsGreedilyAndKeepsOffsets) {
  const auto encoding = tokenizer_->encode("  Hello,unaffable WORLD!");
  EXPECT_THAT(encoding.ids, ElementsAre(2, 5, 10, 7, 8, 9, 6, 11, 3));
  EXPECT_THAT(encoding.offsets, ElementsAre(Offset{0, 0}, Offset{2, 7}, Offset{7, 8}, Offset{8, 10}, Offset{10, 13},
                                            Offset{13, 17}, Offset{18, 23}, Offset{23, 24}, Offset{0, 0}));
  EXPECT_THAT(encoding.segment_ids, testing::Each(0));
  EXPECT_THAT(tokenizer_->encode_plain("  Hello,unaffable WORLD!"), ElementsAre(5, 10, 7, 8, 9, 6, 11));
}

TEST_F(WordPiece, NormalizesAsBertDoes) {
  EXPECT_THAT(tokenizer_->encode_plain("CAFÉ cafe\u0301 ca\u200Bfe\x01 CA\uFFFD"
                                       "FÉ"),
              ElementsAre(14, 14, 14, 14));
  EXPECT_THAT(tokenizer_->encode_plain("a中a\u00A0a\u3000a"), ElementsAre(12, 15, 12, 12, 12));
  EXPECT_THAT(tokenizer_->encode_plain("\u0130\u0130"), ElementsAre(16, 17));
  EXPECT_THAT(tokenizer_->encode_plain("ab abb a.b"), ElementsAre(12, 13, 12, 13, 13, 12, 1, 1));
  EXPECT_THAT(tokenizer_->encode("e\u0301cafe\u0301, a").offsets,
              ElementsAre(Offset{0, 0}, Offset{0, 6}, Offset{7, 8}, Offset{9, 10}, Offset{0, 0}));
  EXPECT_THAT(tokenizer_->encode_plain(""), ElementsAre());
  EXPECT_THAT(tokenizer_->encode(" \n\u0301\u200B").ids, ElementsAre(2, 3));
}

TEST_F(WordPiece, CombiningMarksGoIntoCanonicalOrder) {
  // U+1D16D (class 226, a spacing mark, kept) comes before U+0301 (230, dropped) and after U+1D165 (216, kept).
  TempDirectory directory;
  const auto tokenizer = make_tokenizer(directory, std::string(kTinyVocabulary) + "a\U0001D165\U0001D16D\n");
  EXPECT_THAT(tokenizer->encode_plain("a\u0301\U0001D16D\U0001D165"), ElementsAre(18));
}

TEST_F(WordPiece, UnknownAndOverlongWordsAreOneToken) {
  EXPECT_THAT(tokenizer_->encode_plain("unaffx hello"), ElementsAre(1, 5));
  const std::string longest = "a" + std::string(99, 'b');
  EXPECT_EQ(tokenizer_->encode_plain(longest).size(), 100u);
  const auto encoding = tokenizer_->encode(longest + "b, é\u0301xx");
  EXPECT_THAT(encoding.ids, ElementsAre(2, 1, 10, 1, 3));
  EXPECT_EQ(encoding.offsets[1], (Offset{0, 101}));
  EXPECT_EQ(encoding.offsets[3], (Offset{103, 107}));
  EXPECT_THAT(tokenizer_->encode_plain(std::string(5'000'000, 'b')), ElementsAre(1));
}

TEST_F(WordPiece, SpecialTokensInTheTextAreRecognizedExactly) {
  const auto encoding = tokenizer_->encode("é[MASK]a [mask][SEP]");
  EXPECT_THAT(encoding.ids, ElementsAre(2, 1, 4, 12, 1, 1, 1, 3, 3));
  EXPECT_EQ(encoding.offsets[2], (Offset{1, 7}));
  EXPECT_EQ(encoding.offsets[3], (Offset{7, 8}));
  EXPECT_EQ(encoding.offsets[7], (Offset{15, 20}));
  EXPECT_EQ(encoding.offsets[8], (Offset{0, 0}));
  EXPECT_THAT(tokenizer_->encode_plain("[MASK"), ElementsAre(1, 1));
}

TEST_F(WordPiece, PairsAndLongestFirstTruncation) {
  const auto both = tokenizer_->encode("hello world", "a");
  EXPECT_THAT(both.ids, ElementsAre(2, 5, 6, 3, 12, 3));
  EXPECT_THAT(both.segment_ids, ElementsAre(0, 0, 0, 0, 1, 1));
  EXPECT_THAT(tokenizer_->encode("a a a a a", "hello hello hello", 8).ids, ElementsAre(2, 12, 12, 12, 3, 5, 5, 3));
  EXPECT_THAT(tokenizer_->encode("a a a", "hello hello hello", 8).ids, ElementsAre(2, 12, 12, 3, 5, 5, 5, 3));
  EXPECT_THAT(tokenizer_->encode("a", "hello hello hello hello", 6).ids, ElementsAre(2, 12, 3, 5, 5, 3));
  EXPECT_THAT(tokenizer_->encode("a a", "hello", 6).ids, ElementsAre(2, 12, 12, 3, 5, 3));
  EXPECT_THAT(tokenizer_->encode("a a a", {}, 3).ids, ElementsAre(2, 12, 3));
  EXPECT_THAT(tokenizer_->encode("a", "a", 3).ids, ElementsAre(2, 3, 3));
  EXPECT_THROW(tokenizer_->encode("a", "a", 2), UsageError);
  EXPECT_THROW(tokenizer_->encode("a", {}, -1), UsageError);
}

TEST_F(WordPiece, InvalidUtf8NamesTheByte) {
  EXPECT_THAT(message_of<DataError>([&] { tokenizer_->encode("abc\xFF"); }), HasSubstr("byte 3"));
  EXPECT_THAT(message_of<DataError>([&] { tokenizer_->encode("a", "\xC3"); }), HasSubstr("second text"));
  EXPECT_THROW(tokenizer_->encode_plain("\xED\xA0\x80"), DataError);
}

TEST_F(WordPiece, DecodesIntoReadableText) {
  const auto ids = tokenizer_->encode("hello, unaffable world!").ids;
  EXPECT_EQ(tokenizer_->decode(ids), "hello, unaffable world!");
  EXPECT_EQ(tokenizer_->decode(ids, true), "[CLS] hello, unaffable world! [SEP]");
  EXPECT_EQ(tokenizer_->decode(std::vector<int32_t>{15, 15, 5}), "中中hello");
  EXPECT_EQ(tokenizer_->decode(std::vector<int32_t>{8, 9}), "##affable");
  EXPECT_THROW(tokenizer_->decode(std::vector<int32_t>{18}), DataError);
  EXPECT_THROW(tokenizer_->decode(std::vector<int32_t>{-1}), DataError);
}

TEST_F(WordPiece, ContinuationsAndSpecials) {
  EXPECT_TRUE(tokenizer_->is_continuation(8));
  EXPECT_FALSE(tokenizer_->is_continuation(7));
  EXPECT_TRUE(tokenizer_->is_special(tokenizer_->unk_id()));
  EXPECT_FALSE(tokenizer_->is_special(5));
  EXPECT_EQ(tokenizer_->id("##able"), 9);
  EXPECT_EQ(tokenizer_->id("able"), std::nullopt);
  EXPECT_EQ(tokenizer_->token(9), "##able");
}

TEST(WordPieceOptions, CasedAndAccentsAndCjk) {
  const std::string vocabulary = std::string(kTinyVocabulary) + "CAFÉ\ncafé\na中a\n";
  const auto ids = [&](std::string_view config, std::string_view text) {
    TempDirectory directory;
    return make_tokenizer(directory, vocabulary, config)->encode_plain(text);
  };
  EXPECT_THAT(ids(R"({"do_lower_case": false})", "CAFÉ cafe"), ElementsAre(18, 14));
  EXPECT_THAT(ids(R"({"do_lower_case": true, "strip_accents": false})", "CAFÉ"), ElementsAre(19));
  EXPECT_THAT(ids(R"({"do_lower_case": true, "strip_accents": null})", "CAFÉ"), ElementsAre(14));
  EXPECT_THAT(ids(R"({"do_lower_case": false, "strip_accents": true})", "cafÉ café"), ElementsAre(1, 14));
  EXPECT_THAT(ids(R"({"tokenize_chinese_chars": false})", "a中a"), ElementsAre(20));
}

// Offsets rise, lie within the text, and what they slice gives the same tokens again.
TEST_F(WordPiece, SlicesOfOddTextGiveTheirTokens) {
  const std::u32string alphabet = U"abÉe\u0301\u200B 中한,!\u0130\u3000\U0001F600[\t";
  Generator generator({.seed = 7, .stream = 1});
  for (int round = 0; round < 500; ++round) {
    std::u32string text;
    std::string bytes;
    for (uint64_t i = generator.below(40); i > 0; --i) text += alphabet[generator.below(alphabet.size())];
    for (const char32_t c : text) append_utf8(bytes, c);
    const auto encoding = tokenizer_->encode(bytes);
    int64_t last = 0;
    for (size_t i = 1; i + 1 < encoding.ids.size(); ++i) {
      const auto [begin, end] = encoding.offsets[i];
      ASSERT_LE(last, begin);
      ASSERT_LT(begin, end);
      ASSERT_LE(end, static_cast<int64_t>(text.size()));
      last = begin;
      if (tokenizer_->is_continuation(encoding.ids[i])) continue;
      std::string slice;
      for (const char32_t c : text.substr(static_cast<size_t>(begin), static_cast<size_t>(end - begin))) {
        append_utf8(slice, c);
      }
      ASSERT_THAT(tokenizer_->encode_plain(slice), ElementsAre(encoding.ids[i])) << bytes << " / " << slice;
    }
  }
}

// Golden ids and offsets: transformers 5.23, BertTokenizerFast(vocab=...) with the bert-base vocabularies.
class BertVocabulary : public testing::Test {
 protected:
  void SetUp() override {
    const char* variable = std::getenv("ROFORMER_SHARED");
    const std::string shared = variable ? variable : ROFORMER_SOURCE_DIR "/../shared";
    const std::string script = shared + "/data/unpack.sh";
    if (!std::filesystem::exists(script)) GTEST_SKIP() << script << " is absent (set ROFORMER_SHARED)";
    const std::string command = "bash '" + script + "' '" + directory_.path() + "' vocab > /dev/null 2>&1";
    if (std::system(command.c_str()) != 0) GTEST_SKIP() << "cannot unpack the vocabularies";
  }

  std::unique_ptr<Tokenizer> load(const std::string& name) {
    const std::string target = directory_ / name;
    std::filesystem::create_directory(target);
    std::filesystem::rename(directory_ / ("vocab/" + name + "-vocab.txt"), target + "/vocab.txt");
    return load_tokenizer(target);
  }

  TempDirectory directory_;
};

TEST_F(BertVocabulary, Uncased) {
  const auto tokenizer = load("bert-base-uncased");
  EXPECT_EQ(tokenizer->vocabulary_size(), 30522);
  EXPECT_THAT(tokenizer->encode("Hello, World! unaffable [MASK] café").ids,
              ElementsAre(101, 7592, 1010, 2088, 999, 14477, 20961, 3468, 103, 7668, 102));
  EXPECT_THAT(tokenizer->encode("永和服装ABC，12312格ab局").ids,
              ElementsAre(101, 1896, 1796, 100, 100, 5925, 1989, 13138, 12521, 100, 11113, 100, 102));
  const auto odd = tokenizer->encode("naïve \u0130stanbul\u200B\u00A0x\u0301y \U0001F600 한국");
  EXPECT_THAT(odd.ids, ElementsAre(101, 15743, 9960, 1060, 2100, 100, 1469, 30006, 30021, 29991, 30014, 30020, 102));
  EXPECT_EQ(odd.offsets[3], (Offset{16, 17}));
  EXPECT_EQ(odd.offsets[4], (Offset{18, 19}));
  EXPECT_EQ(odd.offsets[8], (Offset{22, 23}));
  EXPECT_EQ(odd.offsets[9], (Offset{23, 24}));
}

TEST_F(BertVocabulary, Chinese) {
  const auto tokenizer = load("bert-base-chinese");
  EXPECT_THAT(tokenizer->encode("永和服装ABC，12312格ab局").ids,
              ElementsAre(101, 3719, 1469, 3302, 6163, 8425, 8024, 8604, 8455, 3419, 9386, 2229, 102));
}

}  // namespace
}  // namespace roformer
