// Names of enum values in config.json.
#pragma once

#include <array>
#include <string>
#include <utility>
#include <vector>

#include <fmt/ranges.h>

#include "backend/backend.h"
#include "base/json.h"

namespace roformer {

// The first name of an activation is written.
inline constexpr std::array<std::pair<const char*, Activation>, 9> kActivations{
    {{"gelu", Activation::gelu},
     {"relu", Activation::relu},
     {"tanh", Activation::tanh},
     {"gelu_new", Activation::gelu_tanh},
     {"gelu_pytorch_tanh", Activation::gelu_tanh},
     {"gelu_fast", Activation::gelu_tanh},
     {"silu", Activation::silu},
     {"swish", Activation::silu},
     {"linear", Activation::none}}};

// The first name of a value in the table.
template <class Table, class T>
const char* name_in(const Table& table, T value) {
  const auto found = std::ranges::find_if(table, [&](const auto& entry) { return entry.second == value; });
  return found->first;
}

// Parses a name of the table; DataError for others.
template <class Table>
auto parse_name(const JsonObject& json, const char* key, const Table& table, const char* fallback) {
  const std::string name = json.get_string(key, fallback);
  std::vector<std::string_view> names;
  for (const auto& [known, value] : table) {
    if (name == known) return value;
    names.emplace_back(known);
  }
  json.reject(key, fmt::format("one of {}", fmt::join(names, ", ")));
}

}  // namespace roformer
