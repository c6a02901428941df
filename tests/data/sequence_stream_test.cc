#include "data/sequence_stream.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <numeric>
#include <stop_token>

#include "base/error.h"
#include "tests/base/error_detail.h"
#include "tests/text/tokenizer_files.h"
#include "text/learn/train.h"

namespace roformer {
namespace {

using testing::HasSubstr;

TEST(Permutation, IsOneAndDependsOnTheStream) {
  std::vector<int64_t> identity(50);
  std::iota(identity.begin(), identity.end(), 0);
  auto order = permutation({.seed = 1, .stream = 2}, 50);
  EXPECT_NE(order, identity);
  EXPECT_EQ(order, permutation({.seed = 1, .stream = 2}, 50));
  EXPECT_NE(order, permutation({.seed = 1, .stream = 3}, 50));
  std::sort(order.begin(), order.end());
  EXPECT_EQ(order, identity);
  EXPECT_TRUE(permutation({}, 0).empty());
}

// Each of the 6 orders of 3 things comes up about as often: chi-square with 5 degrees of freedom, 0.1 % point 20.5.
TEST(Permutation, IsUniform) {
  std::array<int, 27> counts{};
  for (uint64_t i = 0; i < 6000; ++i) {
    const auto order = permutation({.seed = 5, .stream = i}, 3);
    ++counts[static_cast<size_t>(order[0] * 9 + order[1] * 3 + order[2])];
  }
  double chi_square = 0;
  for (const int count : counts) chi_square += count ? (count - 1000.0) * (count - 1000.0) / 1000 : 0;
  EXPECT_EQ(std::count(counts.begin(), counts.end(), 0), 21);
  EXPECT_LT(chi_square, 20.5);
}

// 300 documents of 6 bytes in about 50 blocks; each fills sequences of its own but for the separators.
class Stream : public testing::Test {
 protected:
  static constexpr int kDocuments = 300;

  Stream() {
    std::string text;
    for (int i = 0; i < kDocuments; ++i) text += fmt::format("d{}\n\n", 10000 + i);
    write_text(directory_ / "text", text);
  }
  std::unique_ptr<Corpus> corpus(int64_t block_bytes) const {
    return std::make_unique<Corpus>(
        std::vector<std::string>{directory_ / "text"},
        CorpusOptions{.rule = DocumentRule::automatic, .max_length = 9, .block_bytes = block_bytes}, *tokenizer_);
  }
  std::vector<std::vector<int32_t>> take(SequenceStream& stream, int64_t count) const {
    std::vector<std::vector<int32_t>> all;
    for (int64_t i = 0; i < count; ++i) {
      const auto ids = stream.next();
      all.emplace_back(ids.begin(), ids.end());
    }
    return all;
  }

