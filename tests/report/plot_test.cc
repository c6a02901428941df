#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "report/line_labels.h"
#include "report/plot.h"
#include "report/svg_plot.h"
#include "report/terminal_plot.h"
#include "tests/report/xml.h"

namespace roformer {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::vector<std::string> labels(const Axis& axis) {
  std::vector<std::string> result;
  for (const double tick : axis.ticks) result.push_back(axis.label(tick));
  return result;
}

Plot loss_plot() {
  Plot plot{.title = "Loss", .x_label = "step", .y_label = "loss", .series = {}};
  PlotSeries series{.name = "rotary", .points = {}, .low = {}, .high = {}};
  for (int i = 0; i <= 100; ++i) {
    const double x = 10 * i, y = 2 + 6 * std::exp(-i / 20.0);
    series.points.push_back({x, y});
    series.low.push_back({x, y - 0.2});
    series.high.push_back({x, y + 0.2});
  }
  plot.series = {series};
  return plot;
}

TEST(Axis, TicksAreRoundNumbers) {
  EXPECT_THAT(labels(make_axis(0, 1, 5, true)), testing::ElementsAre("0.0", "0.2", "0.4", "0.6", "0.8", "1.0"));
  EXPECT_THAT(labels(make_axis(2.1, 7.9, 4, true)), testing::ElementsAre("2", "4", "6", "8"));
  EXPECT_THAT(labels(make_axis(0, 50000, 5, false)), testing::ElementsAre("0", "10k", "20k", "30k", "40k", "50k"));
  EXPECT_THAT(labels(make_axis(-1e-6, 1e-6, 4, true)), testing::ElementsAre("-1e-06", "-5e-07", "0", "5e-07", "1e-06"));
  EXPECT_THAT(labels(make_axis(-0.3, 0.1, 4, true)), testing::ElementsAre("-0.3", "-0.2", "-0.1", "0.0", "0.1"));
}

TEST(Axis, RangeIsWidenedOnlyWhereAsked) {
  EXPECT_DOUBLE_EQ(make_axis(2.1, 7.9, 4, true).low, 2);
  EXPECT_DOUBLE_EQ(make_axis(2.1, 7.9, 4, true).high, 8);
  EXPECT_DOUBLE_EQ(make_axis(2.1, 7.9, 4, false).low, 2.1);
  EXPECT_DOUBLE_EQ(make_axis(2.1, 7.9, 4, false).high, 7.9);
}

TEST(Axis, LogarithmicTicksAreRoundFactorsApart) {
  EXPECT_THAT(labels(make_logarithmic_axis(16, 2048, 7, false)),
              testing::ElementsAre("20", "50", "100", "200", "500", "1000", "2000"));
  const Axis wide = make_logarithmic_axis(1.5, 40000, 5, true);
  EXPECT_THAT(labels(wide), testing::ElementsAre("1", "10", "100", "1000", "10k", "100k"));
  EXPECT_DOUBLE_EQ(wide.share(1), 0);
  EXPECT_NEAR(wide.share(10), 0.2, 1e-12);
  EXPECT_DOUBLE_EQ(wide.share(1e5), 1);
  EXPECT_EQ(wide.share(0), 0);
  for (const auto& [low, high] :
       std::vector<std::pair<double, double>>{{1, 1}, {0, 0}, {2, 1}, {0, 1e300}, {-1, 5}, {kNan, kNan}}) {
    for (const bool widen : {false, true}) {
      const Axis axis = make_logarithmic_axis(low, high, 4, widen);
      EXPECT_LT(axis.low, axis.high) << low << " … " << high;
      EXPECT_GT(axis.low, 0) << low << " … " << high;
      EXPECT_LE(axis.ticks.size(), 20u) << low << " … " << high;
    }
  }
}

TEST(Axis, HasFourToNineTicks) {
  const auto in_range = [](const Axis& axis) { return axis.ticks.size() >= 4 && axis.ticks.size() <= 9; };
  for (double low = 1; low < 20; low *= 1.13) {
    for (double ratio = 1.05; ratio < 1e6; ratio *= 1.17) {
      for (const int count : {4, 6, 8}) {
        const double high = low * ratio;
        EXPECT_TRUE(in_range(make_axis(low, high, count, true))) << low << " … " << high;
        EXPECT_TRUE(in_range(make_axis(low, high, count, false))) << low << " … " << high;
        EXPECT_TRUE(in_range(make_logarithmic_axis(low, high, count, true))) << low << " … " << high;
        EXPECT_TRUE(in_range(make_logarithmic_axis(low, high, count, false))) << low << " … " << high;
      }
    }
  }
}

TEST(Axis, IncludesWhatIsToBeShown) {
  Plot plot = loss_plot();
  plot.y_shown = {0, 100};
  const Axis axis = make_axes(plot, 4, 4).y;
  EXPECT_EQ(axis.low, 0);
  EXPECT_EQ(axis.high, 100);
}

TEST(SvgPlot, LogarithmicPlotOfAPowerIsStraight) {
  Plot plot{.title = "", .x_label = "", .y_label = "", .series = {}, .logarithmic = true};
  plot.series = {{.name = "", .points = {{1, 1000}, {10, 100}, {100, 10}, {0, -5}}, .low = {}, .high = {}}};
  const std::string svg = svg_plot(plot);
  expect_well_formed(svg);
  const PlotAxes axes = make_axes(plot, 4, 4);
  EXPECT_TRUE(axes.x.logarithmic && axes.y.logarithmic);
}

TEST(Axis, OddRangesGiveAUsableAxis) {
  const double huge = 1e300, tiny = std::numeric_limits<double>::denorm_min();
  for (const auto& [low, high] : std::vector<std::pair<double, double>>{
           {0, 0}, {5, 5}, {1, -1}, {-huge, huge}, {0, tiny}, {1, 1 + 1e-15}, {kNan, kNan}, {1e15, 1e15 + 1}}) {
    for (const bool widen : {false, true}) {
      const Axis axis = make_axis(low, high, 5, widen);
      EXPECT_LT(axis.low, axis.high);
      EXPECT_LE(axis.ticks.size(), 20u);
      for (const double tick : axis.ticks) EXPECT_TRUE(std::isfinite(axis.share(tick))) << low;
      for (const auto& label : labels(axis)) EXPECT_LE(label.size(), 12u) << label;
    }
  }
}

TEST(SvgPlot, DrawsLineBandLegendAndAxes) {
  const std::string svg = svg_plot(loss_plot());
  expect_well_formed(svg);
  EXPECT_EQ(count(svg, "<polyline"), 1);
  EXPECT_EQ(count(svg, "<polygon"), 1);
  for (const char* text : {">Loss<", ">step<", ">loss<", ">rotary<", ">1000<", ">8<", "prefers-color-scheme:dark",
                           "xmlns=\"http://www.w3.org/2000/svg\""}) {
    EXPECT_THAT(svg, HasSubstr(text));
  }
}

TEST(SvgPlot, PointsLieWhereTheAxesSay) {
  Plot plot;
  plot.series = {{.name = "", .points = {{0, 0}, {1, 1}, {2, 0}}, .low = {}, .high = {}}};
  // No legend: the area is 70 … 700 by 40 … 370.
  EXPECT_THAT(svg_plot(plot), HasSubstr("points=\"70.0,370.0 385.0,40.0 700.0,370.0\""));
}

TEST(SvgPlot, LevelsAreDashedAndInsideTheAxes) {
  Plot plot;
  plot.series = {{.name = "", .points = {{0, 0}, {1, 1}}, .low = {}, .high = {}}};
  plot.levels = {{"base<line", 2}, {"none", kNan}};
  const std::string svg = svg_plot(plot);
  expect_well_formed(svg);
  EXPECT_EQ(count(svg, "class=\"rf-level\""), 1);
  EXPECT_THAT(svg, HasSubstr("<line class=\"rf-level\" x1=\"70.0\" y1=\"40.0\" x2=\"700.0\" y2=\"40.0\"/>"));
  EXPECT_THAT(svg, HasSubstr(">base&lt;line<"));
  EXPECT_THAT(svg, HasSubstr("points=\"70.0,370.0 700.0,205.0\""));
}

TEST(SvgPlot, TextsAreEscaped) {
  Plot plot = loss_plot();
  plot.title = plot.series[0].name = "a<b & \"c\" 'd' </svg>\x01 \xff 汉";
  plot.x_label = plot.y_label = "]]><script>";
  const std::string svg = svg_plot(plot);
  expect_well_formed(svg);
  EXPECT_THAT(svg, HasSubstr("a&lt;b &amp; &quot;c&quot; &#39;d&#39; &lt;/svg&gt;\xEF\xBF\xBD \xEF\xBF\xBD 汉"));
}

TEST(SvgPlot, EscapeReplacesWhatNoXmlMayHold) {
  const std::string replacement = "\xEF\xBF\xBD";
  EXPECT_EQ(escape_xml("\xC0\x80"), replacement + replacement);                    // overlong
  EXPECT_EQ(escape_xml("\xED\xA0\x80"), replacement + replacement + replacement);  // surrogate
  EXPECT_EQ(escape_xml("\xEF\xBF\xBE"), replacement);                              // U+FFFE
  EXPECT_EQ(escape_xml("\xF4\x90\x80\x80").size(), 12u);                           // beyond U+10FFFF
  EXPECT_EQ(escape_xml("\xE6\xB1"), replacement + replacement);                    // cut short
  EXPECT_EQ(escape_xml("\xF0\x9F\x98\x80 é\n"), "\xF0\x9F\x98\x80 é\n");
}

TEST(SvgPlot, GapsBreakTheLineAndSinglePointsAreDots) {
  Plot plot;
  plot.series = {
      {.name = "a", .points = {{0, 1}, {1, 2}, {2, kNan}, {3, 1}, {4, 1e308}, {5, 2}, {6, 3}}, .low = {}, .high = {}}};
  const std::string svg = svg_plot(plot);
  expect_well_formed(svg);
  EXPECT_EQ(count(svg, "<polyline"), 2);
  EXPECT_EQ(count(svg, "<circle"), 1);
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
}

TEST(SvgPlot, NothingToShowIsStillAPlot) {
  expect_well_formed(svg_plot({}));
  Plot plot;
  plot.series = {{.name = "empty", .points = {}, .low = {}, .high = {}},
                 {.name = "nan", .points = {{kNan, 1}}, .low = {}, .high = {}}};
  const std::string svg = svg_plot(plot, {.width = 10, .height = 10});
  expect_well_formed(svg);
  EXPECT_EQ(count(svg, "<polyline"), 0);
}

TEST(SvgPlot, LongSeriesAreThinnedButKeepTheirExtremes) {
  Plot plot;
  plot.series.resize(1);
  for (int i = 0; i < 200000; ++i) plot.series[0].points.push_back({double(i), i == 123457 ? 9.0 : std::sin(i)});
  const std::string svg = svg_plot(plot);
  EXPECT_LT(svg.size(), 100000u);
  // The axis is -2 … 10, the spike at 9 lies 11/12 up the area of 370 … 40.
  EXPECT_NE(svg.find(",67.5"), std::string::npos);
}

TEST(SvgPlot, ManySeriesDifferInColorOrDash) {
  Plot plot;
  for (int i = 0; i < 15; ++i) {
    plot.series.push_back(
        {.name = "series " + std::to_string(i), .points = {{0, double(i)}, {1, double(i)}}, .low = {}, .high = {}});
  }
  const std::string svg = svg_plot(plot);
  EXPECT_THAT(svg, HasSubstr("\"rf-line rf-s0\""));
  EXPECT_THAT(svg, HasSubstr("\"rf-line rf-s0 rf-dash1\""));
  EXPECT_THAT(svg, HasSubstr("\"rf-line rf-s0 rf-dash2\""));
}

TEST(SvgPlot, CoincidingLinesTakeTurns) {
  Plot plot;
  plot.series = {{.name = "a", .points = {{0, 0}, {5, 5}, {10, 5}}, .low = {}, .high = {}},
                 {.name = "b", .points = {{0, 0}, {5, 5}, {10, 10}}, .low = {}, .high = {}},
                 {.name = "c", .points = {{0, 10}, {5, 9}, {10, 8}}, .low = {}, .high = {}}};
  const std::string svg = svg_plot(plot);
  expect_well_formed(svg);
  EXPECT_EQ(count(svg, "<polyline"), 5);  // a and b: shared, then alone
  EXPECT_THAT(svg, HasSubstr("rf-shared rf-s0\" stroke-dasharray=\"8 8\" stroke-dashoffset=\"0\""));
  EXPECT_THAT(svg, HasSubstr("rf-shared rf-s1\" stroke-dasharray=\"8 8\" stroke-dashoffset=\"-8\""));
  EXPECT_THAT(svg, Not(HasSubstr("rf-shared rf-s2")));
}

TEST(SvgPlot, ManyNamesStandAtTheEndsOfTheirLines) {
  Plot plot;
  for (int i = 0; i < 19; ++i) {
    plot.series.push_back({.name = "<" + std::to_string(i), .points = {{0, 0}, {1, 0.001 * i}}, .low = {}, .high = {}});
  }
  plot.series.push_back({.name = "none", .points = {}, .low = {}, .high = {}});
  plot.series[0].points.push_back({2, 9});
  const std::string svg = svg_plot(plot, {.width = 440, .height = 200});
  expect_well_formed(svg);
  EXPECT_EQ(count(svg, " rf-end\""), 19);
  EXPECT_THAT(svg, HasSubstr("width=\"440\" height=\"370\""));  // 20 names of 14 pixels, 40 above, 50 below
  for (PlotSeries& series : plot.series) series.name += std::string(60, 'x');  // nothing would be left of the plot
  EXPECT_EQ(count(svg_plot(plot), " rf-end\""), 0);
  plot.series.resize(5);
  EXPECT_EQ(count(svg_plot(plot), " rf-end\""), 0);
}

TEST(SvgPlot, LabelsAreSpreadAroundTheirLines) {
  const auto spread = [](const std::vector<double>& ends, double top, double bottom) {
    std::vector<EndLabel> labels;
    for (const double y : ends) labels.push_back({.series = 0, .end = {0, y}});
    spread_labels(labels, top, bottom);
    std::vector<double> result;
    for (const EndLabel& label : labels) result.push_back(label.y);
    return result;
  };
  using testing::ElementsAre;
  EXPECT_THAT(spread({200, 100, 100, 50}, 0, 400), ElementsAre(50, 93, 107, 200));
  EXPECT_THAT(spread({5, 5, 5}, 0, 400), ElementsAre(0, 14, 28));
  EXPECT_THAT(spread({390, 395, 400}, 0, 400), ElementsAre(372, 386, 400));
  EXPECT_THAT(spread({}, 0, 400), ElementsAre());
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

int columns_of(const std::string& line) {
  int result = 0;
  for (const unsigned char c : line) result += (c & 0xC0) != 0x80;
  return result;
}

TEST(TerminalPlot, DrawsMarksWhereThePointsAre) {
  Plot plot{.title = "T", .x_label = "step", .y_label = "", .series = {}};
  plot.series = {{.name = "loss", .points = {{0, 0}, {10, 10}}, .low = {}, .high = {}}};
  const std::string text = terminal_plot(plot, {.columns = 30, .rows = 4});
  EXPECT_EQ(text,
            "T\n"
            "* loss\n"
            "10 +                     *****\n"
            "   |             ********     \n"
            " 5 +     ********             \n"
            " 0 +*****                     \n"
            "   +--------------------------\n"
            "    0            5          10\n"
            "               step\n");
}

TEST(TerminalPlot, LevelsAreDashed) {
  Plot plot{.title = "", .x_label = "", .y_label = "", .series = {}};
  plot.series = {{.name = "loss", .points = {{0, 0}, {10, 0}}, .low = {}, .high = {}}};
  plot.levels = {{"level", 10}};
  const auto lines = lines_of(terminal_plot(plot, {.columns = 30, .rows = 4}));
  EXPECT_EQ(lines[0], "* loss  + level");
  EXPECT_EQ(lines[1], "10 +++  ++  ++  ++  ++  ++  ++");
  EXPECT_EQ(lines[4], " 0 +**************************");
  EXPECT_THAT(terminal_plot(plot, {.color = true, .unicode = true}), HasSubstr("╍"));
}

TEST(TerminalPlot, BrailleDotsAreExact) {
  // 50 × 16 dots: y = 0 0 1 1 1 2 … 14 14 15 15, dots of a cell numbered 1 2 3 7 and 4 5 6 8 from bit 0.
  Plot plot;
  plot.series = {{.name = "", .points = {{0, 1}, {1, 0}}, .low = {}, .high = {}}};
  const std::string text = terminal_plot(plot, {.columns = 30, .rows = 4, .unicode = true});
  const auto lines = lines_of(text);
  ASSERT_EQ(lines.size(), 6u);
  EXPECT_THAT(lines[0], testing::StartsWith("1.0 ┤\u2809\u2812\u2822"));
  EXPECT_THAT(lines[3], testing::EndsWith("\u2824\u28c0"));
}

TEST(TerminalPlot, NeverWiderThanAsked) {
  Plot plot = loss_plot();
  plot.title = std::string(300, 't');
  plot.x_label = std::string(300, 'x');
  plot.series.resize(3, plot.series[0]);
  plot.series[1].name = std::string(300, 'n');
  for (const bool unicode : {false, true}) {
    for (const int columns : {30, 47, 80}) {
      for (const auto& line : lines_of(terminal_plot(plot, {.columns = columns, .rows = 10, .unicode = unicode}))) {
        EXPECT_LE(columns_of(line), columns) << line;
      }
    }
  }
}

TEST(TerminalPlot, ColorAndDegenerateInput) {
  EXPECT_THAT(terminal_plot(loss_plot(), {.color = true, .unicode = true}), HasSubstr("\x1b[36m"));
  EXPECT_THAT(terminal_plot(loss_plot(), {.unicode = true}), Not(HasSubstr("\x1b")));
  EXPECT_FALSE(terminal_plot({}).empty());
  Plot plot;
  plot.series = {{.name = "", .points = {{kNan, kNan}, {1, 1}, {2, kNan}}, .low = {}, .high = {}}};
  EXPECT_EQ(count(terminal_plot(plot, {.columns = -5, .rows = -5}), "*"), 1);
}

}  // namespace
}  // namespace roformer
