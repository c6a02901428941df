// The settings of ShapeOptions (models/config.h, base/setting.h). Their Effect is none because runs are compared by the
// resulting model config.
#pragma once

#include <fmt/ranges.h>

#include <string>

#include "base/setting.h"
#include "models/config.h"

namespace roformer {

template <OptionsOf<ShapeOptions> Options>
void visit_settings(Options& options, auto& visitor) {
  visitor.choice(options.preset, {"preset", "shape to start from"}, preset_names());
  visitor.integer(options.hidden_size, {"hidden_size", "width of the layers"}, {1, 65536});
  visitor.integer(options.embedding_size, {"embedding_size", "width of the embeddings (default: the hidden size)"},
                  {1, 65536});
  visitor.integer(options.layers, {"layers", "encoder layers"}, {0, 1000});
  visitor.integer(options.heads, {"heads", "attention heads a layer"}, {1, 65536});
  visitor.integer(options.intermediate_size,
                  {"intermediate_size", "width of the feed-forward networks (default: 4 times the hidden size)"},
                  {1, 262144});
  const std::string positions = fmt::format("position encoding: {}", fmt::join(position_names(), ", "));
  visitor.text(options.position, {"position", positions}, "NAME");
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
                   "linear-favor: random features a head, rounded up to even (default: d ln d of the head size d)"},
                  {1, 65536});
  visitor.integer(options.favor_redraw,
                  {"favor_redraw", "linear-favor: steps of training between draws of new features; 0 = never"},
                  {0, 1'000'000'000'000});
  visitor.real(options.dropout, {"dropout", "of hidden states and attention weights (default: the preset's 0.1)"},
               {0, 1, false, true});
}

}  // namespace roformer
