// The options of sampling that generate and translate share.
#pragma once

#include <optional>

#include "cli/options.h"
#include "generation/sampling.h"

namespace roformer {

struct SamplingChoices {
  std::optional<double> temperature, top_p, min_p;
  std::optional<int64_t> top_k;

  bool given() const { return temperature || top_k || top_p || min_p; }
  SamplingOptions options() const;  // with the defaults that the help texts state
};

void add_sampling(OptionSet& set, SamplingChoices& choices);

}  // namespace roformer
