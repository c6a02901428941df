#include "data/packed_corpus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "base/random.h"
#include "tests/text/tokenizer_files.h"

namespace roformer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Packed : public testing::Test {
 protected:
  PackedCorpus build(std::string_view text, int64_t max_length, int threads = 2) {
    write_text(directory_ / "text", text);
    ThreadPool pool(threads);
    return PackedCorpus::build(std::vector<std::string>{directory_ / "text"}, DocumentRule::automatic, *tokenizer_,
                               max_length, pool);
  }
  static std::vector<std::vector<int32_t>> sequences(const PackedCorpus& corpus) {
    std::vector<std::vector<int32_t>> all;
    for (int64_t i = 0; i < corpus.size(); ++i) all.emplace_back(corpus.sequence(i).begin(), corpus.sequence(i).end());
    return all;
  }

  TempDirectory directory_;
  std::unique_ptr<Tokenizer> tokenizer_ = make_tokenizer(directory_, kTinyVocabulary);
};

// hello 5, world 6, a 12; [CLS] 2, [SEP] 3.
TEST_F(Packed, DocumentsFollowEachOtherWithSeparators) {
  const auto corpus = build("hello world\n\na a a\n\n\u200B\n\nworld", 5);
  EXPECT_THAT(sequences(corpus),
              ElementsAre(ElementsAre(2, 5, 6, 3, 3), ElementsAre(2, 12, 12, 12, 3), ElementsAre(2, 3, 6, 3)));
  EXPECT_EQ(corpus.documents(), 3);  // the one of a zero-width space has no tokens
  EXPECT_EQ(corpus.tokens(), 14);
  EXPECT_EQ(corpus.content_hash().size(), 32u);
}

TEST_F(Packed, TheLastSeparatorIsNotDoubled) {
  EXPECT_THAT(sequences(build("hello world a", 5)), ElementsAre(ElementsAre(2, 5, 6, 12, 3)));
  EXPECT_THAT(sequences(build("hello world", 5)), ElementsAre(ElementsAre(2, 5, 6, 3)));
  EXPECT_THAT(sequences(build("hello world", 3)), ElementsAre(ElementsAre(2, 5, 3), ElementsAre(2, 6, 3)));
}

// Taking the sequences apart again gives every token of every document in order, at any length and thread count.
TEST_F(Packed, NothingIsLostAtAnyLengthAndThreadCount) {
  Generator generator({.seed = 3, .stream = 0});
  std::string text;
  std::vector<int32_t> stream;
  for (int document = 0; document < 200; ++document) {
    if (document > 0) stream.push_back(tokenizer_->sep_id());
    std::string content;
    for (uint64_t i = 1 + generator.below(30); i > 0; --i) {
      content += generator.below(2) ? "hello " : "unaffable\n";
    }
    const auto ids = tokenizer_->encode_plain(content);
    stream.insert(stream.end(), ids.begin(), ids.end());
    text += content + "\n\n";
  }
  for (const int64_t length : {3, 4, 17, 128, 100000}) {
    const auto corpus = build(text, length, 1);
    EXPECT_EQ(sequences(corpus), sequences(build(text, length, 3)));
    std::vector<int32_t> found;
    int64_t tokens = 0;
    for (int64_t i = 0; i < corpus.size(); ++i) {
      const auto ids = corpus.sequence(i);
      ASSERT_EQ(ids.front(), tokenizer_->cls_id());
      ASSERT_EQ(ids.back(), tokenizer_->sep_id());
      ASSERT_GE(ids.size(), 3u);
      ASSERT_TRUE(i + 1 == corpus.size() ? std::ssize(ids) <= length : std::ssize(ids) == length);
      found.insert(found.end(), ids.begin() + 1, ids.end() - 1);
      tokens += std::ssize(ids);
    }
    EXPECT_EQ(found, stream);
    EXPECT_EQ(corpus.tokens(), tokens);
    EXPECT_EQ(corpus.documents(), 200);
  }
}

TEST_F(Packed, EmptyDataAndLengthsAreRefused) {
  EXPECT_THAT(message_of<DataError>([&] { build("\n\n\u200B\n", 8); }), HasSubstr("text: no tokens"));
  EXPECT_THROW(build("", 8), DataError);
  EXPECT_THROW(build("a", 2), UsageError);
  ThreadPool pool(1);
  EXPECT_THROW(PackedCorpus::build({}, DocumentRule::lines, *tokenizer_, 8, pool), DataError);
}

TEST_F(Packed, SplitIsEvenAndNeverEmpty) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "a ";
  const auto corpus = build(text, 3);
  ASSERT_EQ(corpus.size(), 100);
  EXPECT_THAT(corpus.split(0.05).validation, ElementsAre(10, 30, 50, 70, 90));
  EXPECT_THAT(corpus.split(1e-9).validation, ElementsAre(50));
  EXPECT_EQ(corpus.split(0.999).training.size(), 1u);
  for (const double fraction : {0.01, 0.33, 0.5, 0.77}) {
    const auto split = corpus.split(fraction);
    EXPECT_EQ(std::ssize(split.validation), std::llround(fraction * 100));
    std::vector<int64_t> all = split.training, expected(100);
    all.insert(all.end(), split.validation.begin(), split.validation.end());
    std::sort(all.begin(), all.end());
    std::iota(expected.begin(), expected.end(), 0);
    EXPECT_EQ(all, expected);
  }
  EXPECT_THROW(corpus.split(0), UsageError);
  EXPECT_THROW(corpus.split(1), UsageError);
  EXPECT_THROW(corpus.split(std::nan("")), UsageError);
  EXPECT_THAT(message_of<DataError>([&] { build("a", 3).split(0.5); }), HasSubstr("too few"));
}

}  // namespace
}  // namespace roformer
