#include "report/svg_scatter.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "report/svg_parts.h"

namespace roformer {
namespace {

constexpr int kScatterWidth = 480, kScatterHeight = 500, kScatterTicks = 6;
constexpr double kDotsLeft = 68, kDotsTop = 48, kDotsSide = 390, kDotRadius = 2.5;

}  // namespace

std::string svg_scatter(const std::vector<PlotPoint>& points, std::string_view title, std::string_view x_label,
                        std::string_view y_label) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const PlotPoint& point : points) {
    if (!is_drawable(point)) continue;
    low = std::min({low, point.x, point.y});
    high = std::max({high, point.x, point.y});
  }
  const Axis axis = make_axis(low, high, kScatterTicks, true);
  const double bottom = kDotsTop + kDotsSide, right = kDotsLeft + kDotsSide;
  const auto across = [&](double value) { return kDotsLeft + axis.share(value) * kDotsSide; };
  const auto up = [&](double value) { return bottom - axis.share(value) * kDotsSide; };
  std::string svg = svg_open(kScatterWidth, kScatterHeight, title) + svg_title(title, kDotsLeft, kScatterWidth);
  for (const double tick : axis.ticks) {
    svg += svg_line("rf-grid", kDotsLeft, up(tick), right, up(tick));
    svg += svg_line("rf-grid", across(tick), kDotsTop, across(tick), bottom);
    svg += svg_text(kDotsLeft - 8, up(tick) + 4, "end", axis.label(tick));
    svg += svg_text(across(tick), bottom + 17, "middle", axis.label(tick));
  }
  svg += svg_line("rf-level", across(axis.low), up(axis.low), across(axis.high), up(axis.high));
  svg += svg_line("rf-axis", kDotsLeft, bottom, right, bottom) +
         svg_line("rf-axis", kDotsLeft, kDotsTop, kDotsLeft, bottom);
  // Fainter where there are many, so that a dense place is darker than a sparse one.
  const double opacity = std::clamp(60.0 / static_cast<double>(std::max<size_t>(1, points.size())), 0.15, 0.6);
  for (const PlotPoint& point : points) {
    if (!is_drawable(point)) continue;
    svg += fmt::format("<circle class=\"rf-f0\" fill-opacity=\"{:.2f}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\"/>\n",
                       opacity, across(point.x), up(point.y), kDotRadius);
  }
  svg += svg_text((kDotsLeft + right) / 2, bottom + 38, "middle", x_label);
  svg += svg_text_up(18, kDotsTop + kDotsSide / 2, y_label);
  return svg + "</svg>\n";
}

}  // namespace roformer
