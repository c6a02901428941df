#include "text/learn/train.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/base/error_detail.h"
#include "tests/text/jieba/jieba_files.h"

namespace roformer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Train : public testing::Test {
 protected:
  std::vector<std::string> input(std::string_view text) {
    write_text(directory_ / "input.txt", text);
    return {directory_ / "input.txt"};
  }
  std::vector<std::string> learn(std::string_view text, const TokenizerTraining& options) {
    const auto tokenizer = train_wordpiece(input(text), options, pool_);
    std::vector<std::string> tokens;
    for (int32_t id = 5; id < tokenizer->vocabulary_size(); ++id) tokens.push_back(tokenizer->token(id));
    return tokens;
  }

  TempDirectory directory_;
  ThreadPool pool_{2};
};

// By hand: words hug ×10, pug ×5, pun ×12, bun ×4, hugs ×5 (the example of Hugging Face's course). Pairs: ##u ##g 20,
// then ##u ##n 16, then h ##ug 15; and p ##un 12, p ##ug 5 = hug ##s 5 (the one with the lower left id first).
TEST_F(Train, MergesTheCommonestPairs) {
  std::string text;
  const auto add = [&](int count, const char* word) {
    for (int i = 0; i < count; ++i) text += std::string(word) + (i % 3 ? " " : "\n");
  };
  add(10, "hug"), add(5, "pug"), add(12, "pun"), add(4, "bun"), add(5, "hugs");
  EXPECT_THAT(learn(text, {.vocab_size = 1000}),
              ElementsAre("b", "g", "h", "n", "p", "s", "u", "##g", "##n", "##s", "##u", "##ug", "##un", "hug", "pun",
                          "pug", "hugs", "bun"));
  EXPECT_THAT(learn(text, {.vocab_size = 5 + 12}).back(), "##ug");
  EXPECT_THAT(learn(text, {.vocab_size = 1000, .min_frequency = 16}).back(), "##un");
  const auto too_small = [&] { learn(text, {.vocab_size = 15}); };
  EXPECT_THAT(message_of<UsageError>(too_small), HasSubstr("at least 16"));
  EXPECT_EQ(detail_of<UsageError>(too_small).field, "vocab_size");
}

TEST_F(Train, RepeatedLettersMergeFromTheLeft) {
  // aaaa: a ##a 1 and ##a ##a 2 (in one word) → ##aa → a ##aa ##a; both pairs 1 → a ##aa first by ids, then aaaa.
  EXPECT_THAT(learn("aaaa", {.vocab_size = 100, .min_frequency = 1}), ElementsAre("a", "##a", "##aa", "aaa", "aaaa"));
}

TEST_F(Train, SameTextInAnyFormAndThreadsGivesTheSameVocabulary) {
  std::string text;
  for (int i = 0; i < 20000; ++i) text += fmt::format("word{} thing{} the{}\n", i % 97, i * i % 1013, i % 7);
  ThreadPool one(1), four(4);
  const TokenizerTraining options{.vocab_size = 600, .lowercase = true};
  const auto a = train_wordpiece(input(text), options, one)->files();
  EXPECT_EQ(train_wordpiece(input(text), options, four)->files(), a);
  EXPECT_EQ(train_wordpiece(input("<doc id=\"1\">\n" + text + "</doc>\n"), options, one)->files(), a);
  EXPECT_EQ(std::count(a.at("vocab.txt").begin(), a.at("vocab.txt").end(), '\n'), 600);
}

TEST_F(Train, NormalizationFollowsLowercase) {
  EXPECT_THAT(learn("É É", {.lowercase = true}), ElementsAre("e"));
  EXPECT_THAT(learn("É É", {.lowercase = false}), ElementsAre("É"));
  const auto tokenizer = train_wordpiece(input("É É"), {.lowercase = true}, pool_);
  EXPECT_THAT(tokenizer->encode_plain("é"), ElementsAre(5));
}

TEST_F(Train, AlphabetKeepsTheCommonestCharacters) {
  EXPECT_THAT(learn("aaa aaa bb cb", {.limit_alphabet = 2}), ElementsAre("a", "b", "##a", "##b", "aa", "aaa"));
  EXPECT_THROW(learn("a", {.limit_alphabet = 0}), UsageError);
}

TEST_F(Train, TinyAndEmptyTexts) {
  EXPECT_THAT(learn("x", {}), ElementsAre("x"));
  EXPECT_THAT(learn("xy", {}), ElementsAre("x", "y", "##y"));
  EXPECT_THAT(message_of<DataError>([&] { learn("", {}); }), HasSubstr("no words"));
  EXPECT_THAT(message_of<DataError>([&] { learn(" \n<doc id=1>\n", {}); }), HasSubstr("no words"));
  EXPECT_THROW(learn(std::string(101, 'x'), {}), DataError);
  EXPECT_THAT(message_of<DataError>([&] { learn("ab\ncd\xFF\n", {}); }), HasSubstr("input.txt:2: not valid UTF-8"));
  EXPECT_THROW(train_wordpiece(std::vector<std::string>{directory_ / "none"}, {}, pool_), FileError);
  EXPECT_THROW(learn("x", {.vocab_size = -1}), UsageError);
  EXPECT_THROW(learn("x", {.vocab_size = int64_t{1} << 40}), UsageError);
}

