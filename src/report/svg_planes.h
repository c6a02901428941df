// Vectors in the plane as SVG: arrows from the origin of a circle, arcs for the angles between them; one plane or a
// table of planes. Standing alone and colored as the line plots of svg_plot.h.
#pragma once

#include <string>
#include <vector>

namespace roformer {

// Angles are radians, anticlockwise from the right, of any size; lengths and radii are shares of the circle's radius.
struct PlaneArrow {
  double angle = 0, length = 1;
  int color = 0;        // of the seven
  std::string label{};  // beyond the tip; may be empty
  bool faint = false;
};

struct PlaneArc {
  double from = 0, to = 0;  // drawn the way from `from` to `to`, at most one turn
  double radius = 0.4;
  std::string label{};  // at its middle, outside; may be empty
};

struct Plane {
  std::vector<PlaneArrow> arrows;
  std::vector<PlaneArc> arcs = {};
};

struct PlaneHeading {
  std::string name, detail;  // two lines, the first bold; each may be empty
};

struct PlaneTable {
  std::string title;
  PlaneHeading corner = {};           // left of the columns' headings, above those of the rows
  std::vector<PlaneHeading> columns;  // one at least
  std::vector<PlaneHeading> rows;     // empty: one row without a heading
  std::vector<Plane> planes;          // row-major, rows × columns
};

// 720 pixels wide. ShapeError unless there is a plane for each cell. Well-formed XML whatever the texts contain.
std::string svg_planes(const PlaneTable& table);

}  // namespace roformer
