#include "models/token_ids_json.h"

#include <nlohmann/json.hpp>

namespace roformer {

std::vector<int64_t> read_token_ids(const JsonObject& json, const char* key) {
  std::vector<int64_t> ids;
  if (!json.has(key)) return ids;
  const Json& value = json.value()[key];
  for (const Json& id : value.is_array() ? value : Json::array({value})) {
    if (!id.is_number_integer()) json.reject(key, "a token id, or a list of them");
    ids.push_back(id.get<int64_t>());
  }
  return ids;
}

void write_token_ids(const std::vector<int64_t>& ids, const char* key, Json& json) {
  if (ids.size() == 1) {
    json[key] = ids.front();
  } else if (!ids.empty()) {
    json[key] = ids;
  }
}

}  // namespace roformer
