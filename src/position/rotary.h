// Rotary position embedding (RoPE; Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding", 2021).
//
// How it works. A query or key vector of one head is read as dim/2 points in the plane, one per pair of elements. For
// the token at position m the i-th point is rotated about the origin by the angle m·θ_i, where θ_i = base^(−2i/dim):
// the first pairs rotate fast, the last ones slowly (Eq. 15). In two dimensions (Eq. 13)
//
//     R_m x = | cos mθ  −sin mθ | | x0 |        and in dim dimensions R_m is dim/2 such blocks on a diagonal (Eq. 14).
//             | sin mθ   cos mθ | | x1 |        Only the blocks are ever computed (Eq. 34), never the matrix.
//
// Why it works. Rotations compose, R_m R_n = R_{m+n}, and the inverse is the transpose, R_mᵀ = R_{−m}. So the score of
// a query at m and a key at n is (R_m q)ᵀ(R_n k) = qᵀ R_{n−m} k (Eq. 16): absolute positions go in, and only the
// distance n − m matters. Norms are preserved, nothing is learned, and no table limits the length of a text.
//
// Which elements form a pair is a convention of a model's weights, not of the mathematics; a model with the wrong one
// runs but is useless. So the layout is explicit and never inferred.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "position/scaling.h"

namespace roformer {

enum class RotaryLayout {
  adjacent,  // pair i = elements (2i, 2i+1): Eq. 34, RoFormer, GPT-J
  half,      // pair i = elements (i, i + dim/2): GPT-NeoX, Llama
};

std::string_view rotary_layout_name(RotaryLayout layout);
RotaryLayout parse_rotary_layout(std::string_view name);  // UsageError if unknown

// The first `dim` elements of a head are rotated, the others (partial rotary) are unchanged.
struct Rotary {
  int64_t dim = 0;  // even, 2 … head_dim
  RotaryLayout layout = RotaryLayout::adjacent;
  double base = 10000;  // > 1
  // p-RoPE (Barbero et al. 2024): only this share of the pairs, the fastest, rounded down, is rotated; the others carry
  // no position. In (0, 1]. Partial rotary is different: a smaller `dim`, over which all frequencies are spread.
  double proportion = 1;
  // Axial 2-D rotary if not 0: tokens form a grid with rows of this width; the first half of the pairs is rotated by a
  // token's row, position / grid_width, the other by its column, position % grid_width, each with frequencies
  // base^(−2i/(dim/2)). Requires dim to be a multiple of 4, and no scaling.
  int64_t grid_width = 0;
  RotaryScaling scaling = {};
  bool operator==(const Rotary&) const = default;
};

// UsageError, naming the setting, if these settings cannot rotate heads of `head_dim` elements.
void validate(const Rotary& rotary, int64_t head_dim);

// The indices of pair i's elements in a head; i in [0, dim/2).
struct RotaryPair {
  int64_t first, second;
};
inline RotaryPair rotary_pair(const Rotary& rotary, int64_t i) {
  if (rotary.layout == RotaryLayout::adjacent) return {2 * i, 2 * i + 1};
  return {i, i + rotary.dim / 2};
}

// Positions beyond this are a DataError: angles are exact up to here.
inline constexpr int64_t kMaxRotaryPosition = int64_t{1} << 29;
// Bounds explicit frequencies: angles of faster ones would lose precision.
inline constexpr double kMaxRotaryFrequency = 64;

// The angles m·θ_i, exact to about 1e-15 in cosine and sine at every position allowed. Where a scaling is set, θ_i is
// its double closest to what the scaling gives, and the angles of that θ_i are as exact.
class RotaryFrequencies {
 public:
  // For a sequence of `length` positions (its largest position + 1), which only dynamic NTK and LongRoPE use; 0: within
  // the training length. UsageError unless validate(rotary, rotary.dim) holds.
  explicit RotaryFrequencies(const Rotary& rotary, int64_t length = 0);
  // Explicit θ, one per pair, e.g. learned; base, proportion and scaling are ignored. UsageError for another number of
  // them, DataError for one that is not finite or beyond ±kMaxRotaryFrequency.
  RotaryFrequencies(const Rotary& rotary, std::span<const double> theta);

  struct Angle {
    double cos, sin;
  };
  // Cosine and sine of position·θ_pair, times the attention factor. DataError for a position outside [0,
  // kMaxRotaryPosition]. `pair` must be in [0, pairs()).
  Angle angle(int64_t position, int64_t pair) const;

  const Rotary& rotary() const { return rotary_; }
  int64_t pairs() const { return rotary_.dim / 2; }
  double theta(int64_t pair) const { return frequencies_[pair].high; }
  double attention_factor() const { return attention_factor_; }  // 1 unless the scaling has one

 private:
  struct Frequency {
    double high, low;  // θ = high + low: about 106 bits
  };
  Rotary rotary_;
  std::vector<Frequency> frequencies_;
  double attention_factor_ = 1;
};

// RoPE itself: rotates the point (x0, x1).
template <class Real>
inline void rotate_pair(Real& x0, Real& x1, Real cos, Real sin) {
  const Real y0 = x0 * cos - x1 * sin;
  const Real y1 = x1 * cos + x0 * sin;
  x0 = y0;
  x1 = y1;
}

// R_m x (forward) or R_mᵀ x (transposed: the backward, and the inverse if there is no attention factor), in place on
// one head, head.size() ≥ dim. For references and tests.
enum class RotaryDirection { forward, transposed };

template <class Real>
void rotate(std::span<Real> head, const RotaryFrequencies& frequencies, int64_t position,
            RotaryDirection direction = RotaryDirection::forward) {
  for (int64_t i = 0; i < frequencies.pairs(); ++i) {
    const auto [first, second] = rotary_pair(frequencies.rotary(), i);
    const auto [cos, sin] = frequencies.angle(position, i);
    const double signed_sin = direction == RotaryDirection::forward ? sin : -sin;
    rotate_pair(head[first], head[second], static_cast<Real>(cos), static_cast<Real>(signed_sin));
  }
}

// Permutation that converts weights to another layout: element j of a head in layout `to` is element result[j] of the
// head in layout `rotary.layout`. Applied to the rows of W_q, W_k and their biases, head by head, it preserves scores.
std::vector<int64_t> rotary_permutation(const Rotary& rotary, RotaryLayout to, int64_t head_dim);

}  // namespace roformer
