#include "position/encoding.h"

#include <array>

#include "base/error.h"

namespace roformer {
namespace {

constexpr std::array<std::string_view, std::variant_size_v<PositionEncoding>> kNames = {"none", "sinusoidal", "learned",
                                                                                        "rotary"};

}  // namespace

std::span<const std::string_view> position_names() { return kNames; }

std::string_view position_name(const PositionEncoding& encoding) { return kNames[encoding.index()]; }

PositionEncoding parse_position(std::string_view name) {
  for (const PositionEncoding& encoding : {PositionEncoding(NoPosition{}), PositionEncoding(SinusoidalPosition{}),
                                           PositionEncoding(LearnedPosition{}), PositionEncoding(RotaryPosition{})}) {
    if (name == position_name(encoding)) return encoding;
  }
  throw UsageError("position encoding is '{}'; expected none, sinusoidal, learned or rotary", name);
}

}  // namespace roformer
