#include "position/relative.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace roformer {
namespace {

// T5's and BLOOM's reference values are in tests/conformance.
TEST(DistanceBuckets, EveryDistanceHasOneAndTheyGrowOutwards) {
  for (const DistanceBuckets buckets :
       {DistanceBuckets{}, DistanceBuckets{8, 20, true}, DistanceBuckets{32, 128, false}, DistanceBuckets{4, 2, true},
        DistanceBuckets{2, 2, false}, DistanceBuckets{10, 100, true}}) {
    ASSERT_NO_THROW(validate(buckets));
    const int64_t side = buckets.bidirectional ? buckets.count / 2 : buckets.count;
    for (int64_t distance = 0; distance <= 1000; ++distance) {
      const int64_t behind = distance_bucket(buckets, -distance), ahead = distance_bucket(buckets, distance);
      EXPECT_GE(behind, 0);
      EXPECT_LT(behind, side);
      EXPECT_GE(behind, distance_bucket(buckets, -std::max<int64_t>(distance - 1, 0)));
      if (distance < side / 2) {
        EXPECT_EQ(behind, distance);
      }
      if (distance >= buckets.max_distance) {
        EXPECT_EQ(behind, side - 1);
      }
      if (distance > 0) {
        EXPECT_EQ(ahead, buckets.bidirectional ? behind + side : 0);
      }
    }
  }
  EXPECT_EQ(distance_bucket({}, int64_t{1} << 29), 31);
}

TEST(DistanceBuckets, SettingsAreChecked) {
  EXPECT_THROW(validate(DistanceBuckets{0, 128, true}), UsageError);
  EXPECT_THROW(validate(DistanceBuckets{3, 128, true}), UsageError);
  EXPECT_THROW(validate(DistanceBuckets{2, 128, true}), UsageError);
  EXPECT_THROW(validate(DistanceBuckets{1, 128, false}), UsageError);
  EXPECT_THROW(validate(DistanceBuckets{65538, 1 << 20, true}), UsageError);
  EXPECT_THROW(validate(DistanceBuckets{32, 8, true}), UsageError);
  EXPECT_NO_THROW(validate(DistanceBuckets{32, 9, true}));
  EXPECT_THROW(validate(DistanceBuckets{32, (int64_t{1} << 29) + 1, true}), UsageError);
}

TEST(AlibiSlopes, OfAPowerOfTwoAreAGeometricSeries) {
  for (const int64_t heads : {1, 2, 8, 16, 64}) {
    for (int64_t head = 0; head < heads; ++head) {
      EXPECT_NEAR(alibi_slope(head, heads),
                  std::pow(2, -8.0 * static_cast<double>(head + 1) / static_cast<double>(heads)), 1e-15);
    }
  }
}

TEST(AlibiSlopes, OtherNumbersInterleaveTheNextPower) {
  for (const int64_t heads : {3, 6, 12, 20}) {
    int64_t power = 1;
    while (2 * power <= heads) power *= 2;
    for (int64_t head = 0; head < power; ++head) EXPECT_EQ(alibi_slope(head, heads), alibi_slope(head, power));
    for (int64_t head = power; head < heads; ++head) {
      EXPECT_DOUBLE_EQ(alibi_slope(head, heads), alibi_slope(2 * (head - power), 2 * power));
    }
  }
}

}  // namespace
}  // namespace roformer
