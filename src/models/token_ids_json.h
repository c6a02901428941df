// Token ids in config.json and generation_config.json: one, or a list of them.
#pragma once

#include <cstdint>
#include <vector>

#include "base/json.h"

namespace roformer {

// One id, a list of them (Llama 3's ends of texts and turns), or null; none if absent. DataError naming the key for
// anything else.
std::vector<int64_t> read_token_ids(const JsonObject& json, const char* key);

// A single id by itself, several as a list; nothing for none.
void write_token_ids(const std::vector<int64_t>& ids, const char* key, Json& json);

}  // namespace roformer
