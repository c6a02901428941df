// A line plot as data: what svg_plot.h and terminal_plot.h draw.
// The module report/ draws plots and pages and reads the log of a training. It is not a plotting
// library: one kind of plot, two ways to draw it. Calling gnuplot or a JavaScript library was rejected: a report must
// be one file that opens anywhere, offline, for years, and the program must not depend on other installed programs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace roformer {

struct PlotPoint {
  double x = 0, y = 0;
};

// One line, x not decreasing. A point that is not finite (or beyond ±1e300) is a gap in the line.
struct PlotSeries {
  std::string name;  // for the legend; may be empty
  std::vector<PlotPoint> points;
  std::vector<PlotPoint> low, high;  // a band around the line, e.g. of several runs: both empty, or with equal x
};

// What all lines are compared with: a dashed line across the plot, with its name.
struct PlotLevel {
  std::string name;
  double y = 0;
};

struct Plot {
  std::string title, x_label, y_label;
  std::vector<PlotSeries> series;
  bool logarithmic = false;  // both axes; what is not above 0 is at their lower end
  // Values that the y axis includes whatever the series are, e.g. {0, 100} of percentages.
  std::vector<double> y_shown = {};
  std::vector<PlotLevel> levels = {};
};

// Leaves out the bands of more than seven series: bands upon bands would hide the lines.
void drop_crowded_bands(Plot& plot);

bool is_drawable(const PlotPoint& point);

// One axis: a range and round numbers inside it.
struct Axis {
  double low = 0, high = 1;  // low < high
  std::vector<double> ticks;
  double step = 1;  // between ticks
  bool logarithmic = false;

  double share(double value) const;      // 0 at low, 1 at high
  std::string label(double tick) const;  // with just the decimals that step needs
};

// The axis over the finite values from `low` to `high` with about `count` ticks, four to nine where `count` is, 1, 2
// or 5 times a power of ten apart. `widen` extends the range to whole ticks. low > high (nothing to show) gives 0 … 1,
// low = high a range around it.
Axis make_axis(double low, double high, int count, bool widen);
// The same by factors: ticks at powers of ten, or at 1 and 3 or 1, 2 and 5 times these, or, where that gives too few,
// as on a linear axis. Values count as 1e-100 … 1e100.
Axis make_logarithmic_axis(double low, double high, int count, bool widen);

struct PlotAxes {
  Axis x, y;
};
PlotAxes make_axes(const Plot& plot, int x_count, int y_count);

}  // namespace roformer
