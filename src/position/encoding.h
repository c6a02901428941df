// PositionEncoding: how a model knows the order of its tokens, as one value. The room position/ holds the mathematics
// of positions: pure functions and value types. It knows no tensor, no parameter and no attention kernel. An encoding
// acts in one of four places: added to the input (sinusoidal, learned), on queries and keys (rotary, TUPE), on the
// scores (a bias by distance), or as relative keys and values. A consumer visits the variant and takes the alternatives
// of its own place. A class hierarchy with virtual hooks was rejected: each place needs other data, and a closed
// variant lets the compiler find every consumer that forgot one.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

#include "position/relative.h"
#include "position/rotary.h"
#include "position/sinusoid.h"
#include "position/xpos.h"

namespace roformer {

// No encoding: a bidirectional model then sees a bag of tokens.
struct NoPosition {
  bool operator==(const NoPosition&) const = default;
};

// Input: scale · sinusoid() is added to the token embedding (Eq. 4).
struct SinusoidalPosition {
  SinusoidLayout layout = SinusoidLayout::halves;
  double scale = 1;
  bool operator==(const SinusoidalPosition&) const = default;
};

// Input: a trained row a position is added; longer texts are refused, unless the table is extended hierarchically to
// max_positions² (position/hierarchical.h).
struct LearnedPosition {
  int64_t max_positions = 512;
  bool hierarchical = false;
  bool operator==(const LearnedPosition&) const = default;
};

// Relative keys and values (Eq. 5; Shaw et al. 2018): trained rows of each layer by distance, or, as NEZHA has them
// (Wei et al. 2019), sinusoids. The heads share them.
struct ShawPosition {
  int64_t clip = 16;  // larger distances are as this one
  bool sinusoidal = false;
  bool operator==(const ShawPosition&) const = default;
};

// Transformer-XL (Eq. 7; Dai et al. 2019): sinusoids of the distance through a projection of each layer meet the
// queries; u and v stand for the position of the query, all layers share them.
struct TransformerXlPosition {
  bool operator==(const TransformerXlPosition&) const = default;
};

// A trained bias a head and bucket of distances (Eq. 8; Raffel et al. 2020), all layers share it.
struct T5Position {
  DistanceBuckets buckets;
  bool operator==(const T5Position&) const = default;
};

// TUPE (Eq. 9; Ke et al. 2021): positions have queries and keys of their own, beside the words', and there is T5's
// bias. All layers share all of it.
struct TupePosition {
  int64_t max_positions = 512;
  DistanceBuckets buckets;
  bool operator==(const TupePosition&) const = default;
};

// DeBERTa's disentangled attention (Eq. 10; He et al. 2021): rows by distance, which all layers share, go through each
// layer's projections of queries and keys and meet keys and queries.
struct DebertaPosition {
  int64_t clip = 128;
  bool operator==(const DebertaPosition&) const = default;
};

// Scores fall linearly with the distance, each head at a rate of its own (Press et al. 2022). Nothing is trained.
struct AlibiPosition {
  bool operator==(const AlibiPosition&) const = default;
};

// Scores fall by r1 · log(1 + r2 · distance), both trained, positive, of each head and layer (Chi et al. 2022).
struct KerplePosition {
  bool operator==(const KerplePosition&) const = default;
};

// Queries and keys are rotated (Eq. 13-16, 34); with `rotate_values` values too (config.json: rotary_value), and the
// sum is not turned back, as in the published models.
struct RotaryPosition {
  Rotary rotary = {};  // dim 0: `share` of the head size, see complete() of models/config.h
  double share = 1;    // partial rotary: the share of a head's elements that turn
  bool rotate_values = false;
  bool learned = false;           // the frequencies are trained, the same ones in all layers
  std::optional<XPos> xpos = {};  // queries and keys also shrink and grow with their position
  bool operator==(const RotaryPosition&) const = default;
};

using PositionEncoding =
    std::variant<NoPosition, SinusoidalPosition, LearnedPosition, ShawPosition, TransformerXlPosition, T5Position,
                 TupePosition, DebertaPosition, AlibiPosition, KerplePosition, RotaryPosition>;

// The names people write, e.g. "rotary", "t5": kinds of encodings and variants of them.
std::span<const std::string_view> position_names();
std::string_view position_name(const PositionEncoding& encoding);

// The encoding of that name with its default settings (rotary: dim 0, to be set from the head size). UsageError if
// unknown.
PositionEncoding parse_position(std::string_view name);

}  // namespace roformer
