#include "cli/config_file.h"

#include <fmt/format.h>
#include <toml++/impl/preprocessor.h>

#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"

// toml++ 3.3 asserts what a file can break ("[<"): an abort in a debug build, undefined behaviour under clang in
// others. The checks behind its assertions are right.
#undef TOML_ASSERT
#undef TOML_ASSERT_ASSUME
#define TOML_ASSERT(expression) static_assert(true)
#define TOML_ASSERT_ASSUME(expression) static_assert(true)
#include <toml++/toml.h>

namespace roformer {
namespace {

constexpr int64_t kMaxConfigBytes = 1 << 20;

std::string to_text(const toml::node& node, const std::string& place) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* integer = node.as_integer()) return std::to_string(integer->get());
  if (const auto* real = node.as_floating_point()) return fmt::format("{}", real->get());
  if (const auto* flag = node.as_boolean()) return flag->get() ? "true" : "false";
  throw DataError("{}: expected a text, number, true or false, or an array of these", place);
}

}  // namespace

std::vector<ConfigEntry> read_config_file(const std::string& path) {
  const std::string content = read_file(path, kMaxConfigBytes);
  toml::table table;
  try {
    table = toml::parse(content, path);
  } catch (const toml::parse_error& error) {
    throw DataError("{}:{}: {}", path, error.source().begin.line, error.description());
  }
  std::vector<ConfigEntry> entries;
  for (const auto& [key, node] : table) {
    ConfigEntry entry{.key = std::string(key.str()), .values = {}, .place = {}};
    entry.place = fmt::format("{}:{}: {}", path, key.source().begin.line, quote(entry.key));
    if (const auto* array = node.as_array()) {
      for (const toml::node& element : *array) entry.values.push_back(to_text(element, entry.place));
    } else {
      entry.values.push_back(to_text(node, entry.place));
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::string toml_string(std::string_view text) {
  std::string result;
  try {
    result = Json(text).dump();  // every escape of JSON is one of TOML
  } catch (const Json::exception&) {
    throw UsageError("{} is not UTF-8 and cannot be written as TOML", quote(text));
  }
  for (size_t at; (at = result.find('\x7f')) != std::string::npos;) result.replace(at, 1, "\\u007f");
  return result;
}

}  // namespace roformer
