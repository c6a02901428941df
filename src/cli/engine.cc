#include "cli/engine.h"

#include <fmt/ranges.h>

#include <iostream>

namespace roformer {

void add_shape(OptionSet& set, ShapeOptions& shape, bool position) {
  set.add_choice("--preset", shape.preset, preset_names(), "shape to start from");
  set.add("--hidden-size", shape.hidden_size, "width of the layers", {1, 65536});
  set.add("--embedding-size", shape.embedding_size, "width of the embeddings (default: the hidden size)", {1, 65536});
  set.add("--layers", shape.layers, "encoder layers", {0, 1000});
  set.add("--heads", shape.heads, "attention heads a layer", {1, 65536});
  set.add("--intermediate-size", shape.intermediate_size,
          "width of the feed-forward networks (default: 4 times the hidden size)", {1, 262144});
  const std::string names = fmt::format("position encoding: {}", fmt::join(position_names(), ", "));
  if (position) set.add("--position", shape.position, names, "NAME");
  set.add("--dropout", shape.dropout, "of hidden states and attention weights (default: the preset's 0.1)",
          {0, 1, false, true});
}

void warn_unknown_keys(const std::string& directory, const std::vector<std::string>& keys) {
  if (keys.empty()) return;
  std::cerr << fmt::format("roformer: {}/config.json: not understood and ignored: {}\n", directory,
                           fmt::join(keys, ", "));
}

}  // namespace roformer
