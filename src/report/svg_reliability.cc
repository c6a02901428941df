#include "report/svg_reliability.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "report/svg_parts.h"

namespace roformer {
namespace {

constexpr int kDiagramWidth = 480, kDiagramHeight = 520;
constexpr double kBarsLeft = 64, kBarsRight = 460, kBarsTop = 64, kBarsBottom = 384;     // of the bars
constexpr double kCountsTop = 404, kCountsBottom = 464, kDiagramTicks = 5, kBarGap = 1;  // of the shares below

double across(double value) { return kBarsLeft + value * (kBarsRight - kBarsLeft); }
double up(double value) { return kBarsBottom - value * (kBarsBottom - kBarsTop); }

std::string bar(const ReliabilityBin& bin, double top, double bottom, std::string_view opacity) {
  return fmt::format(
      "<rect class=\"rf-f0\" fill-opacity=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"/>\n",
      opacity, across(bin.low) + kBarGap, top, across(bin.high) - across(bin.low) - 2 * kBarGap, bottom - top);
}

void draw_scale(std::string& svg) {
  for (int i = 0; i <= static_cast<int>(kDiagramTicks); ++i) {
    const double value = i / kDiagramTicks;
    const std::string text = fmt::format("{:.1f}", value);
    svg += svg_line("rf-grid", kBarsLeft, up(value), kBarsRight, up(value));
    svg += svg_text(kBarsLeft - 8, up(value) + 4, "end", text);
    svg += svg_text(across(value), kCountsBottom + 17, "middle", text);
  }
  svg += svg_text_up(18, (kBarsTop + kBarsBottom) / 2, "accuracy");
  svg += svg_text_up(18, (kCountsTop + kCountsBottom) / 2, "share");
  svg += svg_text((kBarsLeft + kBarsRight) / 2, kCountsBottom + 36, "middle", "confidence");
}

}  // namespace

std::string svg_reliability(const std::vector<ReliabilityBin>& bins, std::string_view title) {
  if (bins.empty()) throw ShapeError("a reliability diagram without bins");
  int64_t all = 0, most = 1;
  for (const ReliabilityBin& bin : bins) {
    all += bin.count;
    most = std::max(most, bin.count);
  }
  std::string svg = svg_open(kDiagramWidth, kDiagramHeight, title) + svg_title(title, kBarsLeft, kDiagramWidth);
  const std::string summary = all == 0 ? "no predictions"
                                       : fmt::format("expected calibration error {:.3f}, {} predictions",
                                                     expected_calibration_error(bins), all);
  svg += svg_text(kBarsLeft, kBarsTop - 16, "start", summary, " rf-end");
  draw_scale(svg);
  for (const ReliabilityBin& bin : bins) {
    if (bin.count == 0) continue;
    svg += bar(bin, up(bin.accuracy), kBarsBottom, "0.6");
    const double y = up(bin.confidence);
    svg += svg_line("rf-line rf-s1", across(bin.low) + kBarGap, y, across(bin.high) - kBarGap, y);
    const double height = (kCountsBottom - kCountsTop) * static_cast<double>(bin.count) / static_cast<double>(most);
    svg += bar(bin, kCountsBottom - height, kCountsBottom, "1");
  }
  svg += svg_line("rf-level", across(0), up(0), across(1), up(1));
  svg += svg_line("rf-axis", kBarsLeft, kBarsBottom, kBarsRight, kBarsBottom);
  svg += svg_line("rf-axis", kBarsLeft, kCountsBottom, kBarsRight, kCountsBottom);
  if (all > 0) {
    svg += svg_text(kBarsLeft - 8, kCountsTop + 4, "end",
                    fmt::format("{:.0f} %", 100 * static_cast<double>(most) / static_cast<double>(all)));
  }
  return svg + "</svg>\n";
}

}  // namespace roformer
