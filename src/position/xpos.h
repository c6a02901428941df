// xPos (Sun et al. 2022): pair i of a rotated query at m is also multiplied by ζ_i^((m − center) / scale_base), of a
// key at n by its inverse power, so that scores decay by ζ_i^((m − n) / scale_base) with the distance from key to
// query. ζ_i = (2i / dim + γ) / (1 + γ) with γ = 0.4. The published code centers on half the length of the batch, so
// that rotated keys depend on the rest of the batch. Scores depend only on m − n, so here the center is a constant, and
// cached keys remain valid.
#pragma once

#include <cstdint>

namespace roformer {

struct XPos {
  double scale_base = 512;
  int64_t center = 0;
  bool operator==(const XPos&) const = default;
};

// UsageError, naming the setting, for a scale base that is not positive and finite or a center out of range.
void validate(const XPos& xpos);

// The scale of a query's pair at this position; that of a key is its inverse. DataError more than 32 scale bases from
// the center, where scales would approach the limits of float32.
double xpos_scale(const XPos& xpos, int64_t dim, int64_t pair, int64_t position);

}  // namespace roformer
