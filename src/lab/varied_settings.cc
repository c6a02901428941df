#include "lab/varied_settings.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/setting_text.h"

namespace roformer {

namespace {

constexpr std::string_view kLabel = "name";

bool is_word_byte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x80 || std::isalnum(byte) != 0;
}

bool is_name_byte(char c) { return is_word_byte(c) || std::string_view(" ._+-=").find(c) != std::string_view::npos; }

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(separator, begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

// The two sides of the first equals sign, neither empty.
VariedSetting parse_assignment(const std::string& text, const char* option, const char* expected) {
  const size_t equals = text.find('=');
  VariedSetting setting{hyphenated(text.substr(0, equals)), equals == std::string::npos ? "" : text.substr(equals + 1)};
  if (setting.name.empty() || setting.value.empty()) {
    throw UsageError("{}: expected {}, got {}", FieldName(option), expected, quote(text));
  }
  if (setting.name == "seed") {
    throw UsageError("{}: the seeds are those of {}", FieldName(option), FieldName("seeds"));
  }
  if (setting.name == "output") {
    throw UsageError("{}: each training has a directory of its own in {}", FieldName(option), FieldName("output"));
  }
  return setting;
}

// "learning-rate=1e-3"; of a path the last component.
std::string shown(const VariedSetting& setting) {
  std::string value = setting.value.substr(setting.value.find_last_of('/') + 1);
  for (char& c : value) {
    if (!is_name_byte(c)) c = '+';
  }
  return setting.name + "=" + value;
}

std::string joined_name(const std::vector<VariedSetting>& settings) {
  std::string name;
  for (const VariedSetting& setting : settings) name += (name.empty() ? "" : " ") + shown(setting);
  return name;
}

bool has(const std::vector<VariedSetting>& settings, const std::string& name) {
  return std::ranges::any_of(settings, [&](const VariedSetting& setting) { return setting.name == name; });
}

}  // namespace

std::vector<VariedSetting> parse_sweep(const std::string& text) {
  const auto [name, values] = parse_assignment(text, "vary", "NAME=VALUE,VALUE,...");
  std::vector<VariedSetting> sweep;
  for (const std::string& value : split(values, ',')) {
    const auto same = [&](const VariedSetting& setting) { return setting.value == value; };
    if (value.empty()) throw UsageError("{}: {} has an empty value", FieldName("vary"), quote(text));
    if (std::ranges::any_of(sweep, same)) throw UsageError("{}: {} has {} twice", FieldName("vary"), name, value);
    sweep.push_back({name, value});
  }
  return sweep;
}

std::vector<VariedSettings> sweep_product(const std::vector<std::string>& sweeps) {
  std::vector<VariedSettings> rows(1);
  for (const std::string& text : sweeps) {
    const std::vector<VariedSetting> sweep = parse_sweep(text);
    if (has(rows[0].settings, sweep[0].name)) {
      throw UsageError("{} has {} twice", FieldName("vary"), sweep[0].name);
    }
    std::vector<VariedSettings> longer;
    for (const VariedSettings& row : rows) {
      for (const VariedSetting& setting : sweep) {
        longer.push_back(row);
        longer.back().settings.push_back(setting);
      }
    }
    rows = std::move(longer);
  }
  for (VariedSettings& row : rows) row.name = joined_name(row.settings);
  return rows;
}

VariedSettings parse_variant(const std::string& text) {
  VariedSettings variant;
  for (const std::string& part : split(text, ' ')) {
    if (part.empty()) continue;
    const VariedSetting setting = parse_assignment(part, "variant", "name=NAME SETTING=VALUE ...");
    if (setting.name == kLabel && variant.name.empty()) {
      variant.name = setting.value;
      continue;
    }
    if (setting.name == kLabel || has(variant.settings, setting.name)) {
      throw UsageError("{}: {} has {} twice", FieldName("variant"), quote(text), setting.name);
    }
    variant.settings.push_back(setting);
  }
  if (variant.name.empty() && variant.settings.empty()) {
    throw UsageError("{}: expected name=NAME SETTING=VALUE ..., got {}", FieldName("variant"), quote(text));
  }
  if (variant.name.empty()) variant.name = joined_name(variant.settings);
  if (!is_variant_name(variant.name)) {
    throw UsageError("{}: the name {} contains characters other than letters, digits and . _ + - =",
                     FieldName("variant"), quote(variant.name));
  }
  return variant;
}

void apply_settings(const std::vector<VariedSetting>& settings, PretrainOptions& options) {
  for (const VariedSetting& setting : settings) set_setting(options, setting.name, setting.value);
}

Json settings_json(const std::vector<VariedSetting>& settings, const PretrainOptions& options) {
  Json json = Json::object();
  const SettingValues values = setting_values(options);
  for (const SettingValues::Entry& entry : values.entries()) {
    const std::string name = hyphenated(entry.name);
    if (has(settings, name)) json[name] = to_json(entry.value);
  }
  return json;
}

bool is_variant_name(const std::string& name) {
  constexpr size_t kMaxNameBytes = 200;  // a file system's name has 255 bytes at most
  return !name.empty() && name.size() <= kMaxNameBytes && is_word_byte(name[0]) &&
         std::ranges::all_of(name, is_name_byte);
}

std::string variant_file_name(const std::string& name) {
  std::string result = name;
  std::ranges::replace(result, ' ', '+');
  std::ranges::replace(result, '=', '-');
  return result;
}

}  // namespace roformer
