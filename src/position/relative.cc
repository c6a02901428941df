#include "position/relative.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/error.h"

namespace roformer {

void validate(const DistanceBuckets& buckets) {
  const int64_t sides = buckets.bidirectional ? 2 : 1, exact = buckets.count / sides / 2;
  if (buckets.count < 2 * sides || buckets.count % sides != 0 || buckets.count > 65536) {
    throw UsageError("{} is {}; expected {} to 65536 buckets of distances{}", FieldName("count"), buckets.count,
                     2 * sides, sides == 2 ? ", an even number" : "");
  }
  if (buckets.max_distance <= exact || buckets.max_distance > int64_t{1} << 29) {
    throw UsageError("{} of the buckets is {}; expected {} to 2^29", FieldName("max_distance"), buckets.max_distance,
                     exact + 1);
  }
}

int64_t distance_bucket(const DistanceBuckets& buckets, int64_t r) {
  const int64_t side = buckets.bidirectional ? buckets.count / 2 : buckets.count;
  const int64_t first = buckets.bidirectional && r > 0 ? side : 0;
  const int64_t distance = buckets.bidirectional ? std::abs(r) : std::max<int64_t>(-r, 0);
  const int64_t exact = side / 2;
  if (distance < exact) return first + distance;
  // float, as in T5: in double a bucket border may round to the other side.
  const float share =
      std::log(static_cast<float>(distance) / static_cast<float>(exact)) /
      static_cast<float>(std::log(static_cast<double>(buckets.max_distance) / static_cast<double>(exact)));
  const auto beyond = static_cast<int64_t>(share * static_cast<float>(side - exact));
  return first + std::min(exact + beyond, side - 1);
}

double alibi_slope(int64_t head, int64_t heads) {
  const auto power = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(heads)));
  if (head < power) return std::exp2(-8.0 * static_cast<double>(head + 1) / static_cast<double>(power));
  return std::exp2(-4.0 * static_cast<double>(2 * (head - power) + 1) / static_cast<double>(power));
}

}  // namespace roformer
