#include "position/sinusoid.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace roformer {

double sinusoid(int64_t position, int64_t column, int64_t dim, SinusoidLayout layout) {
  constexpr int64_t kMaxPosition = int64_t{1} << 29;
  if (position < 0 || position > kMaxPosition) {
    throw DataError("position {} has no sinusoid; expected 0 to {}", position, kMaxPosition);
  }
  if (column < 0 || column >= dim) throw ShapeError("sinusoid column {} of {}", column, dim);
  if (layout == SinusoidLayout::tensor2tensor) {
    const int64_t timescales = dim / 2;
    if (column >= 2 * timescales) return 0;
    const double last = static_cast<double>(std::max<int64_t>(timescales - 1, 1));
    const double radians =
        static_cast<double>(position) * std::pow(10000.0, -static_cast<double>(column % timescales) / last);
    return column < timescales ? std::sin(radians) : std::cos(radians);
  }
  const int64_t sines = dim - dim / 2;
  const bool halves = layout == SinusoidLayout::halves;
  const bool is_sine = halves ? column < sines : column % 2 == 0;
  const int64_t t = !halves ? column / 2 : is_sine ? column : column - sines;
  const double angle =
      static_cast<double>(position) * std::pow(10000.0, -2.0 * static_cast<double>(t) / static_cast<double>(dim));
  return is_sine ? std::sin(angle) : std::cos(angle);
}

}  // namespace roformer
