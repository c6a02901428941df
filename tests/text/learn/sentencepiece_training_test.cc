// SentencePiece models learned by this program.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <random>
#include <thread>

#include "tests/text/packed_text.h"
#include "tests/text/sentencepiece/sentencepiece_trial.h"
#include "text/learn/sentencepiece_training.h"
#include "text/learn/text_counts.h"
#include "text/sentencepiece/tokenizer.h"

namespace roformer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Kind = SentencePieceModel::Kind;

class Trained : public testing::TestWithParam<Kind> {
 protected:
  std::unique_ptr<Tokenizer> train(const TokenizerTraining& options, const std::string& text, int threads = 2) {
    write_text(directory_ / "input.txt", text);
    ThreadPool pool(threads);
    return train_sentencepiece(std::vector<std::string>{directory_ / "input.txt"}, options, GetParam(), pool);
  }
  TempDirectory directory_;
};
INSTANTIATE_TEST_SUITE_P(Kinds, Trained, testing::Values(Kind::bpe, Kind::unigram),
                         [](const auto& test) { return test.param == Kind::bpe ? "Bpe" : "Unigram"; });

TEST_P(Trained, DecodingIsExact) {
  const auto tokenizer = train({.vocab_size = 420}, small_text());
  EXPECT_LE(tokenizer->vocabulary_size(), 420);
  EXPECT_GT(tokenizer->vocabulary_size(), 300);
  EXPECT_EQ(tokenizer->pad_id(), 0);
  EXPECT_EQ(tokenizer->unk_id(), 1);
  EXPECT_EQ(tokenizer->cls_id(), 2);
  EXPECT_EQ(tokenizer->sep_id(), 3);
  EXPECT_EQ(tokenizer->mask_id(), 4);
  EXPECT_EQ(tokenizer->token(4), "[MASK]");
  const auto check = [&](const std::string& text) {
    const auto ids = tokenizer->encode_plain(text);
    EXPECT_EQ(tokenizer->decode(ids), text) << quote(text);
    EXPECT_EQ(std::ranges::count(ids, tokenizer->unk_id()), 0);
  };
  std::mt19937 random(5);
  for (const std::string& text : texts()) {
    if (text.find(kSentencePieceSpace) == text.npos) check(text);
  }
  for (int i = 0; i < 200; ++i) check(random_text(random));
  check(small_text());
  EXPECT_EQ(tokenizer->decode(tokenizer->encode_plain("a\u2581b")), "a b");  // as documented
  EXPECT_LT(tokenizer->encode_plain("the beginning").size(), 12u);
}

TEST_P(Trained, DependsOnTheTextAlone) {
  const auto one = train({.vocab_size = 400}, small_text(), 1)->files();
  EXPECT_TRUE(one == train({.vocab_size = 400}, small_text(), 3)->files());
  EXPECT_TRUE(one == train({.vocab_size = 400}, gzip(small_text()))->files());
  EXPECT_TRUE(one == train({.vocab_size = 400}, zstandard(small_text()))->files());
  EXPECT_FALSE(one == train({.vocab_size = 400, .lowercase = true}, small_text())->files());
}

TEST_P(Trained, SurvivesItsFiles) {
  const auto tokenizer = train({.vocab_size = 400}, small_text());
  TempDirectory saved;
  for (const auto& [name, content] : tokenizer->files()) write_text(saved / name, content);
  const auto again = load_tokenizer(saved.path());
  EXPECT_EQ(again->type(), GetParam() == Kind::bpe ? "bpe" : "unigram");
  EXPECT_TRUE(again->files() == tokenizer->files());
  EXPECT_EQ(again->encode("the earth", "was void").ids, tokenizer->encode("the earth", "was void").ids);
  EXPECT_EQ(again->mask_id(), 4);
}

