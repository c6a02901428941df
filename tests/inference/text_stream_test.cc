#include "inference/text_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "text/learn/train.h"

namespace roformer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(TextBatches, HoldWhatFitsInOrder) {
  const auto tokenizer = train_byte();  // a token a byte, and two
  const std::vector<std::string> texts = {"ab", "", "abcdefgh", "a", "b", "c"};
  ThreadPool pool{2};
  std::vector<std::pair<size_t, int64_t>> batches;
  int64_t texts_seen = 0;
  for_text_batches(*tokenizer, texts, {.max_length = 6, .max_tokens = 6}, pool, [&](size_t first, const Batch& batch) {
    batches.emplace_back(first, batch.tokens());
    texts_seen += batch.sequences();
    for (int64_t i = 0; i < batch.sequences(); ++i) {
      const auto begin = static_cast<size_t>(batch.offsets[static_cast<size_t>(i)]);
      EXPECT_EQ(batch.ids[begin], tokenizer->cls_id());
      EXPECT_EQ(batch.positions[begin], 0);
    }
  });
  EXPECT_THAT(batches, ElementsAre(std::pair(0ul, 6l), std::pair(2ul, 6l), std::pair(3ul, 6l), std::pair(5ul, 3l)));
  EXPECT_EQ(texts_seen, 6);
  for_text_batches(*tokenizer, {}, {}, pool, [](size_t, const Batch&) { FAIL(); });
}

TEST(TextBatches, RefuseWhatCannotBe) {
  const auto tokenizer = train_byte();
  const std::vector<std::string> texts = {"a", "\xff"};
  ThreadPool pool{2};
  const auto nothing = [](size_t, const Batch&) {};
  EXPECT_THROW(for_text_batches(*tokenizer, texts, {}, pool, nothing), DataError);
  EXPECT_THROW(for_text_batches(*tokenizer, texts, {.max_tokens = 0}, pool, nothing), UsageError);
  EXPECT_THROW(for_text_batches(*tokenizer, texts, {.max_length = 1}, pool, nothing), UsageError);
}

using Group = std::vector<std::string>;

// Items that come in groups: after each the sender waits for results.
class Groups final : public TextSource {
 public:
  explicit Groups(std::initializer_list<Group> groups) : groups_(groups) {}
  bool next(std::string& text) override {
    while (group_ < groups_.size() && taken_ == groups_[group_].size()) {
      ++group_;
      taken_ = 0;
    }
    if (group_ == groups_.size()) return false;
    text = groups_[group_][taken_++];
    if (text == "broken") throw DataError("the source broke");
    return true;
  }
  bool ready() override { return group_ < groups_.size() && taken_ < groups_[group_].size(); }
  std::string location(int64_t number) const override { return "item " + std::to_string(number); }

 private:
  std::vector<Group> groups_;
  size_t group_ = 0, taken_ = 0;
};

class Streams : public testing::Test {
 protected:
  // The texts of each batch, and the error at the end.
  std::vector<std::vector<std::string>> read(TextSource& source, const TextBatching& batching,
                                             ItemEncoder encode = {}) {
    error_.clear();
    std::vector<std::vector<std::string>> batches;
    int64_t number = 0;
    try {
      TextStream stream(source, encode ? encode : encode_text(*tokenizer_, batching.preparation()), batching, pool_);
      for (TextBatch batch; stream.next(batch);) {
        auto& texts = batches.emplace_back();
        int64_t sequences = 0;
        for (const TextItem& item : batch.items) {
          EXPECT_EQ(item.number, ++number);
          texts.push_back(item.text);
          sequences += std::ssize(item.sequences);
        }
        EXPECT_EQ(batch.batch.sequences(), sequences);
      }
    } catch (const Error& error) {
      error_ = error.what();
    }
    return batches;
  }

  std::unique_ptr<Tokenizer> tokenizer_ = train_byte();
  ThreadPool pool_{2};
  std::string error_;
};

TEST_F(Streams, AnswerWhatIsThereWhenMoreMustBeWaitedFor) {
  Groups groups({Group{"a", "b", "c"}, Group{"d"}, Group{"e", "f"}});
  EXPECT_THAT(read(groups, {}), ElementsAre(ElementsAre("a", "b", "c"), ElementsAre("d"), ElementsAre("e", "f")));
  EXPECT_EQ(error_, "");
}

