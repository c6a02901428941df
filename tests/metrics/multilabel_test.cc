#include "metrics/multilabel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace roformer {
namespace {

const LabelSets kGoldSets{.labels = 3, .has = {1, 0, 1, 0, 0, 0, 1, 1, 0, 0, 1, 0, 0, 0, 0}};
const LabelSets kPredictedSets{.labels = 3, .has = {1, 0, 0, 0, 0, 0, 1, 1, 0, 1, 1, 0, 0, 1, 0}};

// Right values: scikit-learn 1.9.1.
TEST(Multilabel, ScoresOfASample) {
  const MetricSet metrics = multilabel_metrics(kGoldSets, kPredictedSets);
  EXPECT_EQ(metrics.examples, 5);
  EXPECT_THAT(metrics.names, testing::ElementsAre("micro_f1", "macro_f1", "samples_f1", "exact_match"));
  EXPECT_THAT(metrics.once(),
              testing::Pointwise(testing::DoubleNear(1e-12),
                                 std::vector{0.7272727272727273, 0.5333333333333333, 0.4666666666666666, 0.4}));
  // Thrice the third, which is right, and once the fourth: 7 of 8 predicted labels are right, 7 of 7 found.
  const std::vector<double> values = metrics.values(std::vector<int32_t>{0, 0, 3, 1, 0});
  EXPECT_NEAR(values[0], 14.0 / 15, 1e-12);
  EXPECT_NEAR(values[2], (3 + 2.0 / 3) / 4, 1e-12);
  EXPECT_NEAR(values[3], 0.75, 1e-12);
}

TEST(Multilabel, RefusesOtherShapes) {
  EXPECT_THROW(multilabel_metrics(kGoldSets, {.labels = 3, .has = {1, 0, 1}}), ShapeError);
  EXPECT_THROW(multilabel_metrics({.labels = 2, .has = {1, 0, 1}}, {.labels = 2, .has = {1, 0, 1}}), ShapeError);
  EXPECT_THROW(multilabel_metrics({.labels = 0, .has = {}}, {.labels = 0, .has = {}}), ShapeError);
}

}  // namespace
}  // namespace roformer
