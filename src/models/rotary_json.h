// The rotary settings of a config.json. Keys are transformers' where they exist ("rope_theta", "partial_rotary_factor",
// "rotary_dim", and "rope_scaling" or "rope_parameters" with their "rope_type"); the others are this project's:
// "rotary_layout", "rotary_proportion", "rotary_grid_width", "rotary_learned", "xpos_scale_base", "xpos_centre".
// "rotary_value", common to all RoFormers, is not among them.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/json.h"
#include "position/encoding.h"

namespace roformer {

// Keys in the file override `position`. DataError naming the key for a wrong type, an unsupported scaling, and unknown
// keys of a scaling; complete() of models/config.h checks combinations. The training length defaults to
// "max_position_embeddings".
void read_rotary(const JsonObject& json, RotaryPosition& position);

// Adds the keys that differ from adjacent pairs over `head_dim` elements with base 10000: none for a plain RoFormer.
void write_rotary(const RotaryPosition& position, int64_t head_dim, Json& json);

// All keys read by read_rotary().
std::span<const std::string_view> rotary_keys();

}  // namespace roformer