TEST_F(Train, Characters) {
  const auto tokenizer = train_char(input("bbb aa\naa c中中\n"), {.vocab_size = 10}, pool_);
  // a 4; space and line ends 4 (U+0020 comes first); b 3; 中 2; c once, below min_frequency.
  EXPECT_EQ(tokenizer->files().at("vocab.txt"), "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n \na\nb\n中\n");
  EXPECT_THAT(tokenizer->encode_plain("a c中"), ElementsAre(6, 5, 1, 8));
  EXPECT_EQ(train_char(input("abcabc"), {.vocab_size = 6}, pool_)->vocabulary_size(), 6);
  EXPECT_THROW(train_char(input(" \n"), {}, pool_), DataError);
  EXPECT_THROW(train_char(input("a"), {.vocab_size = 5}, pool_), UsageError);
}

// 中国 5, 今天 2, 天气 once, so no word of the vocabulary; Latin words are learned from as WordPiece's.
TEST_F(Train, JiebaWords) {
  const Environment cache("XDG_CACHE_HOME", directory_.path());
  const std::string dictionary = directory_ / "dict.txt";
  write_text(dictionary, kTinyDictionary);
  const std::string text = "中国中国 中国，今天\n今天中国 中国 天气\nThe the the cat\n";
  const auto learn_words = [&](const TokenizerTraining& options, ThreadPool& pool) {
    return train_jieba_wordpiece(input(text), options, dictionary, JiebaMode::fast, pool);
  };
  const TokenizerTraining options{.vocab_size = 100, .lowercase = true};
  const auto tokenizer = learn_words(options, pool_);
  EXPECT_EQ(tokenizer->files().at("vocab.txt"),
            "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nc\ne\nh\nt\n中\n今\n国\n天\n气\n，\n##a\n##e\n##h\n##t\n"
            "中国\nth\nthe\n今天\n");
  EXPECT_EQ(tokenizer->type(), "jieba-wordpiece");
  EXPECT_THAT(tokenizer->encode_plain("今天天气"), ElementsAre(11, 13, 13, 14));  // jieba cuts 今天天气, not learned
  EXPECT_THAT(tokenizer->encode_plain("The中国"), ElementsAre(22, 20));
  EXPECT_EQ(tokenizer->files().at("jieba_dict.txt"), kTinyDictionary);
  ThreadPool one(1), three(3);
  EXPECT_EQ(learn_words(options, one)->files(), learn_words(options, three)->files());
  EXPECT_EQ(learn_words({.vocab_size = 21, .lowercase = true}, one)->vocabulary_size(), 21);
  EXPECT_THROW(learn_words({.vocab_size = 19}, one), UsageError);
  EXPECT_THROW(train_jieba_wordpiece(input(" \n"), options, dictionary, JiebaMode::fast, one), DataError);
  EXPECT_THROW(train_jieba_wordpiece(input("x"), options, directory_ / "none", JiebaMode::fast, one), FileError);
}

// The tokens are those of tokenizers 0.23's BpeTrainer with ByteLevel.
TEST_F(Train, ByteLevelMerges) {
  const auto paths = input("low low low lower 中文 中文 中国\n newest newest widest 12 12\n");
  const auto tokenizer = train_byte_bpe(paths, {.vocab_size = 1000}, pool_);
  std::vector<std::string> tokens;
  for (int32_t id = 261; id < tokenizer->vocabulary_size(); ++id) tokens.push_back(tokenizer->token(id));
  EXPECT_THAT(tokens, ElementsAre("lo", "low", "es", "¸Ń", "ä¸Ń", "Ġlow", "Ġä¸Ń", "est", "12", "ew", "new", "æĸ", "Ġ12",
                                  "Ġnew", "Ġä¸Ńæĸ", "Ġnewest", "Ġä¸Ńæĸĩ"));
  EXPECT_EQ(tokenizer->token(5), "!");
  EXPECT_EQ(tokenizer->token(260), "Ń");
  EXPECT_EQ(tokenizer->type(), "bpe");
  const auto id = [&](const char* token) { return *tokenizer->id(token); };
  EXPECT_THAT(tokenizer->encode("low [MASK] x").ids, ElementsAre(2, id("low"), 4, id("Ġ"), id("x"), 3));
  EXPECT_THAT(tokenizer->encode("low", "12").segment_ids, ElementsAre(0, 0, 0, 1, 1));
  const std::string text = " any\ttext\r\n 中文 \U0001F600 e\u0301 ";
  EXPECT_EQ(tokenizer->decode(tokenizer->encode_plain(text)), text);
  EXPECT_EQ(train_byte_bpe(paths, {.vocab_size = 263}, pool_)->vocabulary_size(), 263);
}

TEST_F(Train, ByteLevelHasItsLimits) {
  const auto refusal = [&](std::string_view text, const TokenizerTraining& options) {
    return message_of<Error>([&] { train_byte_bpe(input(text), options, pool_); });
  };
  EXPECT_THAT(refusal("a b", {.vocab_size = 260}), HasSubstr("need at least 261"));
  EXPECT_THAT(refusal("a b", {.lowercase = true}), HasSubstr("keeps the text as it is"));
  EXPECT_THAT(refusal("", {}), HasSubstr("no words to learn"));
}

TEST_F(Train, Bytes) {
  const auto tokenizer = train_byte();
  EXPECT_EQ(tokenizer->vocabulary_size(), 261);
  EXPECT_EQ(tokenizer->pad_id(), 0);
  EXPECT_EQ(tokenizer->decode(tokenizer->encode_plain("ÿ\n")), "ÿ\n");
}

}  // namespace
}  // namespace roformer
