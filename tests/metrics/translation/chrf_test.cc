#include "metrics/translation/chrf.h"

#include <gtest/gtest.h>

#include "tests/metrics/translation/segment_cases.h"

namespace roformer {
namespace {

TEST(Chrf, ScoresOfSegmentsAreSacreBleus) {
  for (const test::SegmentCase& one : test::segment_cases()) {
    for (int order = 0; order < 3; ++order) {
      const ChrfStatistics found =
          chrf_statistics(one.hypothesis, test::references_of(one), {.word_order = order, .lowercase = order == 1});
      const double right = one.chrf.at(static_cast<size_t>(order));
      EXPECT_NEAR(chrf_score(found), right, 1e-9) << one.hypothesis << ", words " << order;
      EXPECT_EQ(found.orders.size(), static_cast<size_t>(kChrfCharacterOrder + order));
    }
  }
}

TEST(Chrf, NamesHaveThePlusesOfTheirWords) {
  EXPECT_EQ(chrf_name({}), "chrF2");
  EXPECT_EQ(chrf_name({.word_order = 2}), "chrF2++");
}

}  // namespace
}  // namespace roformer
