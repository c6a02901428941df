#include "position/position_options.h"

#include <fmt/ranges.h>

#include "base/error.h"

namespace roformer {
namespace {

template <class Owner, class T>
T* member(Owner* owner, T Owner::*field) {
  return owner == nullptr ? nullptr : &(owner->*field);
}

// Calls visit(name, option, the field of `encoding` that it sets; null if the encoding does not have it).
template <class Options, class Visit>
void visit_options(Options& options, PositionEncoding& encoding, const Visit& visit) {
  auto* position = std::get_if<RotaryPosition>(&encoding);
  Rotary* rotary = member(position, &RotaryPosition::rotary);
  // Which pairs do not turn is learned, too.
  Rotary* fixed = position != nullptr && position->learned ? nullptr : rotary;
  Rotary* grid = rotary != nullptr && rotary->grid_width > 0 ? rotary : nullptr;
  XPos* xpos = position != nullptr && position->xpos ? &*position->xpos : nullptr;
  visit("rotary_base", options.rotary_base, member(rotary, &Rotary::base));
  visit("rotary_fraction", options.rotary_fraction, member(position, &RotaryPosition::share));
  visit("rotary_proportion", options.rotary_proportion, member(fixed, &Rotary::proportion));
  visit("rotary_grid_width", options.rotary_grid_width, member(grid, &Rotary::grid_width));
  visit("xpos_scale_base", options.xpos_scale_base, member(xpos, &XPos::scale_base));
  visit("sinusoidal_scale", options.sinusoidal_scale,
        member(std::get_if<SinusoidalPosition>(&encoding), &SinusoidalPosition::scale));

  auto* shaw = std::get_if<ShawPosition>(&encoding);
  auto* deberta = std::get_if<DebertaPosition>(&encoding);
  visit("relative_clip", options.relative_clip,
        shaw != nullptr ? &shaw->clip : member(deberta, &DebertaPosition::clip));
  auto* t5 = std::get_if<T5Position>(&encoding);
  auto* tupe = std::get_if<TupePosition>(&encoding);
  DistanceBuckets* buckets = t5 != nullptr ? &t5->buckets : member(tupe, &TupePosition::buckets);
  visit("relative_buckets", options.relative_buckets, member(buckets, &DistanceBuckets::count));
  visit("relative_max_distance", options.relative_max_distance, member(buckets, &DistanceBuckets::max_distance));
  auto* learned = std::get_if<LearnedPosition>(&encoding);
  visit("max_positions", options.max_positions,
        learned != nullptr ? &learned->max_positions : member(tupe, &TupePosition::max_positions));
}

}  // namespace

std::vector<std::string_view> PositionOptions::given() const {
  std::vector<std::string_view> names;
  PositionEncoding none = NoPosition{};
  visit_options(*this, none, [&](std::string_view name, const auto& option, const auto*) {
    if (option) names.push_back(name);
  });
  return names;
}

void PositionOptions::apply(PositionEncoding& encoding) const {
  visit_options(*this, encoding, [&](std::string_view name, const auto& option, auto* field) {
    if (!option) return;
    if (field == nullptr) {
      throw UsageError("{}: {} {} has no such parameter; expected one of {}", FieldName(name), FieldName("position"),
                       position_name(encoding), fmt::join(encodings_with(name), ", "));
    }
    *field = *option;
  });
  if (rotary_fraction) std::get<RotaryPosition>(encoding).rotary.dim = 0;
}

void PositionOptions::restrict_to(PositionEncoding encoding) {
  visit_options(*this, encoding, [](std::string_view, auto& option, const auto* field) {
    if (field == nullptr) option.reset();
  });
}

std::vector<std::string_view> encodings_with(std::string_view name) {
  std::vector<std::string_view> result;
  const PositionOptions options;
  for (const std::string_view position : position_names()) {
    PositionEncoding encoding = parse_position(position);
    visit_options(options, encoding, [&](std::string_view visited, const auto&, const auto* field) {
      if (visited == name && field != nullptr) result.push_back(position);
    });
  }
  return result;
}

}  // namespace roformer
