#include "base/setting.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "base/json.h"

namespace roformer {

std::string IntegerRange::expected() const {
  constexpr IntegerRange kAll;
  if (low == kAll.low && high == kAll.high) return "an integer";
  if (high == kAll.high) return fmt::format("an integer of at least {}", low);
  if (low == kAll.low) return fmt::format("an integer of at most {}", high);
  return fmt::format("an integer from {} to {}", low, high);
}

bool RealRange::contains(double value) const {
  return std::isfinite(value) && (low_excluded ? value > low : value >= low) &&
         (high_excluded ? value < high : value <= high);
}

std::string RealRange::expected() const {
  constexpr RealRange kAll;
  std::string text = "a number";
  if (low > kAll.low) text += fmt::format(" {} {}", low_excluded ? "above" : "of at least", low);
  if (low > kAll.low && high < kAll.high) text += " and";
  if (high < kAll.high) text += fmt::format(" {} {}", high_excluded ? "below" : "at most", high);
  return text;
}

std::string hyphenated(std::string_view name) {
  std::string result(name);
  std::ranges::replace(result, '_', '-');
  return result;
}

nlohmann::json to_json(const SettingValue& value) {
  const auto convert = [](const auto& held) -> nlohmann::json {
    if constexpr (std::is_same_v<decltype(held), const std::monostate&>) {
      return nullptr;
    } else {
      return held;
    }
  };
  return std::visit(convert, value);
}

void SettingValues::add(const Setting& setting, SettingValue value) {
  entries_.push_back({std::string(setting.name), setting.effect, setting.unused, std::move(value)});
}

void SettingRanges::integer(const std::optional<int64_t>& field, const Setting& setting,
                            const IntegerRange& range) const {
  if (!field || range.contains(*field)) return;
  throw UsageError("{}: expected {}, got {}", FieldName(setting.name), range.expected(), *field);
}

void SettingRanges::real(const std::optional<double>& field, const Setting& setting, const RealRange& range) const {
  if (!field || range.contains(*field)) return;
  throw UsageError("{}: expected {}, got {}", FieldName(setting.name), range.expected(), *field);
}

void SettingRanges::choice(const std::string& field, const Setting& setting,
                           const std::vector<std::string>& choices) const {
  if (std::ranges::find(choices, field) != choices.end()) return;
  throw UsageError("{}: expected {}, got {}", FieldName(setting.name), fmt::join(choices, ", "), quote(field));
}

void SettingRanges::words(const std::vector<std::string>& field, const Setting& setting,
                          const std::vector<std::string>& choices) const {
  for (const std::string& word : field) choice(word, setting, choices);
}

void check_unused(const SettingValues& values, const SettingValues& defaults) {
  for (size_t i = 0; i < values.entries().size(); ++i) {
    const auto& [name, effect, unused, value] = values.entries()[i];
    if (!unused || value == defaults.entries()[i].value) continue;
    throw UsageError("{}: {} {}", FieldName(name), FieldName(unused->setting), unused->because);
  }
}

}  // namespace roformer
