#include "report/terminal_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string_view>

#include "base/utf8.h"

namespace roformer {
namespace {

constexpr std::string_view kMarks = "*+ox#@%&";
constexpr int kAnsiColors[] = {36, 33, 32, 35, 34, 31, 37};

// A grid of dots, `across` × `down` of them in a cell. A cell remembers its dots and the last series that drew there.
class Canvas {
 public:
  Canvas(int columns, int rows, bool braille)
      : columns_(columns), rows_(rows), across_(braille ? 2 : 1), down_(braille ? 4 : 1), cells_(columns * rows) {}

  int width() const { return columns_ * across_; }
  int height() const { return rows_ * down_; }

  void dot(int x, int y, int series) {
    if (x < 0 || y < 0 || x >= width() || y >= height()) return;
    // Braille dots are numbered 1 2 3 7 down the left column and 4 5 6 8 down the right one.
    constexpr uint8_t kBits[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    Cell& cell = cells_[(y / down_) * columns_ + x / across_];
    cell.dots |= kBits[y % down_][x % across_];
    cell.series = series;
  }

  // Bresenham's line without its error term: one dot a column or row, whichever is more.
  void line(int x0, int y0, int x1, int y1, int series) {
    const int steps = std::max({std::abs(x1 - x0), std::abs(y1 - y0), 1});
    for (int i = 0; i <= steps; ++i) {
      const double share = static_cast<double>(i) / steps;
      dot(static_cast<int>(std::lround(x0 + share * (x1 - x0))), static_cast<int>(std::lround(y0 + share * (y1 - y0))),
          series);
    }
  }

  std::string row(int index, bool color) const {
    std::string text;
    for (int column = 0; column < columns_; ++column) {
      const Cell& cell = cells_[index * columns_ + column];
      if (cell.series < 0) {
        text += ' ';
        continue;
      }
      const std::string mark = across_ == 2 ? braille(cell.dots) : std::string(1, kMarks[cell.series % kMarks.size()]);
      text += color ? colored(mark, cell.series) : mark;
    }
    return text;
  }

  static std::string colored(const std::string& text, int series) {
    return fmt::format("\x1b[{}m{}\x1b[0m", kAnsiColors[series % std::size(kAnsiColors)], text);
  }

 private:
  struct Cell {
    uint8_t dots = 0;
    int series = -1;
  };

  // U+2800 plus the dots, in UTF-8.
  static std::string braille(uint8_t dots) {
    return {'\xE2', static_cast<char>(0xA0 | dots >> 6), static_cast<char>(0x80 | (dots & 0x3F))};
  }

  int columns_, rows_, across_, down_;
  std::vector<Cell> cells_;
};

void draw_series(Canvas& canvas, const PlotSeries& series, int index, const PlotAxes& axes) {
  bool connected = false;
  int previous_x = 0, previous_y = 0;
  for (const PlotPoint& point : series.points) {
    if (!is_drawable(point)) {
      connected = false;
      continue;
    }
    const int x = static_cast<int>(std::lround(axes.x.share(point.x) * (canvas.width() - 1)));
    const int y = static_cast<int>(std::lround((1 - axes.y.share(point.y)) * (canvas.height() - 1)));
    canvas.line(connected ? previous_x : x, connected ? previous_y : y, x, y, index);
    previous_x = x;
    previous_y = y;
    connected = true;
  }
}

void draw_level(Canvas& canvas, const PlotLevel& level, int index, const PlotAxes& axes) {
  if (!is_drawable({0, level.y})) return;
  constexpr int kDash = 2;
  const int y = static_cast<int>(std::lround((1 - axes.y.share(level.y)) * (canvas.height() - 1)));
  for (int x = 0; x < canvas.width(); x += 2 * kDash) canvas.line(x, y, x + kDash - 1, y, index);
}

// The line under the plot: numbers centered below their places, skipped where they would touch.
std::string x_numbers(const Axis& axis, int columns) {
  std::string text(columns, ' ');
  int free_from = 0;
  for (const double tick : axis.ticks) {
    const std::string label = axis.label(tick);
    const int width = static_cast<int>(label.size());
    const int center = static_cast<int>(std::lround(axis.share(tick) * (columns - 1)));
    const int begin = std::clamp(center - width / 2, 0, std::max(0, columns - width));
    if (begin < free_from || begin + width > columns) continue;
    text.replace(begin, width, label);
    free_from = begin + width + 1;
  }
  return text;
}

std::string legend(const Plot& plot, const TerminalPlotOptions& options, bool braille, int columns) {
  std::vector<std::string> names;
  for (const PlotSeries& series : plot.series) names.push_back(series.name);
  for (const PlotLevel& level : plot.levels) names.push_back(level.name);
  std::string text;
  int used = 0;
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i].empty()) continue;
    const int index = static_cast<int>(i);
    const bool level = i >= plot.series.size();
    const std::string name(first_code_points(names[i], columns - 4));
    const int width = static_cast<int>(name.size()) + 4;
    if (used > 0 && used + width > columns) {
      text += '\n';
      used = 0;
    }
    const std::string mark = braille ? (level ? "╍" : "━") : std::string(1, kMarks[i % kMarks.size()]);
    text += fmt::format("{}{} {}", used > 0 ? "  " : "", options.color ? Canvas::colored(mark, index) : mark, name);
    used += width;
  }
  return text.empty() ? text : text + "\n";
}

}  // namespace

