#include "training/run_settings.h"

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "base/hash.h"

namespace roformer {

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

std::string hash_files(const std::map<std::string, std::string>& files) {
  std::string all;
  for (const auto& [name, content] : files) {
    if (name != "tokenizer.json" || !files.contains("vocab.txt")) all.append(name).append("\n").append(content);
  }
  return hash_hex(all);
}

}  // namespace roformer
