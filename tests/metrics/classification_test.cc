#include "metrics/classification.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"

// Right values: scikit-learn 1.9.1.
namespace roformer {
namespace {

using testing::ElementsAre;

constexpr double kNear = 1e-12;

const std::vector<int32_t> kGold = {0, 1, 2, 2, 1, 0, 2, 1, 0, 0, 2, 1};
const std::vector<int32_t> kPredicted = {0, 2, 2, 2, 1, 0, 1, 1, 0, 2, 2, 0};

TEST(Classification, TheConfusionMatrixHasGoldLabelsAsRows) {
  const ConfusionMatrix matrix = confusion_matrix(kGold, kPredicted, 3);
  EXPECT_THAT(matrix.counts, ElementsAre(3, 0, 1, 1, 2, 1, 0, 1, 3));
  EXPECT_EQ(matrix.at(1, 2), 1);
  EXPECT_EQ(matrix.at(2, 0), 0);
}

TEST(Classification, ScoresOfThreeClasses) {
  const ConfusionMatrix matrix = confusion_matrix(kGold, kPredicted, 3);
  EXPECT_NEAR(accuracy(matrix), 0.6666666666666666, kNear);
  const AveragedF1 f1 = averaged_f1(matrix);
  EXPECT_NEAR(f1.macro, 0.6626984126984127, kNear);
  EXPECT_NEAR(f1.micro, 0.6666666666666666, kNear);
  EXPECT_NEAR(f1.weighted, 0.6626984126984127, kNear);
  EXPECT_NEAR(matthews_correlation(matrix), 0.5052911526399114, kNear);
  const PrecisionRecall second = class_score(matrix, 1);
  EXPECT_NEAR(second.precision, 0.66666667, 1e-8);
  EXPECT_NEAR(second.recall, 0.5, kNear);
  EXPECT_NEAR(second.f1, 0.57142857, 1e-8);
  EXPECT_EQ(second.support, 4);
}

TEST(Classification, ScoresOfAPositiveClass) {
  const std::vector<int32_t> gold = {1, 0, 1, 1, 0, 0, 1, 0, 1, 1}, predicted = {1, 0, 0, 1, 0, 1, 1, 0, 1, 0};
  const ConfusionMatrix matrix = confusion_matrix(gold, predicted, 2);
  const PrecisionRecall score = class_score(matrix, 1);
  EXPECT_NEAR(score.precision, 0.8, kNear);
  EXPECT_NEAR(score.recall, 0.6666666666666666, kNear);
  EXPECT_NEAR(score.f1, 0.7272727272727273, kNear);
  EXPECT_NEAR(matthews_correlation(matrix), 0.408248290463863, kNear);
  EXPECT_NEAR(accuracy(matrix), 0.7, kNear);
  // Never predicted.
  const std::vector<int32_t> none(10, 0);
  EXPECT_EQ(class_score(confusion_matrix(gold, none, 2), 1).f1, 0);
  EXPECT_EQ(matthews_correlation(confusion_matrix(gold, none, 2)), 0);
}

TEST(Classification, AClassThatDoesNotOccurIsNotInTheMean) {
  const std::vector<int32_t> gold = {0, 0, 2, 2}, predicted = {0, 0, 2, 0};
  EXPECT_NEAR(averaged_f1(confusion_matrix(gold, predicted, 3)).macro, 0.7333333333333334, kNear);
}

TEST(Classification, TheSetOfMetricsIsThatOfTheSample) {
  const MetricSet metrics = classification_metrics(kGold, kPredicted, 3, 2);
  EXPECT_EQ(metrics.examples, 12);
  EXPECT_THAT(metrics.names,
              ElementsAre("accuracy", "macro_f1", "weighted_f1", "matthews", "precision", "recall", "f1"));
  const std::vector<double> once = metrics.once();
  EXPECT_NEAR(once[0], 0.6666666666666666, kNear);
  EXPECT_NEAR(once[1], 0.6626984126984127, kNear);
  EXPECT_NEAR(once[3], 0.5052911526399114, kNear);
  EXPECT_NEAR(once[4], 0.6, kNear);
  EXPECT_NEAR(once[5], 0.75, kNear);
  EXPECT_NEAR(once[6], 0.66666667, 1e-8);
  // Twice the first example, once the second, whose label is wrong.
  std::vector<int32_t> times(12);
  times[0] = 2;
  times[1] = 1;
  EXPECT_NEAR(metrics.values(times)[0], 2.0 / 3, kNear);
  EXPECT_TRUE(std::isnan(metrics.values(std::vector<int32_t>(12))[0]));
}

TEST(Classification, RefusesLabelsOutsideTheClasses) {
  EXPECT_THROW(confusion_matrix(kGold, kPredicted, 2), ShapeError);
  EXPECT_THROW(confusion_matrix(std::vector<int32_t>{-1}, std::vector<int32_t>{0}, 2), ShapeError);
  EXPECT_THROW(confusion_matrix(kGold, std::vector<int32_t>{0}, 3), ShapeError);
  EXPECT_THROW(classification_metrics(kGold, kPredicted, 3, 3), ShapeError);
}

}  // namespace
}  // namespace roformer
