#include "report/svg_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/utf8.h"
#include "report/line_labels.h"
#include "report/line_sections.h"
#include "report/svg_parts.h"

namespace roformer {
namespace {

struct PlotArea {
  double left, top, right, bottom;  // of the plotting area, in pixels
  PlotAxes axes;

  double x(double value) const { return left + axes.x.share(value) * (right - left); }
  double y(double value) const { return bottom - axes.y.share(value) * (bottom - top); }
  int columns() const { return std::max(1, static_cast<int>(right - left)); }
};

// The code points of valid UTF-8 that XML 1.0 allows.
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
    if (here < 0) low = high = begin;  // a gap: one point suffices
    auto previous = points.end();
    for (const auto point : {begin, low, high, std::prev(end)}) {
      if (point != previous) result.push_back(*point);
      previous = point;
    }
    begin = end;
  }
  return result;
}

// The points of a series in pixels, a new run after each gap.
PixelLine pixel_line(const std::vector<PlotPoint>& points, const PlotArea& area) {
  PixelLine result(1);
  for (const PlotPoint& point : thinned(points, area.axes.x, area.columns())) {
    if (is_drawable(point)) {
      result.back().push_back({area.x(point.x), area.y(point.y)});
    } else if (!result.back().empty()) {
      result.emplace_back();
    }
  }
  if (result.back().empty()) result.pop_back();
  return result;
}

std::string coordinates(const PixelRun& points) {
  std::string text;
  for (const PlotPoint& point : points) {
    fmt::format_to(std::back_inserter(text), "{}{:.1f},{:.1f}", text.empty() ? "" : " ", point.x, point.y);
  }
  return text;
}

void draw_axes(std::string& svg, const Plot& plot, const PlotArea& area) {
  for (const double tick : area.axes.y.ticks) {
    const double y = area.y(tick);
    svg += svg_line("rf-grid", area.left, y, area.right, y);
    svg += svg_text(area.left - 8, y + 4, "end", area.axes.y.label(tick));
  }
  for (const double tick : area.axes.x.ticks) {
    const double x = area.x(tick);
    svg += svg_line("rf-axis", x, area.bottom, x, area.bottom + 5);
    svg += svg_text(x, area.bottom + 19, "middle", area.axes.x.label(tick));
  }
  svg += svg_line("rf-axis", area.left, area.bottom, area.right, area.bottom);
  svg += svg_text((area.left + area.right) / 2, area.bottom + 37, "middle", plot.x_label);
  svg += svg_text_up(16, (area.top + area.bottom) / 2, plot.y_label);
}

// The name stands below the right end: curves that are near there have come from above.
void draw_levels(std::string& svg, const Plot& plot, const PlotArea& area) {
  for (const PlotLevel& level : plot.levels) {
    if (!is_drawable({0, level.y})) continue;
    const double y = area.y(level.y);
    svg += svg_line("rf-level", area.left, y, area.right, y);
    constexpr double kLevelGap = 5, kTextHeight = 10;
    const bool below = y + kLevelGap + kTextHeight < area.bottom;
    const double text_y = below ? y + kLevelGap + kTextHeight : y - kLevelGap;
    svg += svg_text(area.right, text_y, "end", level.name, " rf-end");
  }
}

void draw_band(std::string& svg, const PlotSeries& series, size_t index, const PlotArea& area) {
  if (series.low.size() != series.high.size()) return;
  const PixelLine low = pixel_line(series.low, area), high = pixel_line(series.high, area);
  if (low.size() != high.size()) return;
  for (size_t i = 0; i < low.size(); ++i) {
    PixelRun outline = low[i];
    outline.insert(outline.end(), high[i].rbegin(), high[i].rend());
    svg += fmt::format("<polygon class=\"rf-band rf-f{}\" points=\"{}\"/>\n", index % kSvgColors, coordinates(outline));
  }
}

// Dashes of all lines that lie on each other take turns.
std::string section_style(const LineSection& section, size_t index) {
  if (section.sharers == 1) return fmt::format("class=\"{}\"", line_classes(index));
  constexpr int kDash = 8;
  return fmt::format("class=\"rf-line rf-shared rf-s{}\" stroke-dasharray=\"{} {}\" stroke-dashoffset=\"{}\"",
                     index % kSvgColors, kDash, kDash * (section.sharers - 1), -kDash * section.rank);
}

