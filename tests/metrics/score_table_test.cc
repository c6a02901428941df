#include "metrics/score_table.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace roformer {
namespace {

TEST(ScoreTable, HasValuesAndIntervals) {
  ThreadPool pool(1);
  const MetricSet metrics = join(mean_metrics({"loss"}, {{1, 3}}), mean_metrics({"accuracy"}, {{1, 1}}));
  const ScoreTable table = score_table(metrics, {.resamples = 500}, pool);
  EXPECT_EQ(table.examples, 2);
  ASSERT_EQ(table.scores.size(), 2u);
  EXPECT_EQ(table.scores[0].name, "loss");
  EXPECT_EQ(table.scores[0].value, 2);
  EXPECT_EQ((*table.scores[0].interval)[0], 1);  // a quarter of the resamples are the first example alone
  EXPECT_EQ((*table.scores[0].interval)[1], 3);
  EXPECT_EQ(
      score_json("cola", table).dump(),
      R"({"interval95":{"accuracy":[1.0,1.0],"loss":[1.0,3.0]},"metrics":{"accuracy":1.0,"loss":2.0},"n":2,"task":"cola"})");
}

TEST(ScoreTable, WhatIsUndefinedIsNull) {
  const ScoreTable table{.examples = 1, .scores = {{.name = "matthews", .value = std::nan(""), .interval = {}}}};
  const Json json = score_json("t", table);
  EXPECT_TRUE(json.at("metrics").at("matthews").is_null());
  EXPECT_TRUE(json.at("interval95").at("matthews").is_null());
}

TEST(ScoreTable, Texts) {
  EXPECT_EQ(score_text({.name = "f1", .value = 0.84567, .interval = Bounds{0.8312, 0.8609}}), "0.846 [0.831, 0.861]");
  EXPECT_EQ(score_text({.name = "f1", .value = 0.5, .interval = {}}, 1), "0.5");
  EXPECT_EQ(score_text({.name = "f1", .value = std::nan(""), .interval = {}}), "–");
}

TEST(MetricSets, RefuseListsThatDoNotFit) {
  EXPECT_THROW(mean_metrics({"a"}, {{1}, {2}}), ShapeError);
  EXPECT_THROW(mean_metrics({"a", "b"}, {{1}, {2, 3}}), ShapeError);
  EXPECT_THROW(join(mean_metrics({"a"}, {{1}}), mean_metrics({"b"}, {{1, 2}})), ShapeError);
}

}  // namespace
}  // namespace roformer
