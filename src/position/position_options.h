// The parameters of position encodings that users may set; encodings with the same parameter share its name. Meanings,
// ranges and defaults are in models/shape_settings.h and docs/positions.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "position/encoding.h"

namespace roformer {

// An empty optional means: what the encoding has.
struct PositionOptions {
  std::optional<double> rotary_base = {}, rotary_fraction = {}, rotary_proportion = {};
  std::optional<int64_t> rotary_grid_width = {};
  std::optional<double> xpos_scale_base = {}, sinusoidal_scale = {};
  std::optional<int64_t> relative_clip = {}, relative_buckets = {}, relative_max_distance = {};
  std::optional<int64_t> max_positions = {};
  bool operator==(const PositionOptions&) const = default;

  std::vector<std::string_view> given() const;  // names of the options that are not empty
  // Sets in `encoding` what is given. UsageError, naming the option, for one that the encoding does not have. A new
  // fraction makes the rotary dimension 0, to be set from the head size.
  void apply(PositionEncoding& encoding) const;
  // Empties the options that `encoding` does not have.
  void restrict_to(PositionEncoding encoding);
};

// Of position_names(), the encodings that have the option `name`, e.g. t5 and tupe for "relative_buckets".
std::vector<std::string_view> encodings_with(std::string_view name);

}  // namespace roformer
