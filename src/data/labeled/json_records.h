// The values of a JSON file: one a line, objects one after another however they are laid out, or the elements of one
// list.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace roformer {

struct JsonRecord {
  Json value;
  int64_t line;  // where it begins, from 1
};

// DataError naming `path`, line and column for malformed text and for more than kMostRecords values.
std::vector<JsonRecord> parse_json_records(std::string_view text, const std::string& path);

constexpr size_t kMostRecords = 10'000'000;

}  // namespace roformer
