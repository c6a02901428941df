// Distances between tokens: r = key position − query position. T5's buckets and ALiBi's slopes.
#pragma once

#include <cstdint>

namespace roformer {

// T5 (Raffel et al. 2020): near distances have a bucket each, far ones share buckets that grow logarithmically up to
// `max_distance`; everything beyond is in the last. Bidirectional: half of the buckets are for keys behind the query
// (r > 0); else those are all in bucket 0.
struct DistanceBuckets {
  int64_t count = 32;  // even if bidirectional
  int64_t max_distance = 128;
  bool bidirectional = true;
  bool operator==(const DistanceBuckets&) const = default;
};

// UsageError, naming the setting, for numbers that make no buckets.
void validate(const DistanceBuckets& buckets);

// As T5's _relative_position_bucket gives it for relative_position = r. In [0, count).
int64_t distance_bucket(const DistanceBuckets& buckets, int64_t r);

// ALiBi's slope of a head (Press et al. 2022): 2^(−8 (head + 1) / heads) for a power of two of heads; otherwise those
// of the next lower power of two, followed by every second one of twice as many.
double alibi_slope(int64_t head, int64_t heads);

}  // namespace roformer