// The mask absorbs the space before it, as the piece it stands for would; the space after it is preserved.
TEST_P(Trained, MasksStandForPieces) {
  const auto tokenizer = train({.vocab_size = 400}, small_text());
  std::vector<int32_t> expected = tokenizer->encode_plain("the earth");
  expected.push_back(tokenizer->mask_id());
  const auto whole = tokenizer->encode_plain("x was");
  expected.insert(expected.end(), whole.begin() + static_cast<long>(tokenizer->encode_plain("x").size()), whole.end());
  EXPECT_EQ(tokenizer->encode_plain("the earth [MASK] was"), expected);
  const Encoding encoding = tokenizer->encode("the earth [MASK] was");
  const auto mask = std::ranges::find(encoding.ids, tokenizer->mask_id()) - encoding.ids.begin();
  EXPECT_THAT(encoding.offsets[static_cast<size_t>(mask)], ElementsAre(9, 16));
  EXPECT_EQ(encoding.offsets[static_cast<size_t>(mask) + 1][0], 16);
  EXPECT_EQ(encoding.ids.front(), tokenizer->cls_id());
  EXPECT_EQ(encoding.ids.back(), tokenizer->sep_id());
}

TEST_P(Trained, WordsBeginAtSpaces) {
  const auto tokenizer = train({.vocab_size = 400}, small_text());
  std::vector<std::string> words;
  for (const int32_t id : tokenizer->encode_plain("heaven zebra\nking")) {
    std::string text;
    DecodeState state{.at_start = false};
    tokenizer->append_text(id, state, text);
    if (words.empty() || !tokenizer->is_continuation(id)) words.emplace_back();
    words.back() += text;
  }
  EXPECT_THAT(words, ElementsAre(" heaven", " zebra", "\nking"));
  EXPECT_FALSE(tokenizer->is_continuation(tokenizer->mask_id()));
}

TEST_P(Trained, TooSmallAndNothing) {
  EXPECT_THAT(message_of<UsageError>([&] { train({.vocab_size = 270}, small_text()); }),
              HasSubstr("special tokens, bytes and characters need at least 3"));
  EXPECT_THAT(message_of<DataError>([&] { train({.vocab_size = 400}, " \n\t \n"); }), HasSubstr("no words"));
  for (const char* text : {"a", "a b", "aa\naa aa", "\u0301", "\x01", "[MASK] [CLS]", "a\u2585b", "\u2581"}) {
    try {  // little as it is, it ends in a tokenizer or an error
      EXPECT_EQ(train({.vocab_size = 300}, text)->decode(train({.vocab_size = 300}, text)->encode_plain("xyz")), "xyz");
    } catch (const DataError&) {
    }
  }
}

TEST_P(Trained, ManyThreadsMayEncode) {
  const auto tokenizer = train({.vocab_size = 400}, small_text());
  const auto expected = tokenizer->encode(small_text()).ids;
  std::vector<std::thread> threads;
  std::array<bool, 4> same{};
  for (size_t i = 0; i < same.size(); ++i) {
    threads.emplace_back([&, i] { same[i] = tokenizer->encode(small_text()).ids == expected; });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_THAT(same, testing::Each(true));
}

TEST(SpacedWords, AreCountedWithinBounds) {
  TempDirectory directory;
  std::string text = "a\u2581b\tc c\nx\u2585y  \n" + std::string(2500, 'z') + "\n";
  write_text(directory / "words.txt", text);
  ThreadPool pool(2);
  const std::vector<std::string> paths = {directory / "words.txt"};
  const WordCounts counts = count_spaced_words(paths, 1 << 20, pool);
  EXPECT_EQ(counts.size(), 5u);  // a, b, c, 1000 z, 500 z
  EXPECT_EQ(counts.at("c"), 2);
  EXPECT_EQ(counts.at(std::string(1000, 'z')), 2);
  text.clear();
  for (int i = 0; i < 200'000; ++i) text += "often " + std::to_string(i) + (i % 10 ? " " : "\n");
  write_text(directory / "words.txt", text);
  const WordCounts few = count_spaced_words(paths, 100'000, pool);
  size_t bytes = 0, early = 0;
  for (const auto& [word, count] : few) {
    bytes += word.size();
    early += word.size() < 6;
  }
  EXPECT_LE(bytes, 100'000u);
  EXPECT_GT(bytes, 20'000u);
  EXPECT_EQ(few.at("often"), 200'000);
  EXPECT_GT(early, few.size() / 4);  // of the first half as well as of the second
  ThreadPool other(1);
  EXPECT_TRUE(few == count_spaced_words(paths, 100'000, other));
}

}  // namespace
}  // namespace roformer
