#include "lab/grid_variant.h"

#include <algorithm>
#include <set>

#include <fmt/ranges.h>

#include "base/error.h"

namespace roformer {

namespace {

constexpr std::string_view kBefore = "-before", kSoftmax = "softmax";

void check_words(const char* option, const std::vector<std::string>& words) {
  std::set<std::string> seen;
  for (const std::string& word : words) {
    if (!seen.insert(word).second) throw UsageError("{} has {} twice", FieldName(option), word);
  }
}

bool only_softmax(const std::vector<std::string>& attentions) {
  return std::ranges::all_of(attentions, [](const std::string& word) { return word == kSoftmax; });
}

std::string without_before(const std::string& attention) {
  return attention.ends_with(kBefore) ? attention.substr(0, attention.size() - kBefore.size()) : attention;
}

// Where the rotation is has no meaning without one.
bool same_as_other(const std::string& position, const std::string& attention,
                   const std::vector<std::string>& attentions) {
  const std::string kind = without_before(attention);
  return kind != attention && !std::holds_alternative<RotaryPosition>(parse_position(position)) &&
         std::ranges::find(attentions, kind) != attentions.end();
}

}  // namespace

std::vector<std::string> compared_attentions() {
  std::vector<std::string> words = attention_names();
  for (const std::string& name : attention_names()) {
    if (name != kSoftmax) words.push_back(name + std::string(kBefore));
  }
  return words;
}

GridVariant GridVariant::parse(const std::string& name) {
  const size_t plus = name.find('+');
  GridVariant variant{name.substr(0, plus), plus == std::string::npos ? "" : name.substr(plus + 1)};
  parse_position(variant.position);  // throws an error that lists them
  if (plus == std::string::npos) return variant;
  const std::vector<std::string> words = compared_attentions();
  if (std::ranges::find(words, variant.attention) == words.end()) {
    throw UsageError("{} is '{}'; expected {}", FieldName("attention"), variant.attention, fmt::join(words, ", "));
  }
  return variant;
}

void GridVariant::apply(ShapeOptions& shape) const {
  shape.position = position;
  shape.position_options.restrict_to(parse_position(position));
  if (attention.empty()) return;
  const std::string kind = without_before(attention);
  shape.attention = {kind};
  if (kind == kSoftmax) shape.attention_rotation.reset();
  if (kind != attention) shape.attention_rotation = "before";
  if (kind == attention_name(AttentionKind::linear_favor)) return;
  shape.favor_features.reset();
  shape.favor_redraw.reset();
}

std::vector<std::string> grid_variants(const std::vector<std::string>& positions,
                                       const std::vector<std::string>& attentions) {
  check_words("positions", positions);
  check_words("attention", attentions);
  std::vector<std::string> names;
  for (const std::string& position : positions) {
    if (only_softmax(attentions)) {
      names.push_back(GridVariant::parse(position).name());
      continue;
    }
    for (const std::string& attention : attentions) {
      if (same_as_other(position, attention, attentions)) continue;
      names.push_back(fmt::format("{}+{}", position, attention));
      GridVariant::parse(names.back());
      if (attention != kSoftmax && acts_on_scores(parse_position(position))) {
        throw UsageError("{} {} acts on scores, which {} {} does not have", FieldName("positions"), position,
                         FieldName("attention"), attention);
      }
    }
  }
  return names;
}

}  // namespace roformer
