#include "report/line_labels.h"

#include <fmt/format.h>

#include <algorithm>

#include "report/svg_parts.h"

namespace roformer {
namespace {

constexpr double kLegendLine = 24, kLegendRow = 18;
// From the plotting area on: the line that leads to a label, a piece of the line itself, the name.
constexpr double kLeader = 18, kSample = 18, kGap = 5;
constexpr double kEndLabelSize = 11;

}  // namespace

std::string line_classes(size_t series) {
  const size_t round = series / kSvgColors % 3;
  return fmt::format("rf-line rf-s{}{}", series % kSvgColors, round == 0 ? "" : fmt::format(" rf-dash{}", round));
}

std::vector<LegendEntry> place_legend(const Plot& plot, double left, double right) {
  std::vector<LegendEntry> entries;
  double x = left;
  int row = 0;
  for (size_t i = 0; i < plot.series.size(); ++i) {
    if (plot.series[i].name.empty()) continue;
    const double width = kLegendLine + 22 + svg_text_width(plot.series[i].name);
    if (x > left && x + width > right) {
      x = left;
      ++row;
    }
    entries.push_back({i, x, row});
    x += width;
  }
  return entries;
}

void draw_legend(std::string& svg, const Plot& plot, const std::vector<LegendEntry>& entries, double top) {
  for (const auto& [index, x, row] : entries) {
    const double y = top + kLegendRow * row;
    svg += fmt::format("<line class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n",
                       line_classes(index), x, y, x + kLegendLine, y);
    svg += svg_text(x + kLegendLine + 6, y + 4, "start", plot.series[index].name);
  }
}

void spread_labels(std::vector<EndLabel>& labels, double top, double bottom) {
  std::ranges::stable_sort(labels, {}, [](const EndLabel& label) { return label.end.y; });
  // Less its distance from the first label, the y of a label may not decrease: isotonic regression, by pooling
  // neighbors that are out of order at their mean.
  struct Pool {
    double sum;
    size_t count;
    double mean() const { return sum / static_cast<double>(count); }
  };
  std::vector<Pool> pools;
  for (size_t i = 0; i < labels.size(); ++i) {
    pools.push_back({labels[i].end.y - kEndLabelHeight * static_cast<double>(i), 1});
    while (pools.size() > 1 && pools[pools.size() - 2].mean() > pools.back().mean()) {
      const Pool last = pools.back();
      pools.pop_back();
      pools.back().sum += last.sum;
      pools.back().count += last.count;
    }
  }
  const double highest = bottom - kEndLabelHeight * (static_cast<double>(labels.size()) - 1);
  size_t at = 0;
  for (const Pool& pool : pools) {
    const double y = std::max(top, std::min(pool.mean(), highest));
    for (size_t i = 0; i < pool.count; ++i, ++at) labels[at].y = y + kEndLabelHeight * static_cast<double>(at);
  }
}

double end_label_width(const std::string& name) {
  return kLeader + kSample + kGap + svg_text_width(name, kEndLabelSize);
}

void draw_end_labels(std::string& svg, const Plot& plot, const std::vector<EndLabel>& labels, double left) {
  for (const auto& [series, end, y] : labels) {
    const double sample = left + kLeader;
    // Dotted where it would be taken for the line itself.
    const char* dotted = end.x < left - 2 ? " rf-dotted" : "";
    svg +=
        fmt::format("<polyline class=\"rf-leader{} rf-s{}\" points=\"{:.1f},{:.1f} {:.1f},{:.1f} {:.1f},{:.1f}\"/>\n",
                    dotted, series % kSvgColors, end.x, end.y, std::max(end.x, left + 2), end.y, sample, y);
    svg += fmt::format("<line class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n",
                       line_classes(series), sample, y, sample + kSample, y);
    svg += svg_text(sample + kSample + kGap, y + 4, "start", plot.series[series].name, " rf-end");
  }
}

}  // namespace roformer
