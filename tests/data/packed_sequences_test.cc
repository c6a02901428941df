#include "data/corpus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "base/random.h"
#include "tests/base/error_detail.h"
#include "tests/text/tokenizer_files.h"

namespace roformer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Packed : public testing::Test {
 protected:
  Corpus corpus(std::string_view text, int64_t max_length, int64_t block_bytes = 1 << 23) {
    write_text(directory_ / "text", text);
    return Corpus(std::vector<std::string>{directory_ / "text"},
                  {.rule = DocumentRule::automatic, .max_length = max_length, .block_bytes = block_bytes}, *tokenizer_);
  }
  PackedSequences pack(std::string_view text, int64_t max_length, int threads = 2) {
    ThreadPool pool(threads);
    return load_all(corpus(text, max_length), pool);
  }
  static std::vector<std::vector<int32_t>> sequences(const PackedSequences& packed) {
    std::vector<std::vector<int32_t>> all;
    for (int64_t i = 0; i < packed.size(); ++i) all.emplace_back(packed.sequence(i).begin(), packed.sequence(i).end());
    return all;
  }

  TempDirectory directory_;
  std::unique_ptr<Tokenizer> tokenizer_ = make_tokenizer(directory_, kTinyVocabulary);
};

// hello 5, world 6, a 12; [CLS] 2, [SEP] 3.
TEST_F(Packed, DocumentsFollowEachOtherWithSeparators) {
  const auto corpus = pack("hello world\n\na a a\n\n\u200B\n\nworld", 5);
  EXPECT_THAT(sequences(corpus),
              ElementsAre(ElementsAre(2, 5, 6, 3, 3), ElementsAre(2, 12, 12, 12, 3), ElementsAre(2, 3, 6, 3)));
  EXPECT_EQ(corpus.tokens(), 14);
}

TEST_F(Packed, TheLastSeparatorIsNotDoubled) {
  EXPECT_THAT(sequences(pack("hello world a", 5)), ElementsAre(ElementsAre(2, 5, 6, 12, 3)));
  EXPECT_THAT(sequences(pack("hello world", 5)), ElementsAre(ElementsAre(2, 5, 6, 3)));
  EXPECT_THAT(sequences(pack("hello world", 3)), ElementsAre(ElementsAre(2, 5, 3), ElementsAre(2, 6, 3)));
}

// Unpacking the sequences gives all tokens of all documents in order, for any length and thread count.
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
    const auto corpus = pack(text, length, 1);
    EXPECT_EQ(sequences(corpus), sequences(pack(text, length, 3)));
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
  }
}

TEST_F(Packed, EmptyDataAndLengthsAreRefused) {
  EXPECT_THAT(message_of<DataError>([&] { pack("\n\n\u200B\n", 8); }), HasSubstr("no tokens"));
  EXPECT_EQ(detail_of<DataError>([&] { pack("\n\n\u200B\n", 8); }).path, directory_ / "text");
  EXPECT_THROW(pack("", 8), DataError);
  EXPECT_THROW(pack("a", 2), UsageError);
  std::stop_source stop;
  stop.request_stop();
  ThreadPool pool(1);
  EXPECT_THROW(PackedSequences::pack(std::vector<std::string>{"a"}, *tokenizer_, 8, pool, stop.get_token()),
               Interrupted);
}

std::string words(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += "a ";
  return text;
}

TEST_F(Packed, TheTextOfAnotherInSequencesOfAnotherLength) {
  ThreadPool pool(1);
  const Corpus corpus = this->corpus(words(10), 7);
  const Corpus shorter(corpus, 4);
  EXPECT_EQ(load_all(corpus, pool).size(), 2);
  EXPECT_EQ(load_all(shorter, pool).size(), 5);
  EXPECT_EQ(shorter.content_hash(), corpus.content_hash());
  EXPECT_THROW(load_all(Corpus(corpus, 2), pool), UsageError);
}

TEST_F(Packed, HeldOutSequencesAreEvenlySpacedAndNeverAllOrNone) {
  ThreadPool pool(1);
  const Corpus corpus = this->corpus(words(100), 3);
  const auto held_out = [&](double fraction, int64_t max_sequences = 1000) {
    const HeldOut result = hold_out(corpus, fraction, max_sequences, 8, pool);
    EXPECT_EQ(result.indices.size(), 1u);
    EXPECT_EQ(result.sequences.size(), std::ssize(result.indices[0]));
    return result.indices[0];
  };
  EXPECT_THAT(held_out(0.05), ElementsAre(10, 30, 50, 70, 90));
  EXPECT_THAT(held_out(0.05, 1), ElementsAre(50));
  EXPECT_THAT(held_out(1e-9), ElementsAre(50));
  EXPECT_EQ(held_out(0.999).size(), 99u);
  for (const double fraction : {0.01, 0.33, 0.5, 0.77}) {
    const auto indices = held_out(fraction);
    EXPECT_EQ(std::ssize(indices), std::llround(fraction * 100));
    EXPECT_TRUE(std::adjacent_find(indices.begin(), indices.end(), std::greater_equal<>()) == indices.end());
  }
  EXPECT_THROW(held_out(0), UsageError);
  EXPECT_THROW(held_out(1), UsageError);
  EXPECT_THROW(held_out(std::nan("")), UsageError);
  EXPECT_THAT(message_of<DataError>([&] { hold_out(this->corpus("a", 3), 0.5, 10, 8, pool); }), HasSubstr("too few"));
  EXPECT_EQ(detail_of<UsageError>([&] { hold_out(this->corpus("a", 3), 1, 10, 8, pool); }).field,
            "validation_fraction");
}

TEST_F(Packed, OfManyBlocksAFewAreHeldOutFrom) {
  ThreadPool pool(1);
  std::string text;
  for (int i = 0; i < 100; ++i) text += words(10) + "\n\n";
  const Corpus corpus = this->corpus(text, 3, 40);
  ASSERT_GE(corpus.blocks(), 40);
  const HeldOut few = hold_out(corpus, 0.05, 1000, 4, pool);
  EXPECT_EQ(few.blocks.size(), 4u);
  EXPECT_EQ(std::count_if(few.indices.begin(), few.indices.end(), [](const auto& n) { return !n.empty(); }), 4);
  EXPECT_NEAR(static_cast<double>(few.sequences.size()), 0.05 * 1000, 15);  // blocks differ in size
  int64_t count = 0;
  for (const auto& block : few.blocks) count += block->size();
  EXPECT_EQ(hold_out(corpus, 0.5, 1000, 4, pool).sequences.size(), count / 2);
  const HeldOut all = hold_out(corpus, 0.05, 1000, 1000, pool);
  EXPECT_EQ(std::ssize(all.blocks), corpus.blocks());
}

}  // namespace
}  // namespace roformer
