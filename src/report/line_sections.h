// Where the lines of a plot lie on each other, so that each of them can be drawn in dashes between those of the others.
#pragma once

#include <vector>

#include "report/plot.h"

namespace roformer {

using PixelRun = std::vector<PlotPoint>;  // a line without gaps, in pixels, x not decreasing
using PixelLine = std::vector<PixelRun>;  // in order

// A part of a run. `sharers` lines coincide there, this one counted, which is the `rank`th of them, from 0.
struct LineSection {
  PixelRun points;
  int rank = 0, sharers = 1;
};

// The y of a line at x, between its points on a straight line; not a number in a gap.
double height_at(const PixelLine& line, double x);

// One run of lines[index], cut into parts that follow each other, the last point of one being the first of the next.
// Lines coincide where they are less than two pixels apart for a length that shows.
std::vector<LineSection> line_sections(const std::vector<PixelLine>& lines, size_t index, const PixelRun& run);

}  // namespace roformer
