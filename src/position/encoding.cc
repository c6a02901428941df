#include "position/encoding.h"

#include <array>

#include <fmt/ranges.h>

#include "base/error.h"

namespace roformer {
namespace {

constexpr std::array<std::string_view, 20> kNames = {"none",
                                                     "sinusoidal",
                                                     "sinusoidal-interleaved",
                                                     "sinusoidal-tensor2tensor",
                                                     "learned",
                                                     "learned-hierarchical",
                                                     "shaw",
                                                     "nezha",
                                                     "transformer-xl",
                                                     "t5",
                                                     "tupe",
                                                     "deberta",
                                                     "alibi",
                                                     "kerple",
                                                     "rotary",
                                                     "rotary-learned",
                                                     "rotary-partial",
                                                     "p-rope",
                                                     "xpos",
                                                     "rotary-axial"};

struct Named {
  std::string_view operator()(const NoPosition&) const { return "none"; }
  std::string_view operator()(const SinusoidalPosition& sinusoidal) const {
    switch (sinusoidal.layout) {
      case SinusoidLayout::halves: return "sinusoidal";
      case SinusoidLayout::interleaved: return "sinusoidal-interleaved";
      case SinusoidLayout::tensor2tensor: return "sinusoidal-tensor2tensor";
    }
    return "";
  }
  std::string_view operator()(const LearnedPosition& learned) const {
    return learned.hierarchical ? "learned-hierarchical" : "learned";
  }
  std::string_view operator()(const ShawPosition& shaw) const { return shaw.sinusoidal ? "nezha" : "shaw"; }
  std::string_view operator()(const TransformerXlPosition&) const { return "transformer-xl"; }
  std::string_view operator()(const T5Position&) const { return "t5"; }
  std::string_view operator()(const TupePosition&) const { return "tupe"; }
  std::string_view operator()(const DebertaPosition&) const { return "deberta"; }
  std::string_view operator()(const AlibiPosition&) const { return "alibi"; }
  std::string_view operator()(const KerplePosition&) const { return "kerple"; }
  std::string_view operator()(const RotaryPosition& position) const {
    if (position.learned) return "rotary-learned";
    if (position.xpos) return "xpos";
    if (position.rotary.grid_width > 0) return "rotary-axial";
    if (position.rotary.proportion < 1) return "p-rope";
    return position.share < 1 ? "rotary-partial" : "rotary";
  }
};

}  // namespace

std::span<const std::string_view> position_names() { return kNames; }

std::string_view position_name(const PositionEncoding& encoding) { return std::visit(Named(), encoding); }

PositionEncoding parse_position(std::string_view name) {
  const std::array<PositionEncoding, kNames.size()> encodings{
      NoPosition{},
      SinusoidalPosition{},
      SinusoidalPosition{.layout = SinusoidLayout::interleaved},
      SinusoidalPosition{.layout = SinusoidLayout::tensor2tensor},
      LearnedPosition{},
      LearnedPosition{.hierarchical = true},
      ShawPosition{},
      ShawPosition{.clip = 64, .sinusoidal = true},
      TransformerXlPosition{},
      T5Position{},
      TupePosition{},
      DebertaPosition{},
      AlibiPosition{},
      KerplePosition{},
      RotaryPosition{},
      RotaryPosition{.learned = true},
      RotaryPosition{.share = 0.5},
      RotaryPosition{.rotary = {.proportion = 0.75}},
      RotaryPosition{.xpos = XPos{}},
      RotaryPosition{.rotary = {.grid_width = 16}}};
  for (const PositionEncoding& encoding : encodings) {
    if (name == position_name(encoding)) return encoding;
  }
  throw UsageError("{} is '{}'; expected {}", FieldName("position"), name, fmt::join(kNames, ", "));
}

}  // namespace roformer
