// Matrices of shares (0 to 1) as drawings: the darker a cell, the larger the share.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace roformer {

// Row-major, rows × columns, values from 0 to 1 (others are clamped; NaN is 0).
struct HeatMap {
  int64_t rows = 0, columns = 0;
  std::vector<float> values;
};

// The picture alone, one pixel per cell, as a "data:image/png;base64,…" address. It is one blue of varying
// transparency, so it suits a light and a dark page. ShapeError unless there are rows · columns values, at least one
// and at most 16 million.
std::string heat_map_image(const HeatMap& map);

}  // namespace roformer
