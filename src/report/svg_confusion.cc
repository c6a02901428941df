#include "report/svg_confusion.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "report/heat_map.h"
#include "report/svg_parts.h"

namespace roformer {
namespace {

constexpr double kCellsTop = 64, kTickGap = 8, kFontSize = 12, kSmallFont = 11;
constexpr int64_t kMaxLabelLength = 24;

// The picture's shares: of each row, 0 of an empty one.
std::vector<float> shares_of_rows(const ConfusionMatrix& matrix) {
  std::vector<float> shares;
  for (int64_t gold = 0; gold < matrix.classes; ++gold) {
    int64_t row = 0;
    for (int64_t predicted = 0; predicted < matrix.classes; ++predicted) row += matrix.at(gold, predicted);
    for (int64_t predicted = 0; predicted < matrix.classes; ++predicted) {
      const auto count = static_cast<float>(matrix.at(gold, predicted));
      shares.push_back(row == 0 ? 0 : count / static_cast<float>(row));
    }
  }
  return shares;
}

struct Grid {
  double left, cell;  // pixels
  int64_t classes;

  double x(int64_t column) const { return left + cell * static_cast<double>(column); }
  double y(int64_t row) const { return kCellsTop + cell * static_cast<double>(row); }
  double side() const { return cell * static_cast<double>(classes); }
};

void draw_cells(std::string& svg, const Grid& grid, const ConfusionMatrix& matrix, const std::vector<float>& shares) {
  constexpr float kDark = 0.55f;
  constexpr double kRoomForShare = 44;
  for (int64_t row = 0; row < grid.classes; ++row) {
    for (int64_t column = 0; column < grid.classes; ++column) {
      const float share = shares[static_cast<size_t>(row * grid.classes + column)];
      const double x = grid.x(column), y = grid.y(row), middle = x + grid.cell / 2;
      svg += fmt::format(
          "<rect class=\"rf-f0\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" "
          "fill-opacity=\"{:.3f}\"/>\n",
          x, y, grid.cell, grid.cell, share);
      const int64_t count = matrix.at(row, column);
      if (count == 0) continue;
      const std::string_view color = share > kDark ? " rf-inverse" : "";
      const std::string text = fmt::format("{}", count);
      const bool with_share = grid.cell >= kRoomForShare;
      const double size = std::min(kFontSize, kFontSize * (grid.cell - 4) / svg_text_width(text));
      svg += fmt::format(
          "<text class=\"rf-text{}\" style=\"font-size:{:.1f}px\" x=\"{:.1f}\" y=\"{:.1f}\" "
          "text-anchor=\"middle\">{}</text>\n",
          color, size, middle, y + grid.cell / 2 + (with_share ? -2 : 4), text);
      if (!with_share) continue;
      svg += svg_text(middle, y + grid.cell / 2 + 13, "middle", fmt::format("{:.0f} %", 100 * share),
                      fmt::format(" rf-end{}", color));
    }
  }
}

// Names of columns stand below each other where they are wider than a cell, reading upwards.
double draw_names(std::string& svg, const Grid& grid, const std::vector<std::string>& names) {
  const double widest =
      svg_text_width(*std::ranges::max_element(names, {}, [](const auto& name) { return svg_text_width(name); }));
  const bool upright = widest + 4 <= grid.cell;
  const double bottom = kCellsTop + grid.side() + kTickGap;
  for (int64_t i = 0; i < grid.classes; ++i) {
    const std::string& name = names[static_cast<size_t>(i)];
    const double middle = grid.cell / 2;
    svg += svg_text(grid.left - kTickGap, grid.y(i) + middle + 4, "end", name);
    if (upright) {
      svg += svg_text(grid.x(i) + middle, bottom + 10, "middle", name);
    } else {
      svg += svg_text_up(grid.x(i) + middle + 4, bottom + svg_text_width(name) / 2, name);
    }
  }
  return bottom + (upright ? 14 : widest);
}

}  // namespace

std::string svg_confusion(const ConfusionMatrix& matrix, const std::vector<std::string>& labels,
                          std::string_view title) {
  constexpr int64_t kMaxCells = 20;
  constexpr double kRight = 20, kWidth = 560, kLargestCell = 90, kAxisName = 24;
  if (std::ssize(labels) != matrix.classes || labels.empty()) {
    throw ShapeError("{} names of {} classes", labels.size(), matrix.classes);
  }
  const bool cells = matrix.classes <= kMaxCells;
  std::vector<std::string> names;
  double widest = 0;
  for (const std::string& label : labels) {
    names.push_back(shortened(label, kMaxLabelLength));
    if (cells) widest = std::max(widest, svg_text_width(names.back()));
  }
  Grid grid{.left = kAxisName + kTickGap + widest, .cell = 0, .classes = matrix.classes};
  grid.cell = std::min(kLargestCell, (kWidth - grid.left - kRight) / static_cast<double>(matrix.classes));
  const std::vector<float> shares = shares_of_rows(matrix);

  std::string body;
  double bottom = kCellsTop + grid.side();
  if (cells) {
    draw_cells(body, grid, matrix, shares);
    bottom = draw_names(body, grid, names);
  } else {
    body += fmt::format(
        "<image x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" style=\"image-rendering:pixelated\" "
        "href=\"{}\"/>\n",
        grid.left, kCellsTop, grid.side(), grid.side(),
        heat_map_image({.rows = matrix.classes, .columns = matrix.classes, .values = shares}));
  }
  body += fmt::format(
      "<rect class=\"rf-axis\" fill=\"none\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"/>\n",
      grid.left, kCellsTop, grid.side(), grid.side());
  body += svg_text(grid.left + grid.side() / 2, bottom + kAxisName - 6, "middle", "predicted");
  body += svg_text_up(16, kCellsTop + grid.side() / 2, "gold");
  constexpr std::string_view kMeaning = "shares of the examples of each gold class";
  const double right = grid.left + std::max(grid.side(), svg_text_width(kMeaning, kSmallFont));
  const int width = static_cast<int>(right + kRight);
  const int height = static_cast<int>(bottom + kAxisName + 4);
  std::string svg = svg_open(width, height, title) + svg_title(title, grid.left, width);
  svg += svg_text(grid.left, kCellsTop - 16, "start", kMeaning, " rf-end");
  return svg + body + "</svg>\n";
}

}  // namespace roformer
