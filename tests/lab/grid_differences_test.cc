#include "lab/grid_differences.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/lab/grid_trial.h"

namespace roformer::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Seeds 1, 2, … with these losses.
GridPosition with_seed_losses(const std::string& name, const std::vector<double>& losses) {
  GridPosition position{.position = name, .parameters = {}, .runs = {}};
  for (const double loss : losses) {
    position.runs.push_back(finished_run("", std::ssize(position.runs) + 1));
    position.runs.back().validation.loss = loss;
  }
  return position;
}

Grid grid_of(std::vector<GridPosition> positions) {
  Grid grid{.directory = "",
            .plan = {.objective = "mlm", .positions = {}, .seeds = {}, .max_length = 32, .lengths = {}},
            .positions = {}};
  for (const GridPosition& position : positions) grid.plan.positions.push_back(position.position);
  for (size_t i = 0; i < positions[0].runs.size(); ++i) grid.plan.seeds.push_back(static_cast<int64_t>(i) + 1);
  grid.positions = std::move(positions);
  return grid;
}

// Seeds vary by far more than the variants differ, so that only pairs tell them apart.
TEST(LossDifference, WhatSeedsShareCancelsOut) {
  const GridPosition reference = with_seed_losses("a", {3, 4, 5});
  const auto verdict = [&](const std::vector<double>& losses) {
    return loss_difference(with_seed_losses("b", losses), reference).verdict;
  };
  EXPECT_EQ(verdict({2.9, 3.89, 4.91}), Verdict::better);
  EXPECT_EQ(verdict({3.1, 4.11, 5.09}), Verdict::worse);
  EXPECT_EQ(verdict({2.9, 4.1, 4.9}), Verdict::indistinguishable);
  EXPECT_EQ(verdict({3, 4, 5}), Verdict::indistinguishable);  // the same
  EXPECT_EQ(verdict({2.9}), Verdict::untested);
}

// Student's t of two degrees of freedom is 4.303; the standard error of 0.1, 0.2, 0.3 is 0.1 / √3.
TEST(LossDifference, TheIntervalIsStudents) {
  const LossDifference difference =
      loss_difference(with_seed_losses("b", {1.1, 2.2, 3.3}), with_seed_losses("a", {1, 2, 3}));
  ASSERT_EQ(difference.pairs.size(), 3u);
  EXPECT_EQ(difference.pairs[2].seed, 3);
  EXPECT_NEAR(difference.pairs[2].loss, 0.3, 1e-12);
  EXPECT_NEAR(difference.interval->mean, 0.2, 1e-12);
  EXPECT_NEAR(*difference.interval->half_width, 4.30265 * 0.1 / std::sqrt(3.0), 1e-5);
}

TEST(LossDifference, OnlySeedsThatBothHaveFinishedCount) {
  GridPosition a = with_seed_losses("a", {1, 2, 3}), b = with_seed_losses("b", {2, 3, 9});
  a.runs[2].finished = false;
  EXPECT_EQ(loss_difference(b, a).interval->count, 2);
  b.runs[0].finished = false;
  EXPECT_EQ(loss_difference(b, a).interval->count, 1);
  EXPECT_EQ(loss_difference(b, a).verdict, Verdict::untested);
  b.runs.clear();
  EXPECT_FALSE(loss_difference(b, a).interval);
  EXPECT_TRUE(difference_json(loss_difference(b, a)).is_null());
}

TEST(DifferenceTable, ComparesWithTheReference) {
  Grid grid =
      grid_of({with_seed_losses("a", {1, 2}), with_seed_losses("b", {1.5, 2.5}), with_seed_losses("c", {0, 9})});
  EXPECT_THAT(difference_table(grid),
              ElementsAre(ElementsAre("difference to a", "seed 1", "seed 2", "validation loss", "verdict"),
                          ElementsAre("b", "+0.500", "+0.500", "+0.500 ± 0.000", "worse"),
                          ElementsAre("c", "-1.000", "+7.000", "+3.000 ± 50.825", "statistically indistinguishable")));
  grid.plan.reference = "b";
  EXPECT_EQ(reference_of(grid).position, "b");
  EXPECT_THAT(difference_table(grid)[1], ElementsAre("a", "-0.500", "-0.500", "-0.500 ± 0.000", "better"));
  const auto same = difference_table(grid_of({with_seed_losses("a", {1, 2}), with_seed_losses("b", {0.9999, 1.9999})}));
  EXPECT_THAT(same[1], ElementsAre("b", "0.000", "0.000", "0.000 ± 0.000", "better"));
}

TEST(DifferenceTable, FewAndManySeeds) {
  EXPECT_THAT(difference_table(grid_of({with_seed_losses("a", {1}), with_seed_losses("b", {2})})),
              ElementsAre(ElementsAre("difference to a", "validation loss", "verdict"),
                          ElementsAre("b", "+1.000", HasSubstr("not tested"))));
  const std::vector<double> six = {1, 2, 3, 4, 5, 6};
  EXPECT_EQ(difference_table(grid_of({with_seed_losses("a", six), with_seed_losses("b", six)}))[0].size(), 3u);
  EXPECT_THAT(difference_table(grid_of({with_seed_losses("a", six)})), IsEmpty());
  EXPECT_THAT(difference_table(grid_of({with_seed_losses("a", {}), with_seed_losses("b", {})})), IsEmpty());
}

TEST(DifferenceJson, HasEverySeed) {
  const Json json = difference_json(loss_difference(with_seed_losses("b", {2, 4}), with_seed_losses("a", {1, 1})));
  EXPECT_EQ(json["seeds"], Json({{{"seed", 1}, {"loss", 1.0}}, {{"seed", 2}, {"loss", 3.0}}}));
  EXPECT_EQ(json["mean"], 2.0);
  EXPECT_EQ(json["runs"], 2);
  EXPECT_EQ(json["verdict"], "statistically indistinguishable");
}

}  // namespace
}  // namespace roformer::test
