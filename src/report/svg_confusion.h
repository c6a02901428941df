// A confusion matrix as SVG: what the examples of each class were predicted as.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "metrics/classification.h"

namespace roformer {

// A row is a gold class, a column a predicted one; the darker a cell, the larger its share of the row. Up to 20 classes
// have cells with counts and names, more of them are a picture without. `labels` are the names of the classes.
// ShapeError unless there is one for each.
std::string svg_confusion(const ConfusionMatrix& matrix, const std::vector<std::string>& labels,
                          std::string_view title);

}  // namespace roformer
