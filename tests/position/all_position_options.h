// A value, none of them a default, for each option of a position encoding.
#pragma once

#include "position/position_options.h"

namespace roformer {

inline PositionOptions all_position_options() {
  return {.rotary_base = 500,
          .rotary_fraction = 0.25,
          .rotary_proportion = 0.5,
          .rotary_grid_width = 8,
          .xpos_scale_base = 64,
          .sinusoidal_scale = 2,
          .relative_clip = 5,
          .relative_buckets = 10,
          .relative_max_distance = 20,
          .max_positions = 99};
}

}  // namespace roformer
