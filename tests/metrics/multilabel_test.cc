#include "metrics/multilabel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace roformer {
namespace {

const LabelSets kGoldSets{.labels = 3, .has = {1, 0, 1, 0, 0, 0, 1, 1, 0, 0, 1, 0, 0, 0, 0}};
const LabelSets kPredictedSets{.labels = 3, .has = {1, 0, 0, 0, 0, 0, 1, 1, 0, 1, 1, 0, 0, 1, 0}};

// Right values: scikit-learn 1.9.1.
TEST(Multilabel, Scores) {
  const MultilabelScore score = multilabel_score(kGoldSets, kPredictedSets);
  EXPECT_NEAR(score.micro_f1, 0.7272727272727273, 1e-12);
  EXPECT_NEAR(score.macro_f1, 0.5333333333333333, 1e-12);
  EXPECT_NEAR(score.samples_f1, 0.4666666666666666, 1e-12);
  EXPECT_NEAR(score.exact_match, 0.4, 1e-12);
  ASSERT_EQ(score.labels.size(), 3u);
  EXPECT_NEAR(score.labels[0].precision, 0.66666667, 1e-8);
  EXPECT_EQ(score.labels[0].recall, 1);
  EXPECT_NEAR(score.labels[0].f1, 0.8, 1e-12);
  EXPECT_EQ(score.labels[2].f1, 0);
  EXPECT_EQ(score.labels[2].support, 1);
}

TEST(Multilabel, TheSetOfMetricsIsThatOfTheSample) {
  const MetricSet metrics = multilabel_metrics(kGoldSets, kPredictedSets);
  EXPECT_EQ(metrics.examples, 5);
  const MultilabelScore score = multilabel_score(kGoldSets, kPredictedSets);
  EXPECT_THAT(metrics.once(),
              testing::ElementsAre(score.micro_f1, score.macro_f1, score.samples_f1, score.exact_match));
  // Thrice the third, which is right, and once the fourth: 7 of 8 predicted labels are right, 7 of 7 found.
  const std::vector<double> values = metrics.values(std::vector<int32_t>{0, 0, 3, 1, 0});
  EXPECT_NEAR(values[0], 14.0 / 15, 1e-12);
  EXPECT_NEAR(values[2], (3 + 2.0 / 3) / 4, 1e-12);
  EXPECT_NEAR(values[3], 0.75, 1e-12);
}

TEST(Multilabel, RefusesOtherShapes) {
  EXPECT_THROW(multilabel_score(kGoldSets, {.labels = 3, .has = {1, 0, 1}}), ShapeError);
  EXPECT_THROW(multilabel_score({.labels = 2, .has = {1, 0, 1}}, {.labels = 2, .has = {1, 0, 1}}), ShapeError);
  EXPECT_THROW(multilabel_score({.labels = 0, .has = {}}, {.labels = 0, .has = {}}), ShapeError);
}

}  // namespace
}  // namespace roformer
