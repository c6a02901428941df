// Predicted numbers over the right ones as SVG.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "report/plot.h"

namespace roformer {

// A dot per point on two axes of one range, with the line on which both are equal. What is not drawable is left out.
std::string svg_scatter(const std::vector<PlotPoint>& points, std::string_view title, std::string_view x_label,
                        std::string_view y_label);

}  // namespace roformer
