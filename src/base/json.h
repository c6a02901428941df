// JSON with checks: parsing that names the file, line and column, and getters that name the key, what was found and
// what was expected. It is not a JSON library: the values are nlohmann's, whose header takes a second to compile, so
// only files that build or take apart a value include it. Its own parser entry was rejected because it accepts
// duplicate keys and any depth.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace roformer {

using Json = nlohmann::json;

// Limits on what a hostile text may cost.
struct JsonLimits {
  int depth = 100;              // nested arrays and objects
  int64_t values = 20'000'000;  // all values together, about 100 bytes each at worst
};

// `source` (a file name, maybe with a line) starts every message; `path` is the file, if it is one. DataError for
// malformed text, invalid UTF-8, equal keys in one object, numbers beyond double, and beyond the limits.
Json parse_json(std::string_view text, const std::string& source, const JsonLimits& limits = {},
                std::string_view path = {});

// One line. Invalid UTF-8 becomes U+FFFD, so this never throws.
std::string dump_json(const Json& value);

// An untrusted value for a message: as dump_json, shortened to about 100 bytes.
std::string show_json(const Json& value);

// Untrusted text for a message: in double quotes, control characters escaped, shortened to about `max_bytes`.
std::string quote(std::string_view text, size_t max_bytes = 100);

// A JSON object and its source. In all getters a key that is absent or null gives `fallback`, or a DataError if
// there is none; a value of another type or out of [min, max] is a DataError.
class JsonObject {
 public:
  JsonObject(Json value, std::string source);  // DataError unless `value` is an object
  static JsonObject read(const std::string& path, int64_t max_bytes = 64 << 20);

  bool has(const std::string& key) const;  // present and not null
  // An integer may not be written as 1.0.
  int64_t get_int(const std::string& key, std::optional<int64_t> fallback,
                  int64_t min = std::numeric_limits<int64_t>::min(),
                  int64_t max = std::numeric_limits<int64_t>::max()) const;
  double get_double(const std::string& key, std::optional<double> fallback,
                    double min = std::numeric_limits<double>::lowest(),
                    double max = std::numeric_limits<double>::max()) const;
  bool get_bool(const std::string& key, std::optional<bool> fallback) const;
  std::string get_string(const std::string& key, std::optional<std::string> fallback) const;
  std::vector<std::string> get_strings(const std::string& key, std::optional<std::vector<std::string>> fallback) const;
  JsonObject get_object(const std::string& key) const;  // an empty object if absent

  // For a check of the caller's own: DataError "SOURCE: 'key' is VALUE, expected EXPECTED".
  [[noreturn]] void reject(const std::string& key, const std::string& expected) const;

  const Json& value() const { return *value_; }
  const std::string& source() const { return source_; }

 private:
  const Json* find(const std::string& key, bool required, const char* expected) const;

  std::shared_ptr<const Json> value_;
  std::string source_, path_;
};

}  // namespace roformer
