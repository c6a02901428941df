// PositionEncoding: a model's position encoding as a value. position/ has the mathematics of positions as pure
// functions and value types, without tensors, parameters or kernels. An encoding acts at one of four points: added to
// the input (sinusoidal, learned), on queries and keys (rotary, TUPE), on the scores (a bias by distance), or as
// relative keys and values. Consumers visit the variant and handle the alternatives of their point. A class hierarchy
// with virtual hooks was rejected: each point needs different data, and with a closed variant the compiler finds every
// consumer that misses an alternative.
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

// No encoding: a bidirectional model sees a bag of tokens.
struct NoPosition {
  bool operator==(const NoPosition&) const = default;
};

// Input: scale · sinusoid() is added to the token embedding (Eq. 4).
struct SinusoidalPosition {
  SinusoidLayout layout = SinusoidLayout::halves;
  double scale = 1;
  bool operator==(const SinusoidalPosition&) const = default;
};

// Input: a trained row per position is added; longer texts are a DataError, unless the table is extended hierarchically
// to max_positions² (position/hierarchical.h).
struct LearnedPosition {
  int64_t max_positions = 512;
  bool hierarchical = false;
  bool operator==(const LearnedPosition&) const = default;
};

// Relative keys and values (Eq. 5; Shaw et al. 2018): trained rows by distance, per layer, or sinusoids (NEZHA; Wei et
// al. 2019). Heads share them.
struct ShawPosition {
  int64_t clip = 16;  // larger distances count as this one
  bool sinusoidal = false;
  bool operator==(const ShawPosition&) const = default;
};

// Transformer-XL (Eq. 7; Dai et al. 2019): queries attend to sinusoids of the distance, projected per layer; u and v
// replace the position of the query and are shared by all layers.
struct TransformerXlPosition {
  bool operator==(const TransformerXlPosition&) const = default;
};

// A trained bias per head and bucket of distances (Eq. 8; Raffel et al. 2020), shared by all layers.
struct T5Position {
  DistanceBuckets buckets;
  bool operator==(const T5Position&) const = default;
};

// TUPE (Eq. 9; Ke et al. 2021): separate queries and keys for positions, plus T5's bias. Shared by all layers.
struct TupePosition {
  int64_t max_positions = 512;
  DistanceBuckets buckets;
  bool operator==(const TupePosition&) const = default;
};

// DeBERTa's disentangled attention (Eq. 10; He et al. 2021): rows by distance, shared by all layers, are projected by
// each layer's query and key projections and scored against its keys and queries.
struct DebertaPosition {
  int64_t clip = 128;
  bool operator==(const DebertaPosition&) const = default;
};

// Scores decrease linearly with the distance, at a fixed rate per head (Press et al. 2022). Nothing is trained.
struct AlibiPosition {
  bool operator==(const AlibiPosition&) const = default;
};

// Scores decrease by r1 · log(1 + r2 · distance), r1 and r2 > 0 trained per head and layer (Chi et al. 2022).
struct KerplePosition {
  bool operator==(const KerplePosition&) const = default;
};

// Queries and keys are rotated (Eq. 13-16, 34); with `rotate_values` also values (config.json: rotary_value), whose sum
// is not rotated back, as in the published models.
struct RotaryPosition {
  Rotary rotary = {};  // dim 0: `share` of the head size, see complete() of models/config.h
  double share = 1;    // partial rotary: the rotated share of a head's elements
  bool rotate_values = false;
  bool learned = false;           // trained frequencies, shared by all layers
  std::optional<XPos> xpos = {};  // queries and keys are also scaled by position
  bool operator==(const RotaryPosition&) const = default;
};

using PositionEncoding =
    std::variant<NoPosition, SinusoidalPosition, LearnedPosition, ShawPosition, TransformerXlPosition, T5Position,
                 TupePosition, DebertaPosition, AlibiPosition, KerplePosition, RotaryPosition>;

// Names of encodings and their variants, e.g. "rotary", "t5".
std::span<const std::string_view> position_names();
std::string_view position_name(const PositionEncoding& encoding);

// The encoding of that name with its default settings (rotary: dim 0, to be set from the head size). UsageError if
// unknown.
PositionEncoding parse_position(std::string_view name);

}  // namespace roformer
