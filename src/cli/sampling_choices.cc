#include "cli/sampling_choices.h"

namespace roformer {

void add_sampling(OptionSet& set, SamplingChoices& choices) {
  constexpr double kMaxFactor = 1e6;
  set.add("--temperature", choices.temperature,
          "sampling temperature, which divides the logits; 0 = always the most probable token (default: 1)",
          {0, kMaxFactor});
  set.add("--top-k", choices.top_k, "sample from the k most probable tokens only; 0 = all (default: 50)",
          {0, int64_t{1} << 31});
  set.add("--top-p", choices.top_p,
          "sample from the fewest tokens whose probabilities sum to at least this (default: 1)",
          {.low = 0, .high = 1, .low_excluded = true});
  set.add("--min-p", choices.min_p,
          "sample only tokens with at least this fraction of the most probable token's probability (default: 0)",
          {0, 1});
}

SamplingOptions SamplingChoices::options() const {
  constexpr int64_t kTopK = 50;
  return {.temperature = temperature.value_or(1),
          .top_k = top_k.value_or(kTopK),
          .top_p = top_p.value_or(1),
          .min_p = min_p.value_or(0)};
}

}  // namespace roformer
