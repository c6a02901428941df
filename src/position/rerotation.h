// Re-rotation: what turns a cached key that was rotated one way into the key that another way would have made of it,
// without the unrotated one. Needed when a window of text is moved to earlier positions (context shift), when dynamic
// NTK or LongRoPE change their frequencies because a text has grown, and for another xPos center. A key rotated by R at
// p and one by R' at p' are R_p k and R'_p' k, so R'_p' R_pᵀ, again a rotation of each pair, leads from the first to
// the second; the attention factors and xPos scales meet as ratios.
// Each one adds a rounding of the cache's own type: a cache that is shifted often drifts by that much each time.
#pragma once

#include <cstdint>
#include <optional>

#include "position/rotary.h"
#include "position/xpos.h"

namespace roformer {

// How keys in a cache were rotated, or shall be.
struct KeyRotation {
  RotaryFrequencies frequencies;
  std::optional<XPos> xpos = {};
};

class Rerotation {
 public:
  // UsageError unless both rotate the same elements in the same pairs.
  Rerotation(KeyRotation from, KeyRotation to);

  // For rotate_pair(): of a key rotated `from` at one position, into one rotated `to` at another. DataError for
  // positions that either cannot rotate.
  RotaryFrequencies::Angle angle(int64_t from_position, int64_t to_position, int64_t pair) const;

  const Rotary& rotary() const { return to_.frequencies.rotary(); }
  int64_t pairs() const { return to_.frequencies.pairs(); }

 private:
  KeyRotation from_, to_;
};

}  // namespace roformer
