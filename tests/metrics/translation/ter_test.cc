#include "metrics/translation/ter.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/edit_distance.h"
#include "base/random.h"
#include "metrics/translation/beam_edit_distance.h"
#include "tests/metrics/translation/segment_cases.h"

namespace roformer {
namespace {

using Numbers = std::vector<uint32_t>;

TEST(Ter, EditsOfSegmentsAreSacreBleus) {
  for (const test::SegmentCase& one : test::segment_cases()) {
    const TerStatistics found = ter_statistics(one.hypothesis, test::references_of(one));
    EXPECT_EQ(found.edits, one.edits) << one.hypothesis;
    EXPECT_DOUBLE_EQ(found.reference_length, one.reference_length) << one.hypothesis;
  }
}

TEST(Ter, OfEmptyReferencesIsAllOrNothing) {
  EXPECT_EQ(ter_score({.edits = 3, .reference_length = 0}), 100);
  EXPECT_EQ(ter_score({.edits = 0, .reference_length = 0}), 0);
  EXPECT_EQ(ter_score({.edits = 3, .reference_length = 2}), 150);
}

// Right values: sacrebleu.metrics.lib_ter.translation_edit_rate of the same numbers.
TEST(Ter, TheSearchKeepsTercomsLimits) {
  const auto moved = [](uint32_t words, size_t block, size_t by) {  // a block from the front to `by` words later
    Numbers reference, hypothesis;
    for (uint32_t i = 0; i < words; ++i) reference.push_back(i);
    hypothesis.assign(reference.begin() + static_cast<int64_t>(block), reference.end());
    hypothesis.insert(hypothesis.begin() + static_cast<int64_t>(by), reference.begin(),
                      reference.begin() + static_cast<int64_t>(block));
    return ter_edits(hypothesis, reference);
  };
  EXPECT_EQ(moved(100, 10, 30), 1);  // as long as a block may be
  EXPECT_EQ(moved(100, 11, 30), 2);
  EXPECT_EQ(moved(100, 5, 50), 1);  // as far as one may move
  EXPECT_EQ(moved(100, 5, 51), 10);
  Numbers few, others;  // more candidates than are tried
  for (uint32_t i = 0; i < 80; ++i) {
    few.push_back(i % 2);
    others.push_back(i * i % 13 % 2);
  }
  EXPECT_EQ(ter_edits(few, others), 24);  // 15 without the limit
}

// Within the beam it is Levenshtein's distance.
TEST(BeamEditDistance, IsLevenshteinsNearTheDiagonal) {
  Generator random({.seed = 3});
  for (int round = 0; round < 50; ++round) {
    std::string hypothesis, reference;
    Numbers words, others;
    for (uint64_t i = random.below(30); i > 0; --i) hypothesis += static_cast<char>('a' + random.below(4));
    for (uint64_t i = random.below(30); i > 0; --i) reference += static_cast<char>('a' + random.below(4));
    words.assign(hypothesis.begin(), hypothesis.end());
    others.assign(reference.begin(), reference.end());
    BeamEditDistance distance(others, words.size());
    const auto right = static_cast<int64_t>(edit_distance(hypothesis, reference));
    ASSERT_EQ(distance.set(words), right) << hypothesis << " " << reference;
    const WordAlignment alignment = distance.alignment();
    EXPECT_EQ(alignment.hypothesis_wrong.size(), words.size());
    EXPECT_EQ(alignment.reference_wrong.size(), others.size());
    EXPECT_EQ(alignment.hypothesis_of.size(), others.size());
    if (words.size() < 2) continue;
    const size_t same = words.size() / 2;
    std::swap(words[same], words.back());
    std::swap(hypothesis[same], hypothesis.back());
    const auto changed = static_cast<int64_t>(edit_distance(hypothesis, reference));
    EXPECT_EQ(distance.of_neighbor(words, same, 100), changed);
    EXPECT_GE(distance.of_neighbor(words, same, changed - 1), changed) << "beyond the limit, whatever it is";
    EXPECT_EQ(distance.of_neighbor(words, same, changed), changed);
  }
}

}  // namespace
}  // namespace roformer
