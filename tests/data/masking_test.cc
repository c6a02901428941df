#include "data/masking.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/text/tokenizer_files.h"

namespace roformer {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class Masking : public testing::Test {
 protected:
  MaskedSequence mask(const std::vector<int32_t>& ids, uint64_t stream, const MaskingOptions& options = {}) const {
    return mask_sequence(ids, options, vocabulary_, {.seed = 11, .stream = stream});
  }
  // [CLS], `count` ordinary ids, [SEP]
  std::vector<int32_t> sequence(int count) const {
    std::vector<int32_t> ids = {2};
    for (int i = 0; i < count; ++i) ids.push_back(5 + i % 3);
    ids.push_back(3);
    return ids;
  }

  TempDirectory directory_;
  std::unique_ptr<Tokenizer> tokenizer_ = make_tokenizer(directory_, kTinyVocabulary);
  MaskingVocabulary vocabulary_{*tokenizer_};
};

TEST_F(Masking, ChoosesExactlyTheShareAndLabelsTheOriginals) {
  for (const int count : {1, 2, 9, 10, 11, 100, 126, 510}) {
    const auto ids = sequence(count);
    const auto masked = mask(ids, static_cast<uint64_t>(count));
    ASSERT_EQ(std::ssize(masked.rows), std::max(1L, std::lround(0.15 * count))) << count;
    ASSERT_TRUE(std::is_sorted(masked.rows.begin(), masked.rows.end(), std::less_equal<>()));
    auto restored = masked.ids;
    for (size_t i = 0; i < masked.rows.size(); ++i) restored[static_cast<size_t>(masked.rows[i])] = masked.labels[i];
    EXPECT_EQ(restored, ids);
  }
}

TEST_F(Masking, DependsOnTheSequenceAndTheStreamOnly) {
  const auto ids = sequence(100);
  EXPECT_EQ(mask(ids, 1).ids, mask(ids, 1).ids);
  EXPECT_EQ(mask(ids, 1).rows, mask(ids, 1).rows);
  EXPECT_NE(mask(ids, 1).rows, mask(ids, 2).rows);
}

TEST_F(Masking, SpecialTokensAreNeverChosenNorDrawn) {
  const std::vector<int32_t> ids = {2, 1, 5, 3, 0, 4, 6, 3};
  for (uint64_t i = 0; i < 300; ++i) {
    const auto masked = mask(ids, i, {.probability = 1, .mask_share = 0, .random_share = 1});
    ASSERT_THAT(masked.rows, ElementsAre(2, 6));
    ASSERT_THAT(masked.labels, ElementsAre(5, 6));
    ASSERT_GE(masked.ids[2], 5);
    ASSERT_LT(masked.ids[2], tokenizer_->vocabulary_size());
  }
  EXPECT_THAT(mask({2, 1, 3}, 0).rows, IsEmpty());
  EXPECT_THAT(mask({}, 0).rows, IsEmpty());
}

TEST_F(Masking, TokensWithoutARowAreNeverDrawn) {
  const MaskingVocabulary few(*tokenizer_, 6);
  EXPECT_THAT(few.ordinary, ElementsAre(5));
  EXPECT_EQ(few.special, vocabulary_.special);
}

// 20,000 selected tokens: each share within 5 standard deviations, each row selected about equally often.
TEST_F(Masking, SharesAndPlacesAreAsAsked) {
  const auto ids = sequence(100);
  double masked_count = 0, kept = 0, total = 0;
  std::vector<int> rows(ids.size());
  std::vector<int> drawn(static_cast<size_t>(tokenizer_->vocabulary_size()));
  for (uint64_t i = 0; i < 1334; ++i) {
    const auto masked = mask(ids, i);
    for (size_t k = 0; k < masked.rows.size(); ++k) {
      const auto row = static_cast<size_t>(masked.rows[k]);
      ++rows[row];
      ++total;
      masked_count += masked.ids[row] == tokenizer_->mask_id();
      kept += masked.ids[row] == masked.labels[k];
      ++drawn[static_cast<size_t>(masked.ids[row])];
    }
  }
  const auto near = [total](double count, double share) {
    EXPECT_NEAR(count / total, share, 5 * std::sqrt(share * (1 - share) / total));
  };
  near(masked_count, 0.8);
  near(kept, 0.1 + 0.1 / 13);  // a random token may be the same one: 13 of the 18 are not special
  near(drawn[17], 0.1 / 13);   // "##i" is not in the sequence, so it was drawn
  EXPECT_EQ(rows.front() + rows.back(), 0);
  for (size_t row = 1; row + 1 < rows.size(); ++row) ASSERT_NEAR(rows[row], 200, 5 * std::sqrt(200 * 0.85)) << row;
}

TEST_F(Masking, WholeWordsStayTogether) {
  // Words of 3, 1, 2, 1 pieces; the last follows a [SEP], so its "##" piece starts a word of its own.
  const std::vector<int32_t> ids = {2, 7, 8, 9, 5, 12, 13, 3, 9, 3};
  const MaskingOptions options{.probability = 0.5, .whole_words = true};
  for (uint64_t i = 0; i < 200; ++i) {
    const auto rows = mask(ids, i, options).rows;
    const auto has = [&](int32_t row) { return std::find(rows.begin(), rows.end(), row) != rows.end(); };
    ASSERT_EQ(has(1), has(2));
    ASSERT_EQ(has(2), has(3));
    ASSERT_EQ(has(5), has(6));
    ASSERT_LE(rows.size(), 4u);  // round(0.5 * 7)
    ASSERT_GE(rows.size(), 3u);
  }
  // The only word exceeds the number to select: it is selected anyway.
  EXPECT_THAT(mask({2, 7, 8, 9, 3}, 0, {.whole_words = true}).rows, ElementsAre(1, 2, 3));
  EXPECT_EQ(mask({2, 7, 8, 9, 3}, 0).rows.size(), 1u);
}

TEST_F(Masking, BadInputIsRefused) {
  EXPECT_THROW(mask({2, 18, 3}, 0), DataError);
  EXPECT_THROW(mask({2, -1, 3}, 0), DataError);
  EXPECT_THROW(mask({5}, 0, {.probability = 1.5}), UsageError);
  EXPECT_THROW(mask({5}, 0, {.probability = std::nan("")}), UsageError);
  EXPECT_THROW(mask({5}, 0, {.mask_share = 0.8, .random_share = 0.3}), UsageError);
}

}  // namespace
}  // namespace roformer
