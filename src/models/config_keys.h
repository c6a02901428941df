// The keys of a family's config.json, each declared once with its field and default. The same list serves reading,
// writing and the detection of unknown keys.
#pragma once

#include <functional>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/json.h"
#include "models/json_names.h"

namespace roformer {

class ConfigKeys {
 public:
  static ConfigKeys reading(const JsonObject& from) { return {&from, nullptr, nullptr}; }
  static ConfigKeys writing(Json& to) { return {nullptr, &to, nullptr}; }
  // For known(): whether `key` is in the list, which may depend on `file`.
  static ConfigKeys asking(const JsonObject& file, std::string_view key) { return {&file, nullptr, &key}; }

  // unlike_default: written only if it differs from the value without the key.
  enum class Writes { always, unlike_default };

  // When reading, an absent or null value becomes `fallback`, or a DataError naming file and key if there is none.
  void integer(const char* key, int64_t& field, std::optional<int64_t> fallback, Writes writes = Writes::always) {
    value(key, field, fallback, writes, [&] { return from_->get_int(key, fallback); });
  }
  void real(const char* key, double& field, std::optional<double> fallback, Writes writes = Writes::always) {
    value(key, field, fallback, writes, [&] { return from_->get_double(key, fallback); });
  }
  void flag(const char* key, bool& field, bool fallback, Writes writes = Writes::always) {
    value(key, field, std::optional<bool>(fallback), writes, [&] { return from_->get_bool(key, fallback); });
  }
  // A name in `table` (json_names.h).
  template <class Table, class T>
  void word(const char* key, T& field, const Table& table, const char* fallback) {
    if (knows(key)) return;
    if (from_ != nullptr) field = parse_name(*from_, key, table, fallback);
    if (to_ != nullptr) (*to_)[key] = name_in(table, field);
  }

  // Keys that do not map to a single field. Either function may be empty.
  void others(std::span<const std::string_view> keys, const std::function<void(const JsonObject&)>& read,
              const std::function<void(Json&)>& write) {
    for (const std::string_view key : keys) knows(key);
    if (asked_) return;
    if (from_ != nullptr && read) read(*from_);
    if (to_ != nullptr && write) write(*to_);
  }
  void others(std::initializer_list<std::string_view> keys, const std::function<void(const JsonObject&)>& read,
              const std::function<void(Json&)>& write) {
    others(std::span(keys.begin(), keys.size()), read, write);
  }
  // Keys that do not affect results.
  void ignored(std::initializer_list<std::string_view> keys) { others(keys, {}, {}); }

  bool known() const { return known_; }             // result of asking()
  const JsonObject* file() const { return from_; }  // being read or asked about; null when writing

 private:
  ConfigKeys(const JsonObject* from, Json* to, const std::string_view* asked)
      : from_(from), to_(to), asked_(asked == nullptr ? std::nullopt : std::optional(*asked)) {}

  bool knows(std::string_view key) {
    known_ = known_ || asked_ == key;
    return asked_.has_value();
  }

  template <class T, class Read>
  void value(const char* key, T& field, const std::optional<T>& fallback, Writes writes, const Read& read) {
    if (knows(key)) return;
    if (from_ != nullptr) field = read();
    if (to_ != nullptr && (writes == Writes::always || field != fallback)) (*to_)[key] = field;
  }

  const JsonObject* from_;
  Json* to_;
  std::optional<std::string_view> asked_;
  bool known_ = false;
};

}  // namespace roformer