std::string terminal_plot(const Plot& plot, const TerminalPlotOptions& options) {
  const int columns = std::max(30, options.columns), rows = std::max(4, options.rows);
  const bool braille = options.unicode && (options.color || plot.series.size() <= 1);
  const PlotAxes axes = make_axes(plot, std::clamp(columns / 14, 3, 8), std::clamp(rows / 3, 3, 8));

  size_t label_width = 0;
  for (const double tick : axes.y.ticks) label_width = std::max(label_width, axes.y.label(tick).size());
  const int plot_columns = columns - static_cast<int>(label_width) - 2;
  Canvas canvas(plot_columns, rows, braille);
  const int first_level = static_cast<int>(plot.series.size());
  for (size_t i = 0; i < plot.levels.size(); ++i) {
    draw_level(canvas, plot.levels[i], first_level + static_cast<int>(i), axes);
  }
  for (size_t i = 0; i < plot.series.size(); ++i) draw_series(canvas, plot.series[i], static_cast<int>(i), axes);

  std::vector<std::string> labels(rows);
  for (const double tick : axes.y.ticks) {
    const auto row = std::lround((1 - axes.y.share(tick)) * (rows - 1));
    labels[std::clamp<long>(row, 0, rows - 1)] = axes.y.label(tick);
  }
  std::string text;
  if (!plot.title.empty()) text += fmt::format("{}\n", first_code_points(plot.title, columns));
  text += legend(plot, options, braille, columns);
  for (int row = 0; row < rows; ++row) {
    const std::string_view edge = labels[row].empty() ? (options.unicode ? "│" : "|") : (options.unicode ? "┤" : "+");
    text += fmt::format("{:>{}} {}{}\n", labels[row], label_width, edge, canvas.row(row, options.color));
  }
  std::string floor;
  for (int i = 0; i < plot_columns; ++i) floor += options.unicode ? "─" : "-";
  const std::string margin(label_width + 1, ' ');
  text += fmt::format("{}{}{}\n", margin, options.unicode ? "└" : "+", floor);
  text += fmt::format("{} {}\n", margin, x_numbers(axes.x, plot_columns));
  if (!plot.x_label.empty()) {
    const std::string_view label = first_code_points(plot.x_label, plot_columns);
    text += fmt::format("{} {}\n", margin + std::string((plot_columns - label.size()) / 2, ' '), label);
  }
  return text;
}

}  // namespace roformer
