// The rotary settings of a config.json. Keys are transformers' where they exist ("rope_theta", "partial_rotary_factor",
// "rotary_dim", and "rope_scaling" or "rope_parameters" with their "rope_type"); the others are this project's:
// "rotary_layout", "rotary_proportion", "rotary_grid_width", "rotary_learned", "xpos_scale_base", "xpos_centre".
// "rotary_value", common to all RoFormers, is not among them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "position/encoding.h"

namespace roformer {

// Keys in the file override `position`. DataError naming the key for a wrong type, an unsupported scaling, and two
// scalings that differ; complete() of models/config.h checks combinations. The training length defaults to
// "max_position_embeddings", and for "dynamic" it always is that, as in transformers.
void read_rotary(const JsonObject& json, RotaryPosition& position);

// What `key` of a file that read_rotary() accepts holds without influence, for a warning: keys of a scaling that its
// type does not use ("rope_scaling.finetuned"), or "original_max_position_embeddings" itself. Empty for other keys.
std::vector<std::string> unread_rotary_keys(const JsonObject& json, std::string_view key);

// Adds the keys that differ from adjacent pairs over `head_dim` elements with base 10000: none for a plain RoFormer.
void write_rotary(const RotaryPosition& position, int64_t head_dim, Json& json);

// All keys read by read_rotary().
std::span<const std::string_view> rotary_keys();

}  // namespace roformer
