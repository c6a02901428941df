// PositionEncoding: how a model knows the order of its tokens, as one value. The room position/ holds the mathematics
// of positions: pure functions and value types. It knows no tensor, no parameter and no attention kernel. An encoding
// acts in one of four places: added to the input (sinusoidal, learned), on queries and keys (rotary), on the scores (a
// bias by distance), or as relative keys and values. A consumer visits the variant and takes the alternatives of its
// own place. A class hierarchy with virtual hooks was rejected: each place needs other data, and a closed variant lets
// the compiler find every consumer that forgot one.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <variant>

#include "position/rotary.h"
#include "position/sinusoid.h"

namespace roformer {

// No encoding: a bidirectional model then sees a bag of tokens.
struct NoPosition {
  bool operator==(const NoPosition&) const = default;
};

// Input: sinusoid() is added to the token embedding.
struct SinusoidalPosition {
  SinusoidLayout layout = SinusoidLayout::halves;
  bool operator==(const SinusoidalPosition&) const = default;
};

// Input: a trained row a position is added; texts longer than the table are refused.
struct LearnedPosition {
  int64_t max_positions = 512;
  bool operator==(const LearnedPosition&) const = default;
};

// Queries and keys are rotated; with `rotate_values` values too (config.json: rotary_value), and the sum is not turned
// back, as in the published models.
struct RotaryPosition {
  Rotary rotary;
  bool rotate_values = false;
  bool operator==(const RotaryPosition&) const = default;
};

using PositionEncoding = std::variant<NoPosition, SinusoidalPosition, LearnedPosition, RotaryPosition>;

// The names people write, in the order of the variant: none, sinusoidal, learned, rotary.
std::span<const std::string_view> position_names();
std::string_view position_name(const PositionEncoding& encoding);

// The encoding of that name with its default settings (rotary: dim 0, to be set to the head size). UsageError if
// unknown.
PositionEncoding parse_position(std::string_view name);

}  // namespace roformer