void draw_line(std::string& svg, const std::vector<PixelLine>& lines, size_t index) {
  for (const PixelRun& run : lines[index]) {
    if (run.size() == 1) {
      svg += fmt::format("<circle class=\"rf-f{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\"/>\n", index % kSvgColors,
                         run[0].x, run[0].y);
      continue;
    }
    for (const LineSection& section : line_sections(lines, index, run)) {
      svg += fmt::format("<polyline {} points=\"{}\"/>\n", section_style(section, index), coordinates(section.points));
    }
  }
}

// Pixels that names at the ends of their lines need beside the plotting area; 0 where a legend is drawn instead.
double end_label_margin(const Plot& plot, int width) {
  constexpr int kLegendNames = 5;
  constexpr double kMaxShareOfWidth = 0.45;
  int names = 0;
  double margin = 0;
  for (const PlotSeries& series : plot.series) {
    if (series.name.empty()) continue;
    ++names;
    margin = std::max(margin, end_label_width(series.name));
  }
  return names > kLegendNames && margin <= kMaxShareOfWidth * width ? margin : 0;
}

std::vector<EndLabel> place_end_labels(const Plot& plot, const std::vector<PixelLine>& lines, const PlotArea& area) {
  std::vector<EndLabel> labels;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (!plot.series[i].name.empty() && !lines[i].empty())
      labels.push_back({.series = i, .end = lines[i].back().back()});
  }
  spread_labels(labels, area.top, area.bottom);
  return labels;
}

// The plotting area: what the title, tick labels and names leave. The height grows with the names.
PlotArea place_area(const Plot& plot, SvgSize& size, int legend_rows, double label_margin) {
  constexpr int kPerTick = 45, kPerTickAcross = 70, kFewTicks = 4, kManyTicks = 8;
  PlotArea area{.left = 70, .top = 40, .right = size.width - 20.0, .bottom = 0, .axes = {}};
  if (legend_rows > 0) area.top += 18 * legend_rows + 4;
  if (legend_rows > 1) size.height += 18 * (legend_rows - 1);
  if (label_margin > 0) {
    area.right = size.width - 8 - label_margin;
    const auto names =
        std::ranges::count_if(plot.series, [](const PlotSeries& series) { return !series.name.empty(); });
    size.height = std::max(size.height, static_cast<int>(area.top + kEndLabelHeight * static_cast<double>(names)) + 50);
  }
  area.bottom = size.height - 50.0;
  const int y_ticks = std::clamp(static_cast<int>(area.bottom - area.top) / kPerTick, kFewTicks, kManyTicks);
  const Axis y_axis = make_axes(plot, kFewTicks, y_ticks).y;
  for (const double tick : y_axis.ticks) area.left = std::max(area.left, 32 + svg_text_width(y_axis.label(tick)));
  area.axes = make_axes(plot, std::clamp(area.columns() / kPerTickAcross, kFewTicks, kManyTicks), y_ticks);
  return area;
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
  const double label_margin = end_label_margin(plot, size.width);
  std::vector<LegendEntry> legend;
  if (label_margin == 0) legend = place_legend(plot, 70, size.width - 20);
  const PlotArea area = place_area(plot, size, legend.empty() ? 0 : legend.back().row + 1, label_margin);

  std::string svg = svg_open(size.width, size.height, plot.title);
  svg += svg_title(plot.title, area.left, size.width);
  draw_legend(svg, plot, legend, 44);
  draw_axes(svg, plot, area);
  draw_levels(svg, plot, area);
  std::vector<PixelLine> lines;
  for (const PlotSeries& series : plot.series) lines.push_back(pixel_line(series.points, area));
  for (size_t i = 0; i < plot.series.size(); ++i) draw_band(svg, plot.series[i], i, area);
  for (size_t i = 0; i < plot.series.size(); ++i) draw_line(svg, lines, i);
  if (label_margin > 0) draw_end_labels(svg, plot, place_end_labels(plot, lines, area), area.right);
  return svg + "</svg>\n";
}

}  // namespace roformer
