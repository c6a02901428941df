// What the drawings of this module share: the look (light or dark as the reader's system asks) and text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace roformer {

// Strokes have the classes rf-s0 … rf-s6, areas rf-f0 … rf-f6.
inline constexpr int kSvgColors = 7;

// The beginning of a drawing: the <svg> element, its title for screen readers, the style, the background. What follows
// is closed by "</svg>\n".
std::string svg_open(int width, int height, std::string_view title);

// A <text> element; `more` is appended to its class, e.g. " rf-title". anchor: start, middle or end.
std::string svg_text(double x, double y, std::string_view anchor, std::string_view text, std::string_view more = {});

// The title of a drawing of this width, above what begins at `left`; a long one begins further left and is smaller.
std::string svg_title(std::string_view title, double left, int width);

// A text that reads upwards around a point.
std::string svg_text_up(double x, double y, std::string_view text);

// A straight line of a class of the style, e.g. "rf-grid".
std::string svg_line(std::string_view style, double x1, double y1, double x2, double y2);

// At most `characters` >= 1 code points, the last one "…" where it is cut; invalid UTF-8 becomes U+FFFD.
std::string shortened(std::string_view text, int64_t characters);

// Pixels that a text takes, by a generous guess: East Asian characters are as wide as high, others a little over half.
double svg_text_width(std::string_view text, double font_size = 12);

}  // namespace roformer