TEST_F(Streams, ManyItemsOfManyWindowsKeepTheirOrder) {
  std::vector<std::string> texts;
  for (int i = 0; i < 5000; ++i) texts.push_back(std::string(static_cast<size_t>(i % 97), 'x') + std::to_string(i));
  TextList list(texts);
  std::vector<std::string> seen;
  for (const auto& batch : read(list, {.max_tokens = 1000})) {
    int64_t tokens = 0;
    for (const std::string& text : batch) {
      seen.push_back(text);
      tokens += std::ssize(text) + 2;
    }
    EXPECT_LE(tokens, 1000);
    if (seen.size() < texts.size()) {
      EXPECT_GT(tokens, 1000 - 110);
    }
  }
  EXPECT_EQ(seen, texts);
}

TEST_F(Streams, AnErrorComesAfterTheItemsBeforeIt) {
  Groups bad_text({Group{"a", "b", "\xff", "c", "\xff"}});
  EXPECT_THAT(read(bad_text, {}), ElementsAre(ElementsAre("a", "b")));
  EXPECT_THAT(error_, HasSubstr("item 3: text: not valid UTF-8"));
  Groups bad_source({Group{"a", "broken", "c"}});
  EXPECT_THAT(read(bad_source, {}), ElementsAre(ElementsAre("a")));
  EXPECT_EQ(error_, "the source broke");
  Groups bad_first({Group{"\xff"}});
  EXPECT_THAT(read(bad_first, {}), ElementsAre());
  EXPECT_THAT(error_, HasSubstr("item 1"));
}

TEST_F(Streams, TooLongIsAnErrorUnlessCut) {
  const TextBatching limited{.limit = {4, "so it is"}};
  Groups groups({Group{"ab", "abc"}});
  EXPECT_THAT(read(groups, limited), ElementsAre(ElementsAre("ab")));
  EXPECT_EQ(error_, "item 2: 5 tokens, expected at most 4: so it is; max_length truncates");
  Groups again({Group{"ab", "abc"}});
  EXPECT_THAT(read(again, {.max_length = 4, .limit = {4, "so it is"}}), ElementsAre(ElementsAre("ab", "abc")));
}

TEST_F(Streams, PairsAreOneSequenceOrTwo) {
  const std::vector<std::string> texts = {"a\tbc"};
  TextList list(texts);
  TextStream pairs(list, encode_pair(*tokenizer_, {}), {}, pool_);
  TextBatch batch;
  ASSERT_TRUE(pairs.next(batch));
  EXPECT_THAT(batch.batch.offsets, ElementsAre(0, 6));
  EXPECT_THAT(batch.batch.segments, ElementsAre(0, 0, 0, 1, 1, 1));
  TextList again(texts);
  TextStream two(again, encode_two_texts(*tokenizer_, {}), {}, pool_);
  ASSERT_TRUE(two.next(batch));
  EXPECT_THAT(batch.batch.offsets, ElementsAre(0, 3, 7));
  EXPECT_THAT(batch.batch.segments, testing::Each(0));
}

TEST_F(Streams, APairHasOneTab) {
  for (const ItemEncoder& encode : {encode_pair(*tokenizer_, {}), encode_two_texts(*tokenizer_, {})}) {
    Groups none({Group{"a\tb", "ab"}});
    EXPECT_THAT(read(none, {}, encode), ElementsAre(ElementsAre("a\tb")));
    EXPECT_EQ(error_, "item 2: expected a tab between the two texts of a pair");
    Groups two({Group{"a\tb\tc"}});
    EXPECT_THAT(read(two, {}, encode), ElementsAre());
    EXPECT_EQ(error_, "item 1: more than one tab, expected a pair of texts");
  }
  EXPECT_THROW(encode_pair(*tokenizer_, {.max_length = 2}), UsageError);
  EXPECT_THROW(encode_two_texts(*tokenizer_, {.max_length = 1}), UsageError);
}

TEST_F(Streams, KeepMalformedItemsInTheirPlaces) {
  const std::vector<std::string> texts = {"a", "b\xff", "abcdef", "c"};
  TextList list(texts);
  TextBatching batching{.max_tokens = 100, .limit = {4, "so it is"}};
  batching.keep_malformed = true;
  TextStream stream(list, encode_text(*tokenizer_, {}), batching, pool_);
  TextBatch batch;
  ASSERT_TRUE(stream.next(batch));
  EXPECT_THAT(batch.batch.offsets, ElementsAre(0, 3, 6));
  ASSERT_EQ(batch.items.size(), 4u);
  EXPECT_EQ(batch.items[0].error, "");
  EXPECT_EQ(batch.items[1].error, "text 2: text: not valid UTF-8 at byte 1");
  EXPECT_THAT(batch.items[2].error, HasSubstr("text 3: 8 tokens, expected at most 4"));
  EXPECT_TRUE(batch.items[2].sequences.empty());
  EXPECT_EQ(batch.items[3].sequences.size(), 1u);
  EXPECT_FALSE(stream.next(batch));
}

