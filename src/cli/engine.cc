#include "cli/engine.h"

#include <fmt/ranges.h>

#include <iostream>

namespace roformer {

namespace {

void add_linear_settings(OptionSet& set, ShapeOptions& shape) {
  set.add("--attention-rotation", shape.attention_rotation,
          "linear attention: rotate after the feature map (the paper's Eq. 19, the default) or before (the Performer "
          "library)",
          "NAME");
  set.add("--favor-features", shape.favor_features,
          "linear-favor: random features a head, rounded up to even (default: d ln d of the head size d)", {1, 65536});
  set.add("--favor-redraw", shape.favor_redraw,
          "linear-favor: steps of training between draws of new features; 0 = never", {0, 1'000'000'000'000});
}

}  // namespace

std::string numbers_line(const Backend& backend) {
  std::vector<std::string> uses;
  for (const NumberUse& use : backend.numbers()) uses.push_back(use.what + ": " + use.with);
  return fmt::format("{}", fmt::join(uses, "; "));
}

void add_shape(OptionSet& set, ShapeOptions& shape, bool alone) {
  set.add_choice("--preset", shape.preset, preset_names(), "shape to start from");
  set.add("--hidden-size", shape.hidden_size, "width of the layers", {1, 65536});
  set.add("--embedding-size", shape.embedding_size, "width of the embeddings (default: the hidden size)", {1, 65536});
  set.add("--layers", shape.layers, "encoder layers", {0, 1000});
  set.add("--heads", shape.heads, "attention heads a layer", {1, 65536});
  set.add("--intermediate-size", shape.intermediate_size,
          "width of the feed-forward networks (default: 4 times the hidden size)", {1, 262144});
  const std::string names = fmt::format("position encoding: {}", fmt::join(position_names(), ", "));
  if (alone) {
    set.add("--position", shape.position, names, "NAME");
    set.add_words("--attention", shape.attention,
                  "kind of attention, one for all layers or one for each (default: the preset's)", attention_names());
  }
  add_linear_settings(set, shape);
  set.add("--dropout", shape.dropout, "of hidden states and attention weights (default: the preset's 0.1)",
          {0, 1, false, true});
}

void warn_unknown_keys(const std::string& directory, const std::vector<std::string>& keys) {
  if (keys.empty()) return;
  std::cerr << fmt::format("roformer: {}/config.json: not understood and ignored: {}\n", directory,
                           fmt::join(keys, ", "));
}

}  // namespace roformer
