#include "report/svg_parts.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.h"
#include "report/svg_plot.h"

namespace roformer {
namespace {

// Okabe & Ito, "Color Universal Design" (2008), in an order that starts with the strongest on each background. Class
// names start with rf- because a page may hold other drawings and the rules of all of them apply to all.
constexpr std::string_view kSvgStyle = R"(<style>
.rf-back{fill:#ffffff}.rf-text{fill:#1f2328;font-family:system-ui,-apple-system,sans-serif;font-size:12px}
.rf-title{font-size:15px;font-weight:600}.rf-strong{font-weight:600}.rf-grid{stroke:#d8dee4;stroke-width:1}.rf-axis{stroke:#6e7781;stroke-width:1}
.rf-line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}.rf-band{stroke:none;fill-opacity:0.2}
.rf-shared{stroke-linecap:butt}.rf-leader{fill:none;stroke-width:1;opacity:0.6}.rf-dotted{stroke-dasharray:1 4}.rf-end{font-size:11px}
.rf-inverse{fill:#ffffff}
.rf-level{stroke:#6e7781;stroke-width:1.5;stroke-dasharray:6 4}
.rf-dash1{stroke-dasharray:7 4}.rf-dash2{stroke-dasharray:2 4}
.rf-s0{stroke:#0072b2}.rf-s1{stroke:#d55e00}.rf-s2{stroke:#009e73}.rf-s3{stroke:#cc79a7}
.rf-s4{stroke:#e69f00}.rf-s5{stroke:#56b4e9}.rf-s6{stroke:#000000}
.rf-f0{fill:#0072b2}.rf-f1{fill:#d55e00}.rf-f2{fill:#009e73}.rf-f3{fill:#cc79a7}
.rf-f4{fill:#e69f00}.rf-f5{fill:#56b4e9}.rf-f6{fill:#000000}
@media (prefers-color-scheme:dark){
.rf-back{fill:#0d1117}.rf-text{fill:#e6edf3}.rf-inverse{fill:#0d1117}.rf-grid{stroke:#2a313c}.rf-axis,.rf-level{stroke:#848d97}
.rf-s0{stroke:#56b4e9}.rf-s5{stroke:#0072b2}.rf-s6{stroke:#ffffff}
.rf-f0{fill:#56b4e9}.rf-f5{fill:#0072b2}.rf-f6{fill:#ffffff}
}
</style>
)";

}  // namespace

std::string svg_text(double x, double y, std::string_view anchor, std::string_view text, std::string_view more) {
  return fmt::format("<text class=\"rf-text{}\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", more, x, y,
                     anchor, escape_xml(text));
}

std::string svg_title(std::string_view title, double left, int width) {
  constexpr double kMargin = 12, kBold = 1.15, kSize = 15, kLeast = 9;
  const double needed = kBold * svg_text_width(title, kSize), available = width - 2 * kMargin;
  const double x = std::clamp(width - kMargin - needed, kMargin, left);
  std::string style;
  if (needed > available)
    style = fmt::format(" style=\"font-size:{:.1f}px\"", std::max(kLeast, kSize * available / needed));
  return fmt::format("<text class=\"rf-text rf-title\" x=\"{:.1f}\" y=\"26.0\" text-anchor=\"start\"{}>{}</text>\n", x,
                     style, escape_xml(title));
}

std::string svg_text_up(double x, double y, std::string_view text) {
  return fmt::format(
      "<text class=\"rf-text\" x=\"{0:.1f}\" y=\"{1:.1f}\" text-anchor=\"middle\" transform=\"rotate(-90 {0:.1f} "
      "{1:.1f})\">{2}</text>\n",
      x, y, escape_xml(text));
}

std::string svg_line(std::string_view style, double x1, double y1, double x2, double y2) {
  return fmt::format("<line class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n", style, x1, y1,
                     x2, y2);
}

std::string shortened(std::string_view text, int64_t characters) {
  const std::string valid = replace_invalid_utf8(std::string(text));
  const std::string_view begin = first_code_points(valid, characters);
  if (begin.size() == valid.size()) return valid;
  return std::string(first_code_points(begin, characters - 1)) + "…";
}

double svg_text_width(std::string_view text, double font_size) {
  constexpr double kNarrow = 0.57, kWide = 1;
  constexpr char32_t kFirstWide = 0x2E80;  // CJK radicals
  const std::string valid = replace_invalid_utf8(std::string(text));
  double width = 0;
  for (size_t at = 0; at < valid.size();) {
    const auto [code, length] = decode_utf8(valid.data() + at);
    width += code < kFirstWide ? kNarrow : kWide;
    at += static_cast<size_t>(length);
  }
  return width * font_size;
}

std::string svg_open(int width, int height, std::string_view title) {
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" role=\"img\">\n",
      width, height);
  svg += fmt::format("<title>{}</title>\n", escape_xml(title));
  svg += kSvgStyle;
  return svg + fmt::format("<rect class=\"rf-back\" width=\"{}\" height=\"{}\"/>\n", width, height);
}

}  // namespace roformer
