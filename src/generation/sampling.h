// How the next token is chosen from a model's scores: transformers' definitions, in transformers' order (repetition
// penalty, temperature, top-k, top-p, min-p; generation/logits_process.py), in double.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace roformer {

struct SamplingOptions {
  bool greedy = false;     // the token of the highest score; what follows has no effect then, but for the penalty
  double temperature = 1;  // scores are divided by it; 0 is greedy
  int64_t top_k = 0;       // only the k highest scores, and those equal to the lowest of them; 0 = all
  double top_p = 1;        // only the fewest, most probable tokens that are at least so probable together
  double min_p = 0;        // only tokens at least so probable, as a share of the most probable one's
  double repetition_penalty = 1;  // of tokens that are there already (Keskar et al. 2019): positive scores are divided
                                  // by it, negative ones multiplied
};

// UsageError, naming the option, for a value out of range.
void validate(const SamplingOptions& options);

// Once for each token of `seen`, however often it is there.
void penalize_repetition(std::span<double> scores, std::span<const int32_t> seen, double penalty);

// The highest score's token, the lowest id of several.
int32_t best_token(std::span<const double> scores);

// log softmax, in place.
void normalize_logs(std::span<double> scores);

// What is drawn from: tokens by id, with probabilities that sum to 1.
struct TokenDistribution {
  std::vector<int32_t> ids;
  std::vector<double> probabilities;

  // The token at `uniform` in [0, 1) of the distribution function.
  int32_t at(double uniform) const;
};

// Temperature, top-k, top-p and min-p, in this order. −∞ is a token that must not come; one at least must be finite.
TokenDistribution distribution(std::span<const double> scores, const SamplingOptions& options);

// The random number of a sequence's step: nothing else decides it.
double sampling_number(uint64_t seed, uint64_t sequence, uint64_t step);

}  // namespace roformer
