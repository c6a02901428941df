// How rotary frequencies are changed so that a model reads longer texts than it was trained on. Each kind is a value
// with the names and defaults of transformers' modeling_rope_utils ("rope_type"), and scale_frequencies() says what it
// does. All factors are 1 or more where they are to lengthen; smaller ones are allowed, but not of NTK.
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

// NTK-aware (bloc97 2023), static: the base grows by factor^(dim / (dim − 2)), so that the slowest pair turns as with
// position interpolation and the fastest as before. Not in transformers.
struct NtkScaling {
  double factor = 1;
  bool operator==(const NtkScaling&) const = default;
};

// "dynamic": NTK-aware for the length that is there; nothing changes up to `original_positions`.
struct DynamicNtkScaling {
  double factor = 1;
  int64_t original_positions = 0;  // "max_position_embeddings" of training
  bool operator==(const DynamicNtkScaling&) const = default;
};

// "yarn" (Peng et al. 2023): slow pairs are interpolated, fast ones kept, a ramp between; scores grow by the square of
// an attention factor.
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
  double factor = 1;  // longest text / `original_positions`: decides the attention factor
  std::optional<double> attention_factor = {};
  bool operator==(const LongRopeScaling&) const = default;
};

// "llama3": pairs of long waves divided, of short ones kept, smooth between.
struct Llama3Scaling {
  double factor = 1, low_freq_factor = 1, high_freq_factor = 4;
  int64_t original_positions = 0;
  bool operator==(const Llama3Scaling&) const = default;
};

using RotaryScaling = std::variant<std::monostate, LinearScaling, NtkScaling, DynamicNtkScaling, YarnScaling,
                                   LongRopeScaling, Llama3Scaling>;

// UsageError, naming the setting, for numbers that cannot scale the frequencies of `dim` rotated elements.
void validate(const RotaryScaling& scaling, int64_t dim);

// What a scaling makes of θ_i = base^(−2i/dim): θ_i = new base^(−2i/dim) / divisors[i].
struct ScaledFrequencies {
  double base;
  std::vector<double> divisors;  // [dim / 2], or empty: all are 1
  double attention_factor = 1;   // multiplies cosines and sines, so that scores grow by its square
};

// For a sequence of `length` positions (its largest position + 1; 0: as short as those of training), which matters to
// dynamic NTK and LongRoPE. The settings must be valid.
ScaledFrequencies scale_frequencies(const RotaryScaling& scaling, int64_t dim, double base, int64_t length);

// Sequences of equal results have equal frequencies: 0 wherever the length does not matter (yet).
int64_t scaling_length(const RotaryScaling& scaling, int64_t length);

}  // namespace roformer
