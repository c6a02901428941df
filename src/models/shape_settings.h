// The settings of ShapeOptions and its PositionOptions (models/config.h, base/setting.h). Their Effect is none because
// runs are compared by the resulting model config.
#pragma once

#include <fmt/ranges.h>

#include <string>

#include "base/setting.h"
#include "models/config.h"

namespace roformer {

template <OptionsOf<PositionOptions> Options>
void visit_settings(Options& options, auto& visitor) {
  visitor.real(options.rotary_base,
               {"rotary_base", "rotary encodings: base of the frequencies, transformers' rope_theta (default: 10000)"},
               {.low = 1, .low_excluded = true});
  visitor.real(options.rotary_fraction,
               {"rotary_fraction",
                "rotary encodings: share of each head's elements that are rotated, transformers' partial_rotary_factor "
                "(default: 1; rotary-partial: 0.5)"},
               {0, 1, true, false});
  visitor.real(options.rotary_proportion,
               {"rotary_proportion",
                "rotary encodings except rotary-learned: share of the frequencies that are used, the highest; the "
                "others are 0 (default: 1; p-rope: 0.75)"},
               {0, 1, true, false});
  visitor.integer(options.rotary_grid_width,
                  {"rotary_grid_width", "rotary-axial: tokens in a row of the grid (default: 16)"}, {1, 1 << 29});
  visitor.real(options.xpos_scale_base,
               {"xpos_scale_base", "xpos: distance over which scores decay by the factor of each pair (default: 512)"},
               {.low = 0, .low_excluded = true});
  visitor.real(options.sinusoidal_scale,
               {"sinusoidal_scale", "sinusoidal encodings: factor of the sinusoids (default: 0.02)"}, {-1000, 1000});
  visitor.integer(
      options.relative_clip,
      {"relative_clip", "shaw, nezha, deberta: distance from which all are treated alike (default: 16, 64, 128)"},
      {0, 1 << 20});
  visitor.integer(options.relative_buckets,
                  {"relative_buckets",
                   "t5, tupe: buckets of distances, transformers' relative_attention_num_buckets (default: 32)"},
                  {2, 65536});
  visitor.integer(options.relative_max_distance,
                  {"relative_max_distance",
                   "t5, tupe: distance from which all share a bucket, transformers' relative_attention_max_distance "
                   "(default: 128)"},
                  {1, 1 << 29});
  visitor.integer(options.max_positions,
                  {"max_positions",
                   "learned, learned-hierarchical, tupe: rows of the position table (default: the preset's, or the "
                   "length of the sequences if that is more)"},
                  {1, 1 << 29});
}

template <OptionsOf<ShapeOptions> Options>
void visit_settings(Options& options, auto& visitor) {
  visitor.choice(options.preset, {"preset", "shape to start from"}, preset_names());
  visitor.integer(options.hidden_size, {"hidden_size", "width of the layers"}, {1, 65536});
  visitor.integer(options.embedding_size, {"embedding_size", "width of the embeddings (default: the hidden size)"},
                  {1, 65536});
  visitor.integer(options.layers, {"layers", "encoder layers"}, {0, 1000});
  visitor.integer(options.heads, {"heads", "attention heads per layer"}, {1, 65536});
  visitor.integer(options.intermediate_size,
                  {"intermediate_size", "width of the feed-forward networks (default: 4 times the hidden size)"},
                  {1, 262144});
  const std::string positions = fmt::format("position encoding: {}", fmt::join(position_names(), ", "));
  visitor.text(options.position, {"position", positions}, "NAME");
  visit_settings(options.position_options, visitor);
  visitor.words(options.attention,
                {"attention", "kind of attention, one for all layers or one for each (default: the preset's)"},
                attention_names());
  visitor.text(options.attention_rotation,
               {"attention_rotation",
                "linear attention: rotate after the feature map (the paper's Eq. 19, the default) or before (the "
                "Performer library)"},
               "NAME");
  visitor.integer(options.favor_features,
                  {"favor_features",
                   "linear-favor: random features per head, rounded up to even (default: d ln d of the head size d)"},
                  {1, 65536});
  visitor.integer(options.favor_redraw,
                  {"favor_redraw", "linear-favor: steps of training between draws of new features; 0 = never"},
                  {0, 1'000'000'000'000});
  visitor.real(options.dropout,
               {"dropout", "dropout probability of hidden states and attention weights (default: the preset's 0.1)"},
               {0, 1, false, true});
}

}  // namespace roformer
