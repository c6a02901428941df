// Linear attention with rotation (RoFormer, Eq. 19). A feature map φ ≥ 0 replaces exp(q·k): sums over the keys replace
// scores, so time is linear in the length, and memory beside inputs and outputs is constant.
//
//   after:   out_m = Σ_n (R_m φ(q_m))ᵀ(R_n φ(k_n)) v_n / Σ_n φ(q_m)ᵀφ(k_n)            Eq. 19
//   before:  out_m = Σ_n φ(R_m q_m)ᵀφ(R_n k_n) v_n / Σ_n φ(R_m q_m)ᵀφ(R_n k_n)        the Performer library's
//
// over the keys n of m's sequence, up to m if causal. There is no 1/√d. In Eq. 19 weights may be negative and need not
// sum to 1. Without angles both are plain linear attention. A rotation of dimension `dim` rotates the first `dim`
// elements of each head's features (after) or of q and k (before); FAVOR+, rotated after the map, has a rotation of its
// own dimension, by pairs of features.
//
// Feature maps, with d the size of a head:
//   elu    elu(x) + 1, which is x + 1 above 0 and exp(x) below (Katharopoulos et al. 2020)
//   relu   max(x, 0) + kReluFloor: otherwise many denominators would be 0
//   favor  positive random features of the softmax kernel (Choromanski et al. 2021), with y = x · d^(−1/4), which
//          replaces 1/√d, and m rows ω of `projection`: φ_i(k) = exp(ω_i·y − |y|²/2) / √m and
//          φ_i(q) = exp(ω_i·y − max_j ω_j·y) / √m. A query's scale cancels, so |y|²/2 is omitted there and the
//          maximum is a constant to the gradient. Keys have no maximum over tokens, which would make φ(k_n) depend
//          on later keys: their exponents are clamped to [kLowestExponent, kHighestExponent], queries' from below.
//
// Finite q and k of any size and finite v up to 1e8 give finite results: x is clamped to kLargestInput, with favor in
// both directions (clamped elements have no gradient), and denominators to at least kLeastDenominator.
#pragma once

#include <string_view>

#include "backend/backend.h"

namespace roformer {

enum class FeatureMap { elu, relu, favor };
enum class FeatureRotation { after, before };  // of the feature map

inline constexpr double kLargestInput = 32768, kReluFloor = 1e-3, kLeastDenominator = 1e-16;
inline constexpr double kLowestExponent = -30, kHighestExponent = 40;

struct LinearAttentionSpec {
  int64_t heads = 1;
  FeatureMap map = FeatureMap::elu;
  Tensor projection = {};  // [features, head_dim], favor only
  bool causal = false;
  std::span<const int32_t> offsets = {};  // [sequences + 1], for queries and keys
  FeatureRotation rotation = FeatureRotation::after;
  const RotaryAngles* query_angles = nullptr;  // both or none
  const RotaryAngles* key_angles = nullptr;

  int64_t sequences() const { return static_cast<int64_t>(offsets.size()) - 1; }
  // Features per head.
  int64_t features(int64_t head_dim) const { return projection.defined() ? projection.dim(0) : head_dim; }
};

// Running sums over the tokens so far, of constant size: all that causal decoding needs. Zeros initially.
struct LinearAttentionState {
  Tensor sums;    // [sequences, heads, features, value head_dim]: Σ R_n φ(k_n) v_nᵀ
  Tensor totals;  // [sequences, heads, features]: Σ φ(k_n)

  bool defined() const { return sums.defined(); }
};

}  // namespace roformer
