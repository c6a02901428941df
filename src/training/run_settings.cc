#include "training/run_settings.h"

#include <fmt/ranges.h>

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "base/hash.h"

namespace roformer {

namespace {

void find_differences(const Json& before, const Json& now, std::vector<std::string>& differences) {
  for (const auto& [key, value] : now.items()) {
    const Json old = before.is_object() && before.contains(key) ? before[key] : Json();
    if (old == value) continue;
    if (old.is_object() && value.is_object()) {
      find_differences(old, value, differences);
    } else {
      differences.push_back(fmt::format("{} was {}, now {}", key, show_json(old), show_json(value)));
    }
  }
}

}  // namespace

std::vector<std::string> setting_differences(const Json& started, const Json& now) {
  Json before = started;
  // Runs from before this setting existed.
  if (before.is_object() && !before.contains("dtype")) before["dtype"] = "float32";
  std::vector<std::string> differences;
  find_differences(before, now, differences);
  return differences;
}

Json run_settings(const SettingValues& values, const Json& resolved) {
  Json settings = resolved;
  for (const SettingValues::Entry& entry : values.entries()) {
    if (entry.unused || entry.effect == Effect::none) continue;
    const std::string key = hyphenated(entry.name);
    if (entry.effect == Effect::result) settings[key] = to_json(entry.value);
    if (!settings.contains(key)) throw std::logic_error("a run does not resolve its setting " + key);
  }
  return settings;
}

std::string other_settings(const std::string& directory, const std::vector<std::string>& differences) {
  return fmt::format("{}: this run was started with other settings: {}", directory, fmt::join(differences, "; "));
}

std::string hash_files(const std::map<std::string, std::string>& files) {
  std::string all;
  for (const auto& [name, content] : files) {
    if (name != "tokenizer.json" || !files.contains("vocab.txt")) all.append(name).append("\n").append(content);
  }
  return hash_hex(all);
}

}  // namespace roformer
