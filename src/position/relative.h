// Distances between tokens: r = key position − query position. T5's buckets and ALiBi's slopes.
#pragma once

#include <cstdint>

namespace roformer {

// T5 (Raffel et al. 2020): short distances have a bucket each, longer ones share logarithmically growing buckets up to
// `max_distance`; everything beyond is in the last. Bidirectional: half of the buckets are for keys after the query (r
// > 0); otherwise these are all in bucket 0.
struct DistanceBuckets {
  int64_t count = 32;  // even if bidirectional
  int64_t max_distance = 128;
  bool bidirectional = true;
  bool operator==(const DistanceBuckets&) const = default;
};

// UsageError, naming the setting, for invalid settings.
void validate(const DistanceBuckets& buckets);

// The bucket of r, in [0, count); equals T5's _relative_position_bucket.
int64_t distance_bucket(const DistanceBuckets& buckets, int64_t r);

// ALiBi's slope of a head (Press et al. 2022): 2^(−8 (head + 1) / heads) for a power of two of heads; otherwise the
// slopes of the next lower power of two, then every second slope of twice as many.
double alibi_slope(int64_t head, int64_t heads);

}  // namespace roformer
