#include "lab/grid_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "report/svg_plot.h"
#include "tests/lab/grid_trial.h"
#include "training/unigram_baseline.h"

namespace roformer::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

using Points = std::vector<std::pair<double, double>>;

Points points(const std::vector<PlotPoint>& list) {
  Points result;
  for (const PlotPoint& point : list) result.emplace_back(point.x, point.y);
  return result;
}

std::vector<std::string> names(const Plot& plot) {
  std::vector<std::string> result;
  for (const PlotSeries& series : plot.series) result.push_back(series.name);
  return result;
}

class GridPage : public ::testing::Test {
 protected:
  std::map<std::string, Plot> plots() const {
    std::map<std::string, Plot> result;
    for (const auto& [name, plot] : grid_plots(grid_)) result.emplace(name, plot);
    return result;
  }
  TempDirectory directory_;
  Grid grid_ = small_grid(directory_);
};

TEST_F(GridPage, PlotsInTheirOrder) {
  std::vector<std::string> order;
  for (const NamedPlot& named : grid_plots(grid_)) order.push_back(named.name);
  EXPECT_THAT(order, ElementsAre("validation-loss", "lengths", "places", "lengths-rotary", "places-rotary"));
}

TEST_F(GridPage, CurvesHaveABandWhereThereAreSeeds) {
  const Plot plot = plots().at("validation-loss");
  ASSERT_THAT(names(plot), ElementsAre("rotary", "learned"));
  EXPECT_EQ(points(plot.series[0].points), (Points{{2, 3.5}, {4, 2}}));
  EXPECT_EQ(points(plot.series[0].low), (Points{{2, 3}, {4, 2}}));
  EXPECT_EQ(points(plot.series[0].high), (Points{{2, 4}, {4, 2}}));
  EXPECT_EQ(points(plot.series[1].points), (Points{{2, 3}, {4, 2}}));
  EXPECT_THAT(plot.series[1].low, IsEmpty());
}

TEST_F(GridPage, LengthsAreMeansOfSeeds) {
  const Plot plot = plots().at("lengths");
  EXPECT_THAT(plot.title, HasSubstr("trained at 32"));
  ASSERT_THAT(names(plot), ElementsAre("rotary", "learned"));
  EXPECT_EQ(points(plot.series[0].points), (Points{{32, 2.5}, {64, 6}}));
  EXPECT_EQ(points(plot.series[0].low), (Points{{32, 2}, {64, 5}}));
  EXPECT_EQ(points(plot.series[0].high), (Points{{32, 3}, {64, 7}}));
  EXPECT_EQ(points(plot.series[1].points), (Points{{32, 2.5}}));  // it cannot read 64
  EXPECT_THAT(plot.series[1].high, IsEmpty());
}

// A scaling is the plain encoding up to the length of the training.
TEST_F(GridPage, ScalingsBeginWhereTheTrainingEnds) {
  const Plot plot = plots().at("lengths-rotary");
  ASSERT_THAT(names(plot), ElementsAre("rotary", "rotary, yarn"));
  EXPECT_EQ(points(plot.series[1].points), (Points{{32, 2.5}, {64, 3.5}}));
  grid_.positions[0].runs[0].lengths.pop_back();
  const Plot without = plots().at("lengths-rotary");
  EXPECT_EQ(points(without.series[1].points), (Points{{32, 2.5}, {64, 4}}));
  EXPECT_THAT(without.series[1].low, IsEmpty());  // a single seed at 64
}

TEST_F(GridPage, PlacesAreTheMiddlesOfParts) {
  const Plot plot = plots().at("places");
  EXPECT_THAT(plot.title, HasSubstr("64-token sequences"));
  ASSERT_THAT(names(plot), ElementsAre("rotary", ""));
  EXPECT_EQ(points(plot.series[0].points), (Points{{16, 3}, {48, 9}}));
  EXPECT_EQ(points(plots().at("places-rotary").series[1].points), (Points{{16, 2}, {48, 6}}));
}

TEST_F(GridPage, AnEncodingHasOneColorInAllPlots) {
  std::swap(grid_.positions[0], grid_.positions[1]);  // `learned` has no places
  EXPECT_THAT(names(plots().at("lengths")), ElementsAre("learned", "rotary"));
  const Plot places = plots().at("places");
  EXPECT_THAT(names(places), ElementsAre("", "rotary"));
  EXPECT_THAT(places.series[0].points, IsEmpty());
  EXPECT_THAT(svg_plot(places), AllOf(HasSubstr("rf-s1"), Not(HasSubstr("class=\"rf-line rf-s0"))));
}

TEST_F(GridPage, ManyLinesHaveNoBands) {
  for (int i = 0; i < 6; ++i) grid_.positions.push_back(grid_.positions[0]);
  const auto all = plots();
  for (const char* name : {"validation-loss", "lengths"}) {
    ASSERT_EQ(all.at(name).series.size(), 8u);
    for (const PlotSeries& series : all.at(name).series) EXPECT_THAT(series.low, IsEmpty());
  }
  EXPECT_THAT(all.at("lengths-rotary").series[0].low, Not(IsEmpty()));
}

