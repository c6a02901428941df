// The names of a plot's lines: a legend above it, or, of many lines, each name at the end of its line.
#pragma once

#include <string>
#include <vector>

#include "report/plot.h"

namespace roformer {

// What a line is drawn with: one of the seven colors, in dashes from the eighth line on.
std::string line_classes(size_t series);

struct LegendEntry {
  size_t series = 0;
  double x = 0;
  int row = 0;
};
// From left to right, then in further rows. Series without a name are left out.
std::vector<LegendEntry> place_legend(const Plot& plot, double left, double right);
void draw_legend(std::string& svg, const Plot& plot, const std::vector<LegendEntry>& entries, double top);

struct EndLabel {
  size_t series = 0;
  PlotPoint end;  // of the line, in pixels
  double y = 0;   // of the label
};
inline constexpr double kEndLabelHeight = 14;
// The y of labels in order from the top, each as near to where its line ends as `kEndLabelHeight` between them allows
// (least squares), inside [top, bottom] if they fit.
void spread_labels(std::vector<EndLabel>& labels, double top, double bottom);
double end_label_width(const std::string& name);  // with the line that leads to it
void draw_end_labels(std::string& svg, const Plot& plot, const std::vector<EndLabel>& labels, double left);

}  // namespace roformer
