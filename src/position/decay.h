// How rotary scores depend on distance (section 3.4.3 of the RoFormer paper, "Long-term decay of RoPE").
//
// With q and k read as complex numbers, one per pair of elements, the score of a query at m and a key at n is (Eq. 35)
//     (R_m q)ᵀ(R_n k) = Re Σ_{i=0}^{d/2−1} h_i e^{ı(m−n)θ_i},   h_i = q_i k_i*.
// Let S_j = Σ_{i<j} e^{ı(m−n)θ_i} and h_{d/2} = 0. Abel's summation by parts (Eq. 36) gives the bound (Eq. 37)
//     |Σ h_i (S_{i+1} − S_i)| = |Σ S_{i+1} (h_{i+1} − h_i)| ≤ (max_i |h_{i+1} − h_i|) Σ_{i=0}^{d/2−1} |S_{i+1}|,
// so the mean of |S_1| … |S_{d/2}|, which depends only on the distance, bounds the scores.
#pragma once

#include <complex>
#include <cstdint>
#include <span>
#include <vector>

#include "position/rotary.h"

namespace roformer {

// S_1 … S_{d/2} at a distance of m − n tokens, without any attention factor. |distance| ≤ kMaxRotaryPosition, else
// DataError. UsageError, here and below, for rotations on a grid, where distances along a text are meaningless.
std::vector<std::complex<double>> rotary_partial_sums(const RotaryFrequencies& frequencies, int64_t distance);

// The mean of |S_1| … |S_{d/2}|: (d/2 + 1) / 2 at distance 0, where all terms are 1; an even function.
double rotary_decay(const RotaryFrequencies& frequencies, int64_t distance);

// qᵀ R_r k, the score of a key r = n − m tokens after the query (Eq. 16), in O(d), times the square of the attention
// factor. Elements beyond the rotary dimension are included unrotated. q and k have the same size, at least that
// dimension.
double rotary_score(const RotaryFrequencies& frequencies, std::span<const double> q, std::span<const double> k,
                    int64_t distance);

}  // namespace roformer
