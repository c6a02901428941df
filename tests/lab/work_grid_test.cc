#include "lab/work_grid.h"

#include <gtest/gtest.h>

namespace roformer {
namespace {

TEST(WorkGrid, CoresTakeTheNextTaskWhenTheyAreFree) {
  // On two cores: 3 | 1 + 1, then 2 behind those.
  const std::vector<Profile::Region> regions{{"linear", 3.5, {3, 1, 1, 2}}};
  const WorkGrid grid = work_grid(regions, 4, 1, 2);
  ASSERT_EQ(grid.operators.size(), 1u);
  EXPECT_DOUBLE_EQ(grid.operators[0].seconds, 4);
  EXPECT_DOUBLE_EQ(grid.operators[0].busy, 3.5);
  EXPECT_DOUBLE_EQ(grid.operators[0].longest, 3 / 3.5);
  EXPECT_DOUBLE_EQ(grid.alone, 0.5);
  EXPECT_DOUBLE_EQ(grid.seconds, 4.5);
  EXPECT_DOUBLE_EQ(grid.efficiency, (3.5 + 0.25) / 4.5);
}

TEST(WorkGrid, CountsRegionsAndTasksOfAPassByOperator) {
  const std::vector<Profile::Region> regions{
      {"norm", 1, {1}}, {"linear", 2, {1, 1, 2}}, {"norm", 1, {1}}, {"linear", 2, {1, 1, 2, 1, 1}}};
  const WorkGrid grid = work_grid(regions, 6, 1, 16);
  ASSERT_EQ(grid.operators.size(), 2u);
  EXPECT_EQ(grid.operators[0].name, "linear");  // takes longest
  EXPECT_EQ(grid.operators[0].regions, 2);
  EXPECT_EQ(grid.operators[0].fewest_tasks, 3);
  EXPECT_EQ(grid.operators[0].median_tasks, 5);
  EXPECT_DOUBLE_EQ(grid.operators[0].seconds, 4);
  EXPECT_EQ(grid.operators[1].median_tasks, 1);
}

TEST(WorkGrid, ATaskTakesTheMedianOfThePasses) {
  const std::vector<Profile::Region> regions{{"linear", 1, {1, 2}}, {"linear", 9, {9, 2}}, {"linear", 1, {1.5, 1}}};
  const WorkGrid grid = work_grid(regions, 12, 3, 1);
  EXPECT_DOUBLE_EQ(grid.operators.at(0).seconds, 1.5 + 2);
  EXPECT_EQ(grid.operators[0].regions, 1);
  EXPECT_NEAR(grid.alone, 1.0 / 3, 1e-12);
}

}  // namespace
}  // namespace roformer
