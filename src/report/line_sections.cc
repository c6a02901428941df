#include "report/line_sections.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace roformer {
namespace {

constexpr double kApart = 1.5;    // pixels; lines are 2 wide
constexpr double kShortest = 24;  // of a part that is drawn in dashes: three of them

bool coincide(const PixelLine& other, const PlotPoint& a, const PlotPoint& b) {
  const PlotPoint middle{(a.x + b.x) / 2, (a.y + b.y) / 2};
  return std::ranges::all_of(std::initializer_list<PlotPoint>{a, middle, b}, [&](const PlotPoint& point) {
    return std::abs(height_at(other, point.x) - point.y) <= kApart;
  });
}

// Parts that are alike become one.
std::vector<LineSection> joined(std::vector<LineSection> sections) {
  std::vector<LineSection> result;
  for (LineSection& section : sections) {
    if (result.empty() || result.back().rank != section.rank || result.back().sharers != section.sharers) {
      result.push_back(std::move(section));
    } else {
      result.back().points.insert(result.back().points.end(), section.points.begin() + 1, section.points.end());
    }
  }
  return result;
}

}  // namespace

double height_at(const PixelLine& line, double x) {
  for (const PixelRun& run : line) {
    if (run.empty() || x < run.front().x || x > run.back().x) continue;
    const auto right =
        std::lower_bound(run.begin(), run.end(), x, [](const PlotPoint& point, double at) { return point.x < at; });
    if (right->x == x) return right->y;
    const PlotPoint &a = *std::prev(right), &b = *right;
    return a.y + (b.y - a.y) * ((x - a.x) / (b.x - a.x));
  }
  return std::numeric_limits<double>::quiet_NaN();
}

std::vector<LineSection> line_sections(const std::vector<PixelLine>& lines, size_t index, const PixelRun& run) {
  std::vector<LineSection> sections;
  for (size_t i = 0; i + 1 < run.size(); ++i) {
    LineSection section{.points = {run[i], run[i + 1]}};
    for (size_t other = 0; other < lines.size(); ++other) {
      if (other == index || !coincide(lines[other], run[i], run[i + 1])) continue;
      ++section.sharers;
      section.rank += other < index;
    }
    sections.push_back(std::move(section));
  }
  sections = joined(std::move(sections));
  for (LineSection& section : sections) {
    if (section.points.back().x - section.points.front().x < kShortest) section.rank = 0, section.sharers = 1;
  }
  return joined(std::move(sections));
}

}  // namespace roformer
