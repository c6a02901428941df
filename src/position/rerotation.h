// Re-rotation of cached keys: converts a key rotated one way to another rotation, without the unrotated key. Needed
// when a window of text is moved to earlier positions (context shift), when dynamic NTK or LongRoPE change frequencies
// because a text has grown, and for another xPos center. A key rotated by R at p and by R' at p' is R_p k and R'_p' k,
// so R'_p' R_pᵀ, again a rotation of each pair, converts the first to the second; attention factors and xPos scales
// enter as ratios. Each re-rotation rounds to the type of the cache, so errors accumulate over many shifts.
#pragma once

#include <cstdint>
#include <optional>

#include "position/rotary.h"
#include "position/xpos.h"

namespace roformer {

// How cached keys are rotated.
struct KeyRotation {
  RotaryFrequencies frequencies;
  std::optional<XPos> xpos = {};
};

class Rerotation {
 public:
  // UsageError unless both rotate the same number of elements with the same layout.
  Rerotation(KeyRotation from, KeyRotation to);

  // The angle for rotate_pair() that converts a key at `from_position` to `to_position`. DataError for positions out of
  // range.
  RotaryFrequencies::Angle angle(int64_t from_position, int64_t to_position, int64_t pair) const;

  const Rotary& rotary() const { return to_.frequencies.rotary(); }
  int64_t pairs() const { return to_.frequencies.pairs(); }

 private:
  KeyRotation from_, to_;
};

}  // namespace roformer
