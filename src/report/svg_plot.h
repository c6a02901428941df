// Line plots as SVG text that stands alone as a file and can be pasted into HTML. Light or dark as the reader's system
// asks (prefers-color-scheme); colors of Okabe and Ito, which color-blind people tell apart, then dashes.
#pragma once

#include <string>
#include <string_view>

#include "report/plot.h"

namespace roformer {

struct SvgSize {
  int width = 720, height = 420;  // pixels, at least 200 × 150 to be readable; many names make it higher
};

// Up to five names stand in a legend, more at the ends of their lines, if they leave these enough width. Lines that
// coincide are drawn in alternating dashes. Well-formed XML whatever the texts contain. Long series are thinned to what
// the width can show, retaining extremes.
std::string svg_plot(const Plot& plot, SvgSize size = {});

// Text for XML and HTML content and attributes: the five special characters escaped, control characters and invalid
// UTF-8 (which XML does not allow) replaced by U+FFFD.
std::string escape_xml(std::string_view text);

}  // namespace roformer
