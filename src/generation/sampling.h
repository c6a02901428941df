// Sampling from logits with transformers' definitions and order (repetition penalty, temperature, top-k, top-p, min-p;
// generation/logits_process.py), in double.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace roformer {

struct SamplingOptions {
  bool greedy = false;            // argmax; of the following, only the repetition penalty applies
  double temperature = 1;         // divides logits; 0 = greedy
  int64_t top_k = 0;              // only the k largest logits, including ties with the smallest; 0 = all
  double top_p = 1;               // only the smallest set of most probable tokens with at least this total probability
  double min_p = 0;               // only tokens with at least this probability relative to the most probable one
  double repetition_penalty = 1;  // of tokens already present (Keskar et al. 2019): divides positive logits and
                                  // multiplies negative ones
};

// UsageError, naming the option, for a value out of range.
void validate(const SamplingOptions& options);

// Applies the penalty once per distinct token of `seen`.
void penalize_repetition(std::span<double> logits, std::span<const int32_t> seen, double penalty);

// Argmax; the lowest id on ties.
int32_t best_token(std::span<const double> logits);

// In-place log softmax.
void normalize_logs(std::span<double> logits);

// Candidate tokens by ascending id, with probabilities that sum to 1.
struct TokenDistribution {
  std::vector<int32_t> ids;
  std::vector<double> probabilities;

  // The token at quantile `uniform` in [0, 1).
  int32_t at(double uniform) const;
};

// Temperature, top-k, top-p and min-p, in this order. −∞ marks excluded tokens; at least one logit must be finite.
TokenDistribution distribution(std::span<const double> logits, const SamplingOptions& options);

// The uniform random number in [0, 1) for a step of a sequence, a pure function of its arguments.
double sampling_number(uint64_t seed, uint64_t sequence, uint64_t step);

}  // namespace roformer
