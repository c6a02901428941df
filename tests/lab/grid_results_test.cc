#include <nlohmann/json.hpp>

#include "lab/grid_results.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/lab/grid_trial.h"

namespace roformer::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

GridPosition position_of(std::vector<GridRun> runs) {
  return {.position = "rotary", .parameters = {}, .runs = std::move(runs)};
}

TEST(GridPosition, PartsAreTheMeanOfTheRunsThatHaveThem) {
  GridPosition position = position_of({finished_run("", 1, {length_score("", 64, 4, {1, 2, 0})}),
                                       finished_run("", 2, {length_score("", 64, 4, {3, 0, 0})}),
                                       finished_run("", 3, {length_score("yarn", 64, 4, {9, 9, 9})})});
  EXPECT_THAT(position.part_losses("", 64), ElementsAre(2, 2, 0));  // 0: nothing predicted there
  EXPECT_THAT(position.part_losses("yarn", 64), ElementsAre(9, 9, 9));
  EXPECT_THAT(position.part_losses("", 32), IsEmpty());
  EXPECT_THAT(position.part_losses("ntk", 64), IsEmpty());
  position.runs[0].finished = false;
  EXPECT_THAT(position.part_losses("", 64), ElementsAre(3, 0, 0));
  position.runs[1].lengths[0].position_loss = {3, 6, 7, 8};  // of another number of parts
  position.runs[0].finished = true;
  EXPECT_THAT(position.part_losses("", 64), ElementsAre(2, 4, 7, 8));
}

TEST(GridPosition, LengthsAreOfFinishedRunsWithAScore) {
  GridPosition position = position_of({finished_run("", 1, {length_score("", 64, 4)}),
                                       finished_run("", 2, {no_score("", 64, "too long"), length_score("ntk", 64, 5)}),
                                       finished_run("", 3, {length_score("", 64, 6)})});
  EXPECT_THAT(position.length_losses("", 64), ElementsAre(4, 6));
  EXPECT_THAT(position.length_accuracies("", 64), ElementsAre(0.4, 0.6));
  EXPECT_THAT(position.length_losses("ntk", 64), ElementsAre(5));
  EXPECT_EQ(position.reason("", 64), "too long");
  EXPECT_EQ(position.reason("ntk", 64), "");
  EXPECT_THAT(position.scalings(), ElementsAre("", "ntk"));
  position.runs[2].finished = false;
  EXPECT_THAT(position.length_losses("", 64), ElementsAre(4));
}

TEST(GridPosition, SpeedsAreOfRunsThatTrainedAlone) {
  GridPosition position = position_of({finished_run("", 1), finished_run("", 2)});
  EXPECT_THAT(position.speeds(), ElementsAre(100, 100));
  position.runs[1].measure.jobs = 2;
  EXPECT_THAT(position.speeds(), IsEmpty());
}

TEST(GridResults, WhatIsMissingIsSaid) {
  const TempDirectory directory;
  const Grid grid = small_grid(directory);
  EXPECT_EQ(grid.base_parameters(), 1000);
  EXPECT_THAT(grid.notes(),
              ElementsAre(HasSubstr("over 2 seeds"), HasSubstr("3 of 4 trainings are finished, 3 have started")));
  const Json learned = position_json(grid, grid.positions[1]);
  EXPECT_EQ(learned["added_parameters"], 512);
  ASSERT_EQ(learned["lengths"].size(), 2u);
  EXPECT_EQ(learned["lengths"][0]["position_loss"], Json({2.5, 2.5}));
  EXPECT_EQ(learned["lengths"][1]["reason"], "its table < 64");
  EXPECT_TRUE(learned["lengths"][1]["loss"].is_null());
}

TEST(GridResults, ThePlateauIsNoted) {
  const TempDirectory directory;
  Grid grid = small_grid(directory);
  EXPECT_THAT(grid_table(grid)[0], ::testing::Not(::testing::Contains("unigram")));  // of older runs
  EXPECT_TRUE(position_json(grid, grid.positions[0])["unigram_loss"].is_null());
  for (GridPosition& position : grid.positions) {
    for (GridRun& run : position.runs) run.unigram_loss = 2.5;  // all have a loss of 2
  }
  EXPECT_EQ(grid_table(grid)[0][3], "unigram");
  EXPECT_EQ(grid_table(grid)[2][3], "2.500");
  EXPECT_EQ(position_json(grid, grid.positions[0])["unigram_loss"], 2.5);
  EXPECT_EQ(position_json(grid, grid.positions[0])["runs"][1]["unigram_loss"], 2.5);
  EXPECT_THAT(grid.notes(), ::testing::Each(::testing::Not(HasSubstr("unigram"))));
  grid.positions[1].runs[0].validation.loss = 2.46;  // no more than chance
  EXPECT_THAT(grid.notes(), ::testing::Contains(::testing::AllOf(HasSubstr("Not below the unigram baseline"),
                                                                 HasSubstr(": learned."))));
  for (GridRun& run : grid.positions[0].runs) run.validation.loss = 2.5;
  EXPECT_THAT(grid.notes(), ::testing::Contains(HasSubstr("No variant is below the unigram baseline")));
}

TEST(GridResults, DifferencesAreToTheReference) {
  const TempDirectory directory;
  Grid grid = small_grid(directory);
  grid.positions[1].runs[0].validation.loss = 2.25;
  EXPECT_EQ(grid_json(grid)["reference"], "rotary");
  EXPECT_TRUE(position_json(grid, grid.positions[0])["difference"].is_null());
  EXPECT_EQ(position_json(grid, grid.positions[1])["difference"]["mean"], 0.25);
  grid.plan.reference = "learned";
  EXPECT_EQ(grid_json(grid)["reference"], "learned");
  EXPECT_EQ(position_json(grid, grid.positions[0])["difference"]["mean"], -0.25);
}

TEST(GridResults, SettingsTellVariantsApart) {
  const TempDirectory directory;
  Grid grid = small_grid(directory);
  EXPECT_EQ(grid_table(grid)[0][0], "position");
  EXPECT_FALSE(position_json(grid, grid.positions[0]).contains("settings"));
  grid.plan.settings["learned"] = grid.positions[1].settings = {{"mask-probability", 0.3}};
  EXPECT_EQ(grid_table(grid)[0][0], "variant");
  EXPECT_EQ(position_json(grid, grid.positions[1])["settings"], Json({{"mask-probability", 0.3}}));
  EXPECT_THAT(grid.notes(), ::testing::Contains(HasSubstr("Variants differ in mask-probability")));
}

TEST(GridResults, ThePlanIsReadAsItWasWritten) {
  const TempDirectory directory;
  GridPlan plan = small_grid(directory).plan;
  plan.positions = {"rotary layers=1"};
  plan.settings["rotary layers=1"] = {{"layers", 1}};
  plan.reference = "rotary layers=1";
  write_grid_plan(plan, directory.path());
  const Grid grid = read_grid(directory.path());
  EXPECT_EQ(grid.plan.settings, plan.settings);
  EXPECT_EQ(grid.plan.reference, plan.reference);
  EXPECT_EQ(grid.positions[0].settings, Json({{"layers", 1}}));
  EXPECT_EQ(plan.run_name("rotary layers=1", 2), "rotary+layers-1-2");
}

}  // namespace
}  // namespace roformer::test
