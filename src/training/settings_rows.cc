#include "training/settings_rows.h"

#include <nlohmann/json.hpp>

namespace roformer {
namespace {

void append_rows(const std::string& prefix, const Json& settings,
                 std::vector<std::pair<std::string, std::string>>& rows) {
  for (const auto& [key, value] : settings.items()) {
    if (value.is_null()) continue;  // not given
    if (value.is_object()) {
      append_rows(prefix + key + ".", value, rows);
    } else {
      rows.emplace_back(prefix + key, value.is_string() ? value.get<std::string>() : dump_json(value));
    }
  }
}

}  // namespace

std::vector<std::pair<std::string, std::string>> settings_rows(const Json& settings) {
  std::vector<std::pair<std::string, std::string>> rows;
  if (settings.is_object()) append_rows("", settings, rows);
  return rows;
}

}  // namespace roformer