TEST_F(GridPage, WithoutOtherLengthsThereAreCurvesAlone) {
  grid_.plan.lengths.clear();
  EXPECT_EQ(plots().size(), 1u);
  EXPECT_THAT(grid_page(grid_, "A grid"), Not(HasSubstr("Sequences longer than in training")));
}

TEST_F(GridPage, ThePageSaysItAll) {
  grid_.plan.lengths = {32, 48, 64};
  grid_.positions[1].runs[0].lengths.push_back(no_score("", 48, "its table < 64"));
  const std::string page = grid_page(grid_, "A <grid>");
  for (const char* part : {"A &lt;grid&gt;", "Sequences longer than in training", "by sequence length (tokens)",
                           "rotary, yarn", "3 of 4 trainings are finished", "Missing values"}) {
    EXPECT_THAT(page, HasSubstr(part));
  }
  const std::string reason = "its table &lt; 64";
  const size_t first = page.find(reason);
  ASSERT_NE(first, page.npos);
  EXPECT_EQ(page.find(reason, first + 1), page.npos);  // once
  EXPECT_THAT(page, Not(HasSubstr("Training runs")));  // none has a step
}

// Of two seeds each.
GridPosition with_losses(const std::string& name, double first, double second) {
  GridPosition position{.position = name, .parameters = {}, .runs = {finished_run("", 1), finished_run("", 2)}};
  position.runs[0].validation.loss = first;
  position.runs[1].validation.loss = second;
  return position;
}

TEST_F(GridPage, TheMainResultIsThePairedComparisonWithTheBest) {
  // Their own intervals overlap; seed by seed the first differs from the best by 0.1, the second by −0.1 and 0.5.
  grid_.positions = {with_losses("near", 1.1, 3.1001), with_losses("noisy", 0.9, 3.5), with_losses("best", 1, 3)};
  EXPECT_EQ(main_result(grid_),
            "best has the lowest validation loss: 2.000 ± 12.706 nats per predicted token (mean and 95 % confidence "
            "interval over 2 seeds). Statistically indistinguishable from it (paired t-test over seeds, α = 0.05, not "
            "corrected for multiple comparisons): noisy. The other variant has a significantly higher loss.");
  grid_.positions[1] = with_losses("far", 2, 4.0001);
  EXPECT_THAT(main_result(grid_), HasSubstr("The loss of all 2 other variants is significantly higher (paired t-test"));
}

TEST_F(GridPage, TheMainResultSaysWhatCannotBeTested) {
  grid_.positions = {with_losses("a", 1, 2), with_losses("b", 3, 4)};
  grid_.positions[1].runs[1].finished = false;
  EXPECT_THAT(main_result(grid_), ::testing::EndsWith(" Not tested, as a test takes two seeds of both: b."));
  grid_.positions[0].runs.pop_back();
  EXPECT_THAT(main_result(grid_), HasSubstr("1.000 nats per predicted token (one run)."));
  grid_.positions.pop_back();
  EXPECT_EQ(main_result(grid_), "The validation loss of a is 1.000 nats per predicted token (one run).");
  grid_.positions.clear();
  EXPECT_EQ(main_result(grid_), "No run has finished yet.");
}

TEST_F(GridPage, DifferencesAreATableAndTheBaselineALevel) {
  EXPECT_THAT(plots().at("validation-loss").levels, IsEmpty());
  for (const GridPosition& position : grid_.positions) {
    for (const GridRun& run : position.runs) write_unigram_loss(5.5, run.directory);
  }
  ASSERT_EQ(plots().at("validation-loss").levels.size(), 1u);
  EXPECT_EQ(plots().at("validation-loss").levels[0].y, 5.5);
  const std::string page = grid_page(grid_, "A grid");
  for (const char* part : {"Differences in validation loss, seed by seed", "difference to rotary", "rf-level"}) {
    EXPECT_THAT(page, HasSubstr(part));
  }
}

TEST_F(GridPage, ThePageBeginsWithItsMainResult) {
  const std::string page = grid_page(grid_, "A grid");
  const size_t result = page.find(main_result(grid_)), table = page.find("<table"), plot = page.find("<figure");
  EXPECT_LT(page.find("<h1>"), result);
  EXPECT_LT(result, table);
  EXPECT_LT(table, plot);
  EXPECT_NE(plot, page.npos);
}

TEST_F(GridPage, TheReportIsWrittenBesideTheRuns) {
  write_grid_report(grid_);
  for (const char* name : {"validation-loss", "lengths", "places", "lengths-rotary", "places-rotary"}) {
    const std::string svg = read_file(directory_ / "plots/" + name + ".svg", 1 << 20);
    EXPECT_THAT(svg, ::testing::StartsWith("<svg")) << name;
  }
  EXPECT_EQ(Json::parse(read_file(directory_ / "results.json", 1 << 20)), grid_json(grid_));
  EXPECT_TRUE(std::filesystem::exists(directory_ / "report.html"));
}

}  // namespace
}  // namespace roformer::test
