#include "position/xpos.h"

#include <cmath>

#include "base/error.h"

namespace roformer {

void validate(const XPos& xpos) {
  if (!std::isfinite(xpos.scale_base) || xpos.scale_base <= 0) {
    throw UsageError("{} of xPos is {}; expected a positive number", FieldName("scale_base"), xpos.scale_base);
  }
  if (xpos.center < 0 || xpos.center > int64_t{1} << 29) {
    throw UsageError("{} of xPos is {}; expected 0 to 2^29", FieldName("center"), xpos.center);
  }
}

double xpos_scale(const XPos& xpos, int64_t dim, int64_t pair, int64_t position) {
  constexpr double kGamma = 0.4, kMaxPowers = 32;  // (0.4 / 1.4)^32 is 4e-18
  const double power = static_cast<double>(position - xpos.center) / xpos.scale_base;
  if (std::abs(power) > kMaxPowers) {
    throw DataError("position {} is beyond xPos's range: {} scale bases of {} from its center, {}", position,
                    kMaxPowers, xpos.scale_base, xpos.center);
  }
  const double zeta = (2 * static_cast<double>(pair) / static_cast<double>(dim) + kGamma) / (1 + kGamma);
  return std::pow(zeta, power);
}

}  // namespace roformer
