// The rotary settings of a config.json. Keys and meanings are transformers' where it has them ("rope_theta",
// "partial_rotary_factor", "rotary_dim", and "rope_scaling" or "rope_parameters" with their "rope_type"); the others
// are this project's: "rotary_layout", "rotary_proportion", "rotary_grid_width", "rotary_learned", "xpos_scale_base",
// "xpos_centre". "rotary_value" is not among them: every RoFormer has it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/json.h"
#include "position/encoding.h"

namespace roformer {

// What the file says replaces what `position` holds. DataError naming the key for a value of the wrong type, a scaling
// that this program does not have, and keys of a scaling that it does not know; whether the numbers go together is left
// to complete() of models/config.h. Positions of training that are not said are "max_position_embeddings".
void read_rotary(const JsonObject& json, RotaryPosition& position);

// Adds the keys that differ from a rotation of all `head_dim` elements, adjacent, base 10000: none for a plain
// RoFormer.
void write_rotary(const RotaryPosition& position, int64_t head_dim, Json& json);

// All keys that read_rotary() looks at.
std::span<const std::string_view> rotary_keys();

}  // namespace roformer
