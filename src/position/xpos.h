// xPos (Sun et al. 2022): pair i of a rotated query at m is also multiplied by ζ_i^((m − center) / scale_base), of a
// key at n by its inverse power, so that scores decay by ζ_i^((m − n) / scale_base) with the distance of the key behind
// the query. ζ_i = (2i / dim + γ) / (1 + γ) with γ = 0.4.
// The published code centers on half the length of the batch, and a token's rotated key then depends on the texts
// beside it. Only m − n matters to scores, so the center here is a constant, and cached keys stay right.
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

// What a query's pair is multiplied by at this position; a key's by 1 over it. DataError where the power of the
// strongest pair leaves float32's range with room to spare (beyond about 30 scale bases from the center).
double xpos_scale(const XPos& xpos, int64_t dim, int64_t pair, int64_t position);

}  // namespace roformer
