#include "report/svg_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/utf8.h"
#include "report/svg_parts.h"

namespace roformer {
namespace {

struct PlotArea {
  double left, top, right, bottom;  // of the plotting area, in pixels
  PlotAxes axes;

  double x(double value) const { return left + axes.x.share(value) * (right - left); }
  double y(double value) const { return bottom - axes.y.share(value) * (bottom - top); }
};

// What XML 1.0 may hold of the code points of valid UTF-8.
bool is_xml(char32_t code) {
  return code == '\t' || code == '\n' || (code >= 0x20 && code != 0xFFFE && code != 0xFFFF);
}

// In each pixel column only the first, lowest, highest and last point can be seen.
std::vector<PlotPoint> thinned(const std::vector<PlotPoint>& points, const Axis& axis, int columns) {
  if (points.size() <= 4 * static_cast<size_t>(columns)) return points;
  std::vector<PlotPoint> result;
  const auto column = [&](const PlotPoint& point) {
    return is_drawable(point) ? static_cast<int>(axis.share(point.x) * columns) : -1;
  };
  for (auto begin = points.begin(); begin != points.end();) {
    const int here = column(*begin);
    const auto end = std::find_if(begin, points.end(), [&](const PlotPoint& point) { return column(point) != here; });
    auto [low, high] =
        std::minmax_element(begin, end, [](const PlotPoint& a, const PlotPoint& b) { return a.y < b.y; });
    if (low > high) std::swap(low, high);
    if (here < 0) low = high = begin;  // a gap: one point says it all
    auto previous = points.end();
    for (const auto point : {begin, low, high, std::prev(end)}) {
      if (point != previous) result.push_back(*point);
      previous = point;
    }
    begin = end;
  }
  return result;
}

// Points of one series as "x,y x,y …", a new string after each gap.
std::vector<std::vector<PlotPoint>> runs(const std::vector<PlotPoint>& points) {
  std::vector<std::vector<PlotPoint>> result(1);
  for (const PlotPoint& point : points) {
    if (is_drawable(point)) {
      result.back().push_back(point);
    } else if (!result.back().empty()) {
      result.emplace_back();
    }
  }
  if (result.back().empty()) result.pop_back();
  return result;
}

std::string coordinates(const PlotArea& area, const std::vector<PlotPoint>& points) {
  std::string text;
  for (const PlotPoint& point : points) {
    fmt::format_to(std::back_inserter(text), "{}{:.1f},{:.1f}", text.empty() ? "" : " ", area.x(point.x),
                   area.y(point.y));
  }
  return text;
}

std::string dash_class(size_t index) {
  const size_t round = index / kSvgColors % 3;
  return round == 0 ? "" : fmt::format(" rf-dash{}", round);
}

void draw_axes(std::string& svg, const Plot& plot, const PlotArea& area) {
  for (const double tick : area.axes.y.ticks) {
    const double y = area.y(tick);
    svg += fmt::format("<line class=\"rf-grid\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n", area.left,
                       y, area.right, y);
    svg += svg_text(area.left - 8, y + 4, "end", area.axes.y.label(tick));
  }
  for (const double tick : area.axes.x.ticks) {
    const double x = area.x(tick);
    svg += fmt::format("<line class=\"rf-axis\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n", x,
                       area.bottom, x, area.bottom + 5);
    svg += svg_text(x, area.bottom + 19, "middle", area.axes.x.label(tick));
  }
  svg += fmt::format("<line class=\"rf-axis\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n", area.left,
                     area.bottom, area.right, area.bottom);
  svg += svg_text((area.left + area.right) / 2, area.bottom + 37, "middle", plot.x_label);
  const double middle = (area.top + area.bottom) / 2;
  svg += fmt::format(
      "<text class=\"rf-text\" x=\"16\" y=\"{0:.1f}\" text-anchor=\"middle\" transform=\"rotate(-90 16 {0:.1f})\">{1}"
      "</text>\n",
      middle, escape_xml(plot.y_label));
}

void draw_band(std::string& svg, const PlotSeries& series, size_t index, const PlotArea& area, int columns) {
  if (series.low.size() != series.high.size()) return;
  const auto low = runs(thinned(series.low, area.axes.x, columns));
  const auto high = runs(thinned(series.high, area.axes.x, columns));
  if (low.size() != high.size()) return;
  for (size_t i = 0; i < low.size(); ++i) {
    std::vector<PlotPoint> outline = low[i];
    outline.insert(outline.end(), high[i].rbegin(), high[i].rend());
    svg += fmt::format("<polygon class=\"rf-band rf-f{}\" points=\"{}\"/>\n", index % kSvgColors,
                       coordinates(area, outline));
  }
}

void draw_line(std::string& svg, const PlotSeries& series, size_t index, const PlotArea& area, int columns) {
  for (const auto& run : runs(thinned(series.points, area.axes.x, columns))) {
    if (run.size() == 1) {
      svg += fmt::format("<circle class=\"rf-f{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\"/>\n", index % kSvgColors,
                         area.x(run[0].x), area.y(run[0].y));
      continue;
    }
    svg += fmt::format("<polyline class=\"rf-line rf-s{}{}\" points=\"{}\"/>\n", index % kSvgColors, dash_class(index),
                       coordinates(area, run));
  }
}

// Entries in rows from left to right; a width is a guess from the number of bytes, generous on purpose.
struct LegendEntry {
  size_t series;
  double x;
  int row;
};

std::vector<LegendEntry> place_legend(const Plot& plot, double left, double right) {
  std::vector<LegendEntry> entries;
  double x = left;
  int row = 0;
  for (size_t i = 0; i < plot.series.size(); ++i) {
    if (plot.series[i].name.empty()) continue;
    const double width = 46 + 6.8 * static_cast<double>(plot.series[i].name.size());
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
    const double y = top + 18 * row;
    svg += fmt::format("<line class=\"rf-line rf-s{}{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n",
                       index % kSvgColors, dash_class(index), x, y, x + 24, y);
    svg += svg_text(x + 30, y + 4, "start", plot.series[index].name);
  }
}

}  // namespace

std::string escape_xml(std::string_view text) {
  const std::string valid = replace_invalid_utf8(std::string(text));
  std::string result;
  for (size_t at = 0; at < valid.size();) {
    const auto [code, length] = decode_utf8(valid.data() + at);
    switch (code) {
      case '&': result += "&amp;"; break;
      case '<': result += "&lt;"; break;
      case '>': result += "&gt;"; break;
      case '"': result += "&quot;"; break;
      case '\'': result += "&#39;"; break;
      default: append_utf8(result, is_xml(code) ? code : 0xFFFD);
    }
    at += static_cast<size_t>(length);
  }
  return result;
}

std::string svg_plot(const Plot& plot, SvgSize size) {
  PlotArea area{.left = 70,
                .top = 40,
                .right = static_cast<double>(size.width - 20),
                .bottom = static_cast<double>(size.height - 50),
                .axes = {}};
  const auto legend = place_legend(plot, area.left, area.right);
  const double legend_top = area.top + 4;
  if (!legend.empty()) area.top += 18 * (legend.back().row + 1) + 4;
  const int y_ticks = std::max(2, static_cast<int>(area.bottom - area.top) / 45);
  const Axis y_axis = make_axes(plot, 2, y_ticks).y;
  for (const double tick : y_axis.ticks) {
    const double width = 6.8 * static_cast<double>(y_axis.label(tick).size());
    area.left = std::max(area.left, 32 + width);
  }
  const int columns = std::max(1, static_cast<int>(area.right - area.left));
  area.axes = make_axes(plot, std::max(2, columns / 90), y_ticks);

  std::string svg = svg_open(size.width, size.height, plot.title);
  svg += svg_text(area.left, 26, "start", plot.title, " rf-title");
  draw_legend(svg, plot, legend, legend_top);
  draw_axes(svg, plot, area);
  for (size_t i = 0; i < plot.series.size(); ++i) draw_band(svg, plot.series[i], i, area, columns);
  for (size_t i = 0; i < plot.series.size(); ++i) draw_line(svg, plot.series[i], i, area, columns);
  return svg + "</svg>\n";
}

}  // namespace roformer
