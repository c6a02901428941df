// The coverage penalty of a translation (Wu et al. 2016, eq. 14): Σ_i ln min(Σ_j p_ij, 1) over the tokens i of the
// source, where p_ij is the attention of target token j.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

namespace roformer {

// Of the sums over j. A token that nothing attends to counts as one with a sum of 1e-9, so that scores stay finite.
inline double coverage_sum(std::span<const double> attended) {
  constexpr double kLeast = 1e-9;
  double sum = 0;
  for (const double mass : attended) sum += std::log(std::clamp(mass, kLeast, 1.0));
  return sum;
}

// Adds a row of weights to the sums, which may be empty before.
inline void add_attention(std::span<const double> weights, std::vector<double>& attended) {
  attended.resize(weights.size());
  for (size_t i = 0; i < weights.size(); ++i) attended[i] += weights[i];
}

}  // namespace roformer
