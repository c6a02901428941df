// What the trainings of a grid differ in beside their seed, as one word: an encoding of positions ("rotary") or, where
// kinds of attention are compared too, both ("rotary+linear-elu", "rotary+linear-favor-before").
#pragma once

#include <string>
#include <vector>

#include "models/config.h"

namespace roformer {

// The kinds of attention and, for linear ones, "…-before": rotated before the feature map.
std::vector<std::string> compared_attentions();

struct GridVariant {
  std::string position;
  std::string attention;  // of compared_attentions(); empty: the preset's

  // UsageError for a name that has another form or unknown parts.
  static GridVariant parse(const std::string& name);
  std::string name() const { return attention.empty() ? position : position + "+" + attention; }
  // Sets what the variant says; options of an encoding or of linear attention are left to the variants that have it.
  void apply(ShapeOptions& shape) const;
};

// All pairs, the encodings one after the other; the encodings alone where only softmax is asked for, or nothing. Before
// and after the feature map are one training for an encoding that does not rotate.
// UsageError for unknown or repeated words, and incompatible pairs.
std::vector<std::string> grid_variants(const std::vector<std::string>& positions,
                                       const std::vector<std::string>& attentions);

}  // namespace roformer