TEST_F(Streams, SkipGivesItemsUnencoded) {
  const std::vector<std::string> texts = {"a", "b", "c"};
  TextList list(texts);
  TextStream stream(list, encode_text(*tokenizer_, {}), {}, pool_);
  std::string skipped;
  stream.skip(2, [&](const TextItem& item) { skipped += item.text + std::to_string(item.number); });
  EXPECT_EQ(skipped, "a1b2");
  TextBatch batch;
  ASSERT_TRUE(stream.next(batch));
  EXPECT_EQ(batch.items.at(0).number, 3);
  TextList shorter(texts);
  TextStream other(shorter, encode_text(*tokenizer_, {}), {}, pool_);
  int64_t count = 0;
  other.skip(5, [&](const TextItem&) { ++count; });
  EXPECT_EQ(count, 3);
}

// The prompt and lower case change what is encoded; special tokens are matched as they are written.
TEST_F(Streams, TextsArePrepared) {
  const TextPreparation how{.max_length = 0, .prompt = "Q: ", .lower_case = true};
  const auto ids = [&](const std::string& text) { return tokenizer_->encode(text).ids; };
  EXPECT_EQ(encode_text(*tokenizer_, how)("ÄB[MASK]İ\u03A3")[0].ids, ids("q: äb[MASK]i\u0307\u03C3"));
  EXPECT_EQ(encode_pair(*tokenizer_, how)("A\tB")[0].ids, tokenizer_->encode("q: a", "b").ids);
  const auto two = encode_two_texts(*tokenizer_, {.prompt = "p"})("A\tB");
  EXPECT_EQ(two[0].ids, ids("pA"));
  EXPECT_EQ(two[1].ids, ids("pB"));
  EXPECT_THROW(encode_text(*tokenizer_, how)("a\xff"), DataError);
  EXPECT_THROW(encode_pair(*tokenizer_, how)("a\tb\xff"), DataError);
}

TEST_F(Streams, ItemsSayWhatTruncationTook) {
  const auto cut = [&](const ItemEncoder& encode, const std::string& text) {
    TextItem item;
    item.sequences = encode(text);
    return item.cut();
  };
  EXPECT_EQ(cut(encode_text(*tokenizer_, {.max_length = 4}), "ab"), 0);
  EXPECT_EQ(cut(encode_text(*tokenizer_, {.max_length = 4}), "abcde"), 3);
  EXPECT_EQ(cut(encode_pair(*tokenizer_, {.max_length = 6}), "abc\tdef"), 3);
  EXPECT_EQ(cut(encode_text(*tokenizer_, {}), "abcdefgh"), 0);
}

TEST(LengthLimit, LearnedPositionsEnd) {
  const auto tokenizer = train_byte();
  ModelConfig config;
  EXPECT_GT(length_limit(config, *tokenizer).tokens, 10'000);
  config.position = LearnedPosition{};
  config.max_positions = 512;
  EXPECT_EQ(length_limit(config, *tokenizer).tokens, 512);
}

TEST(PairLists, TextsMayHaveTabs) {
  const auto tokenizer = train_byte();
  const std::vector<std::pair<std::string, std::string>> pairs = {{"a\tb", "c"}, {"", "\t"}};
  ThreadPool pool{1};
  for (const bool together : {true, false}) {
    PairList source(pairs);
    TextStream stream(
        source,
        together ? encode_pair(*tokenizer, {}, kPairSeparator) : encode_two_texts(*tokenizer, {}, kPairSeparator), {},
        pool);
    TextBatch batch;
    ASSERT_TRUE(stream.next(batch));
    ASSERT_EQ(batch.items.size(), 2u);
    if (together) {
      EXPECT_EQ(batch.items[0].sequences[0].ids, tokenizer->encode("a\tb", "c").ids);
    } else {
      EXPECT_EQ(batch.items[0].sequences[0].ids, tokenizer->encode("a\tb").ids);
      EXPECT_EQ(batch.items[1].sequences[1].ids, tokenizer->encode("\t").ids);
    }
    EXPECT_FALSE(stream.next(batch));
  }
}

TEST(PairLists, ErrorsNameThePair) {
  const auto tokenizer = train_byte();
  const std::vector<std::pair<std::string, std::string>> pairs = {{"a", "b"}, {"a\xff", "b"}};
  ThreadPool pool{1};
  PairList source(pairs);
  TextStream stream(source, encode_pair(*tokenizer, {}, kPairSeparator), {}, pool);
  TextBatch batch;
  ASSERT_TRUE(stream.next(batch));
  EXPECT_THAT([&] { stream.next(batch); }, testing::ThrowsMessage<DataError>(HasSubstr("pair 2: ")));
}

}  // namespace
}  // namespace roformer
