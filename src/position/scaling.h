// RoPE scaling: changes rotary frequencies for texts longer than those of training. Each kind is a struct with the
// names and defaults of transformers' modeling_rope_utils ("rope_type"); scale_frequencies() implements them. Factors
// above 1 lengthen; smaller ones are allowed except for NTK.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

namespace roformer {

// "linear": position interpolation (Chen et al. 2023), θ / factor.
struct LinearScaling {
  double factor = 1;
  bool operator==(const LinearScaling&) const = default;
};

// NTK-aware (bloc97 2023), static: the base grows by factor^(dim / (dim − 2)), so that the slowest pair is as with
// position interpolation and the fastest unchanged. Not in transformers.
struct NtkScaling {
  double factor = 1;
  bool operator==(const NtkScaling&) const = default;
};

// "dynamic": NTK-aware for the current length; no change up to `original_positions`.
struct DynamicNtkScaling {
  double factor = 1;
  int64_t original_positions = 0;  // "max_position_embeddings" of training
  bool operator==(const DynamicNtkScaling&) const = default;
};

// "yarn" (Peng et al. 2023): slow pairs are interpolated, fast ones unchanged, with a ramp between; scores are
// multiplied by the square of an attention factor.
struct YarnScaling {
  double factor = 1;
  int64_t original_positions = 0;
  double beta_fast = 32, beta_slow = 1;
  std::optional<double> attention_factor = {}, mscale = {}, mscale_all_dim = {};
  bool truncate = true;
  bool operator==(const YarnScaling&) const = default;
};

// "longrope" (Ding et al. 2024): a searched divisor for each pair, one list up to `original_positions`, one beyond.
struct LongRopeScaling {
  std::vector<double> short_factors, long_factors;  // [dim / 2]
  int64_t original_positions = 0;
  double factor = 1;  // longest text / `original_positions`: determines the attention factor
  std::optional<double> attention_factor = {};
  bool operator==(const LongRopeScaling&) const = default;
};

// "llama3": long wavelengths are divided by `factor`, short ones unchanged, with a smooth transition.
struct Llama3Scaling {
  double factor = 1, low_freq_factor = 1, high_freq_factor = 4;
  int64_t original_positions = 0;
  bool operator==(const Llama3Scaling&) const = default;
};

using RotaryScaling = std::variant<std::monostate, LinearScaling, NtkScaling, DynamicNtkScaling, YarnScaling,
                                   LongRopeScaling, Llama3Scaling>;

// UsageError, naming the setting, for settings that are invalid for `dim` rotated elements.
void validate(const RotaryScaling& scaling, int64_t dim);

// The scaled θ_i = base^(−2i/dim) / divisors[i], with a new base.
struct ScaledFrequencies {
  double base;
  std::vector<double> divisors;  // [dim / 2], or empty: all are 1
  double attention_factor = 1;   // multiplies cosines and sines, so scores get its square
};

// For a sequence of `length` positions (its largest position + 1; 0: within the training length), which only dynamic
// NTK and LongRoPE use. The settings must be valid.
ScaledFrequencies scale_frequencies(const RotaryScaling& scaling, int64_t dim, double base, int64_t length);

// The longest text that the scaling is meant for, in a model whose "max_position_embeddings" is `max_positions`: the
// training length times the factor, at least `max_positions`. With llama3 `max_positions`, whose files give the scaled
// length there and a factor that is not the ratio of the two.
int64_t scaled_positions(const RotaryScaling& scaling, int64_t max_positions);

// The length as far as it affects frequencies: sequences with equal results have equal frequencies; 0: no effect.
int64_t scaling_length(const RotaryScaling& scaling, int64_t length);

}  // namespace roformer