  TempDirectory directory_;
  std::unique_ptr<Tokenizer> tokenizer_ = train_byte();
};

TEST_F(Stream, EachEpochHasEachSequenceOnceInAnotherOrder) {
  for (const int64_t block_bytes : {int64_t{50}, int64_t{1} << 20}) {
    const auto corpus = this->corpus(block_bytes);
    EXPECT_EQ(corpus->documents(), kDocuments);
    EXPECT_EQ(corpus->blocks() > 40, block_bytes == 50);
    ThreadPool pool(1);
    const HeldOut held_out = hold_out(*corpus, 0.1, 1000, 8, pool);
    SequenceStream stream(*corpus, held_out.indices, {1, 2}, 2);
    std::vector<std::vector<int32_t>> expected;  // every sequence of the text but those held out
    for (int64_t block = 0; block < corpus->blocks(); ++block) {
      const auto& out = held_out.indices[static_cast<size_t>(block)];
      const auto packed = corpus->load(block, pool);
      for (int64_t i = 0; i < packed->size(); ++i) {
        if (std::count(out.begin(), out.end(), i)) continue;
        expected.emplace_back(packed->sequence(i).begin(), packed->sequence(i).end());
      }
    }
    EXPECT_EQ(std::ssize(expected), stream.count_sequences());
    std::sort(expected.begin(), expected.end());
    std::vector<std::vector<int32_t>> before;
    for (int epoch = 0; epoch < 3; ++epoch) {
      auto sequences = take(stream, stream.count_sequences());
      EXPECT_NE(sequences, before);
      before = sequences;
      EXPECT_NE(sequences, expected);
      std::sort(sequences.begin(), sequences.end());
      EXPECT_EQ(sequences, expected) << "epoch " << epoch;
    }
  }
}

TEST_F(Stream, EveryDocumentIsThereOnceAnEpoch) {
  const auto corpus = this->corpus(50);
  SequenceStream stream(*corpus, hold_out_nothing(*corpus).indices, {1, 2}, 1, 3);
  std::map<std::string, int> bytes;
  for (const auto& sequence : take(stream, stream.count_sequences())) {
    ++bytes[tokenizer_->decode(sequence)];
  }
  std::string all;
  for (const auto& [text, count] : bytes) all += text;
  int64_t letters = 0;
  for (const auto& [text, count] : bytes) letters += count * std::count(text.begin(), text.end(), 'd');
  EXPECT_EQ(letters, kDocuments);
}

TEST_F(Stream, TheOrderIsTheSameAtAnyNumberOfThreads) {
  const auto corpus = this->corpus(50);
  const auto run = [&](int threads, uint64_t seed, int64_t window) {
    SequenceStream stream(*corpus, hold_out_nothing(*corpus).indices, {seed, 0}, threads, window);
    return take(stream, 1000);
  };
  const auto expected = run(1, 1, 4);
  for (const int threads : {2, 3, 8}) EXPECT_EQ(run(threads, 1, 4), expected);
  EXPECT_NE(run(1, 2, 4), expected);
}

TEST_F(Stream, ResumesFromAnyCursor) {
  for (const int64_t window : {1, 4, 1000}) {
    const auto corpus = this->corpus(50);
    SequenceStream stream(*corpus, hold_out_nothing(*corpus).indices, {3, 0}, 1, window);
    std::vector<SequenceStream::Cursor> places;
    const auto sequences = [&] {
      std::vector<std::vector<int32_t>> all;
      for (int i = 0; i < 900; ++i) {
        places.push_back(stream.cursor());
        const auto ids = stream.next();
        all.emplace_back(ids.begin(), ids.end());
      }
      return all;
    }();
    for (const size_t i : {0, 1, 2, 40, 299, 300, 301, 500, 890}) {
      SequenceStream other(*corpus, hold_out_nothing(*corpus).indices, {3, 0}, 1, window);
      other.next();
      other.seek(places[i]);
      EXPECT_EQ(other.cursor(), places[i]);
      const auto rest = take(other, 10);
      EXPECT_TRUE(std::equal(rest.begin(), rest.end(), sequences.begin() + static_cast<std::ptrdiff_t>(i))) << i;
    }
    EXPECT_THROW(stream.seek({0, 1000, 0}), DataError);
    EXPECT_THROW(stream.seek({-1, 0, 0}), DataError);
    EXPECT_THROW(stream.seek({0, 0, 1 << 20}), DataError);
  }
}

TEST_F(Stream, NothingToTrainOnAndLostFilesAreErrors) {
  const auto corpus = this->corpus(50);
  ThreadPool pool(1);
  std::vector<std::vector<int64_t>> all;
  for (int64_t block = 0; block < corpus->blocks(); ++block) {
    all.emplace_back(static_cast<size_t>(corpus->load(block, pool)->size()));
    std::iota(all.back().begin(), all.back().end(), 0);
  }
  SequenceStream empty(*corpus, all, {}, 1, 4);
  EXPECT_THAT(message_of<DataError>([&] { empty.next(); }), HasSubstr("no sequence to train on"));
  SequenceStream stream(*corpus, hold_out_nothing(*corpus).indices, {}, 1, 4);
  stream.next();
  std::filesystem::remove(directory_ / "text");
  EXPECT_EQ(detail_of<FileError>([&] { take(stream, 1000); }).path, directory_ / "text");
}

TEST_F(Stream, StopsReadingWhenItIsAsked) {
  std::stop_source stop;
  const CorpusOptions options{
      .rule = DocumentRule::automatic, .max_length = 9, .block_bytes = 50, .stop_token = stop.get_token()};
  const std::vector<std::string> paths{directory_ / "text"};
  const Corpus corpus(paths, options, *tokenizer_);
  SequenceStream stream(corpus, hold_out_nothing(corpus).indices, {1, 2}, 1, 2);
  stream.next();
  ThreadPool pool(1);
  stop.request_stop();
  EXPECT_THROW(load_all(corpus, pool), Interrupted);
  EXPECT_THROW(while (true) stream.next(), Interrupted);
  EXPECT_THROW(Corpus(paths, options, *tokenizer_), Interrupted);
}

}  // namespace
}  // namespace roformer
