#include "position/rerotation.h"

#include <utility>

#include "base/error.h"

namespace roformer {
namespace {

// The scale of keys beside the rotation.
double key_scale(const KeyRotation& rotation, int64_t position, int64_t pair) {
  if (!rotation.xpos) return 1;
  return 1 / xpos_scale(*rotation.xpos, rotation.frequencies.rotary().dim, pair, position);
}

}  // namespace

Rerotation::Rerotation(KeyRotation from, KeyRotation to) : from_(std::move(from)), to_(std::move(to)) {
  const Rotary &old_rotary = from_.frequencies.rotary(), &new_rotary = to_.frequencies.rotary();
  if (old_rotary.dim != new_rotary.dim || old_rotary.layout != new_rotary.layout) {
    throw UsageError("keys rotated in {} elements, layout {}, cannot become keys of {} elements, layout {}",
                     old_rotary.dim, rotary_layout_name(old_rotary.layout), new_rotary.dim,
                     rotary_layout_name(new_rotary.layout));
  }
}

RotaryFrequencies::Angle Rerotation::angle(int64_t from_position, int64_t to_position, int64_t pair) const {
  const auto [cos0, sin0] = from_.frequencies.angle(from_position, pair);
  const auto [cos1, sin1] = to_.frequencies.angle(to_position, pair);
  // Both angles include attention factors f: dividing f1 cos1 · f0 cos0 by f0² leaves f1 / f0.
  const double factor = from_.frequencies.attention_factor();
  const double scale = key_scale(to_, to_position, pair) / key_scale(from_, from_position, pair) / (factor * factor);
  return {scale * (cos1 * cos0 + sin1 * sin0), scale * (sin1 * cos0 - cos1 * sin0)};
}

}  // namespace roformer
