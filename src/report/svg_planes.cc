#include "report/svg_planes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "report/svg_parts.h"

namespace roformer {
namespace {

constexpr double kFaint = 0.4;

struct Circle {
  double x, y, radius;  // pixels

  // The y axis of a picture points down, that of the plane up.
  double across(double angle, double share) const { return x + radius * share * std::cos(angle); }
  double down(double angle, double share) const { return y - radius * share * std::sin(angle); }
};

// A text `gap` pixels beyond a point, on the side away from the center.
std::string outer_text(const Circle& circle, double angle, double share, double gap, const std::string& text) {
  const double beyond = share + gap / circle.radius, cos = std::cos(angle);
  const char* anchor = cos > 0.35 ? "start" : cos < -0.35 ? "end" : "middle";
  return svg_text(circle.across(angle, beyond), circle.down(angle, beyond) + 4 - 4 * std::sin(angle), anchor, text);
}

void draw_circle(std::string& svg, const Circle& circle) {
  svg += fmt::format("<circle class=\"rf-grid\" fill=\"none\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:.1f}\"/>\n", circle.x,
                     circle.y, circle.radius);
  svg += fmt::format("<path class=\"rf-grid\" d=\"M{0:.1f} {1:.1f}H{2:.1f}M{3:.1f} {4:.1f}V{5:.1f}\"/>\n",
                     circle.x - circle.radius, circle.y, circle.x + circle.radius, circle.x, circle.y - circle.radius,
                     circle.y + circle.radius);
}

void draw_arc(std::string& svg, const Circle& circle, const PlaneArc& arc) {
  const double span = arc.to - arc.from, radius = circle.radius * arc.radius;
  svg +=
      fmt::format("<path class=\"rf-axis\" fill=\"none\" d=\"M{:.1f} {:.1f}A{:.1f} {:.1f} 0 {} {} {:.1f} {:.1f}\"/>\n",
                  circle.across(arc.from, arc.radius), circle.down(arc.from, arc.radius), radius, radius,
                  std::abs(span) > std::numbers::pi ? 1 : 0, span > 0 ? 0 : 1, circle.across(arc.to, arc.radius),
                  circle.down(arc.to, arc.radius));
  if (!arc.label.empty()) svg += outer_text(circle, arc.from + span / 2, arc.radius, 6, arc.label);
}

void draw_arrow(std::string& svg, const Circle& circle, const PlaneArrow& arrow) {
  const int color = arrow.color % kSvgColors;
  const double opacity = arrow.faint ? kFaint : 1;
  const double tip = circle.radius * arrow.length, head = std::min(10.0, tip / 3), width = 0.38 * head;
  // The head as seen by an arrow that points right from the origin, then turned.
  const double cos = std::cos(arrow.angle), sin = std::sin(arrow.angle);
  const auto place = [&](double along, double left) {
    return fmt::format("{:.1f},{:.1f}", circle.x + along * cos - left * sin, circle.y - along * sin - left * cos);
  };
  svg += fmt::format(
      "<line class=\"rf-line rf-s{}\" opacity=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n",
      color, opacity, circle.x, circle.y, circle.x + (tip - head) * cos, circle.y - (tip - head) * sin);
  svg += fmt::format("<polygon class=\"rf-f{}\" opacity=\"{}\" points=\"{} {} {}\"/>\n", color, opacity, place(tip, 0),
                     place(tip - head, width), place(tip - head, -width));
  if (!arrow.label.empty()) svg += outer_text(circle, arrow.angle, arrow.length, 5, arrow.label);
}

bool has_labels(const Plane& plane) {
  return std::any_of(plane.arrows.begin(), plane.arrows.end(), [](const PlaneArrow& a) { return !a.label.empty(); });
}

}  // namespace

std::string svg_planes(const PlaneTable& table) {
  constexpr double kWidth = 720, kSide = 20, kRowHeading = 120, kTitle = 48, kHeading = 34;
  const size_t columns = table.columns.size(), rows = std::max<size_t>(1, table.rows.size());
  if (columns == 0 || table.planes.size() != rows * columns) {
    throw ShapeError("{} × {} planes: {} given", rows, columns, table.planes.size());
  }
  const bool labels = std::any_of(table.planes.begin(), table.planes.end(), has_labels);
  const double left = table.rows.empty() ? kSide : kRowHeading;
  const double cell = (kWidth - kSide - left) / static_cast<double>(columns);
  const double margin = labels ? 36 : 7, radius = std::clamp(cell / 2 - margin, 4.0, 100.0);
  const double height_of_row = 2 * (radius + (labels ? 22 : 7));
  const double top = kTitle + kHeading;

  std::string svg = svg_open(static_cast<int>(kWidth),
                             static_cast<int>(top + height_of_row * static_cast<double>(rows) + 10), table.title);
  svg += svg_text(kSide, 28, "start", table.title, " rf-title");
  svg += svg_text(kSide, kTitle + 12, "start", table.corner.name, " rf-strong");
  svg += svg_text(kSide, kTitle + 28, "start", table.corner.detail);
  for (size_t column = 0; column < columns; ++column) {
    const double x = left + cell * (static_cast<double>(column) + 0.5);
    svg += svg_text(x, kTitle + 12, "middle", table.columns[column].name, " rf-strong");
    svg += svg_text(x, kTitle + 28, "middle", table.columns[column].detail);
  }
  for (size_t row = 0; row < rows; ++row) {
    const double y = top + height_of_row * (static_cast<double>(row) + 0.5);
    if (!table.rows.empty()) {
      const PlaneHeading& heading = table.rows[row];
      svg += svg_text(kSide, heading.detail.empty() ? y + 4 : y - 4, "start", heading.name, " rf-strong");
      if (!heading.detail.empty()) svg += svg_text(kSide, y + 12, "start", heading.detail);
    }
    for (size_t column = 0; column < columns; ++column) {
      const Circle circle{left + cell * (static_cast<double>(column) + 0.5), y, radius};
      const Plane& plane = table.planes[row * columns + column];
      draw_circle(svg, circle);
      for (const PlaneArc& arc : plane.arcs) draw_arc(svg, circle, arc);
      for (const PlaneArrow& arrow : plane.arrows) draw_arrow(svg, circle, arrow);
    }
  }
  return svg + "</svg>\n";
}

}  // namespace roformer
