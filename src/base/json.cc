#include "base/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/utf8.h"

namespace roformer {

namespace {

// Walks the text and records the parser's position, which SAX handlers are not told.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, const char** reached) : at_(at), reached_(reached) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    *reached_ = ++at_;
    return *this;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
  bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  const char** reached_;
};

// nlohmann's message without its prefixes and without the last token, which the position shows and which may be
// anything.
std::string reason_of(std::string what) {
  if (const size_t id = what.find("] "); id != std::string::npos) what.erase(0, id + 2);
  if (const size_t column = what.find(", column "); column != std::string::npos) {
    if (const size_t colon = what.find(": ", column); colon != std::string::npos) what.erase(0, colon + 2);
  }
  if (const size_t begin = what.find("; last read: '"); begin != std::string::npos) {
    const size_t end = what.rfind("'; expected");
    what = what.substr(0, begin) + (end != std::string::npos && end > begin ? what.substr(end + 1) : "");
  }
  const std::string escaped = quote(what, 200);
  return escaped.substr(1, escaped.size() - 2);
}

// Builds the value event by event; nlohmann's event parser keeps its own stack on the heap, so depth costs no call
// stack.
class Builder : public nlohmann::json_sax<Json> {
 public:
  Builder(std::string_view text, const std::string& source, std::string_view path, const JsonLimits& limits,
          const char* const& reached)
      : text_(text), source_(source), path_(path), limits_(limits), reached_(reached) {}

  bool null() override { return put(nullptr), true; }
  bool boolean(bool value) override { return put(value), true; }
  bool number_integer(number_integer_t value) override { return put(value), true; }
  bool number_unsigned(number_unsigned_t value) override { return put(value), true; }
  bool number_float(number_float_t value, const string_t&) override { return put(value), true; }
  bool string(string_t& value) override { return put(std::move(value)), true; }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(Json::object()), true; }
  bool start_array(std::size_t) override { return open(Json::array()), true; }
  bool end_object() override { return stack_.pop_back(), true; }
  bool end_array() override { return stack_.pop_back(), true; }
  bool key(string_t& name) override {
    auto [entry, fresh] = stack_.back()->get_ref<Json::object_t&>().try_emplace(std::move(name));
    if (!fresh) fail(offset(), fmt::format("the key {} appears twice", quote(entry->first)));
    member_ = &entry->second;
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& error) override {
    fail(position == 0 ? offset() : position, reason_of(error.what()));
  }

  // The parser treats a NUL byte as the end of the text.
  void refuse_zero_bytes() const {
    const size_t zero = text_.find('\0');
    if (zero != std::string_view::npos) fail(zero + 1, "a zero byte");
  }

  Json release() { return std::move(root_); }

 private:
  size_t offset() const { return static_cast<size_t>(reached_ - text_.data()); }

  // `position` counts the bytes read, the offending one included.
  [[noreturn]] void fail(size_t position, const std::string& reason) const {
    const std::string_view before = text_.substr(0, position == 0 ? 0 : position - 1);
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const size_t start = before.rfind('\n');
    const size_t column = before.size() - (start == std::string_view::npos ? 0 : start + 1) + 1;
    throw DataError("{}: line {}, column {}: {}", FilePath(path_, source_), LineNumber(line), column, reason);
  }

  Json* put(Json value) {
    if (++values_ > limits_.values) fail(offset(), fmt::format("more than {} values", limits_.values));
    if (stack_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    if (stack_.back()->is_array()) return &stack_.back()->get_ref<Json::array_t&>().emplace_back(std::move(value));
    *member_ = std::move(value);
    return member_;
  }

  void open(Json container) {
    if (static_cast<int>(stack_.size()) >= limits_.depth) {
      fail(offset(), fmt::format("nested deeper than {} levels", limits_.depth));
    }
    stack_.push_back(put(std::move(container)));
  }

  std::string_view text_;
  const std::string& source_;
  std::string_view path_;
  const JsonLimits& limits_;
  const char* const& reached_;
  Json root_;
  std::vector<Json*> stack_;  // the open containers; only the last one grows, so addresses stay valid
  Json* member_ = nullptr;    // where the value of the last key goes
  int64_t values_ = 0;
};

}  // namespace

Json parse_json(std::string_view text, const std::string& source, const JsonLimits& limits, std::string_view path) {
  const char* reached = text.data();
  Builder builder(text, source, path, limits, reached);
  builder.refuse_zero_bytes();
  Json::sax_parse(CountingIterator(text.data(), &reached), CountingIterator(text.data() + text.size(), &reached),
                  &builder);
  return builder.release();
}

std::string dump_json(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string show_json(const Json& value) {
  std::string text = dump_json(value);
  if (text.size() <= 100) return text;
  return std::string(first_bytes(text, 100)) + "...";
}

std::string quote(std::string_view text, size_t max_bytes) {
  if (text.size() <= max_bytes) return dump_json(std::string(text));
  return dump_json(std::string(first_bytes(text, max_bytes)) + "...");
}

JsonObject::JsonObject(Json value, std::string source)
    : value_(std::make_shared<const Json>(std::move(value))), source_(std::move(source)) {
  if (!value_->is_object()) throw DataError("{}: found {}, expected an object", source_, value_->type_name());
}

JsonObject JsonObject::read(const std::string& path, int64_t max_bytes) {
  JsonObject object(parse_json(read_file(path, max_bytes), path, {}, path), path);
  object.path_ = path;
  return object;
}

bool JsonObject::has(const std::string& key) const {
  const auto found = value_->find(key);
  return found != value_->end() && !found->is_null();
}

const Json* JsonObject::find(const std::string& key, bool required, const char* expected) const {
  if (has(key)) return &*value_->find(key);
  if (required) throw DataError("{}: '{}' is missing, expected {}", FilePath(path_, source_), KeyName(key), expected);
  return nullptr;
}

void JsonObject::reject(const std::string& key, const std::string& expected) const {
  throw DataError("{}: '{}' is {}, expected {}", FilePath(path_, source_), KeyName(key),
                  has(key) ? show_json(*value_->find(key)) : "missing", expected);
}

int64_t JsonObject::get_int(const std::string& key, std::optional<int64_t> fallback, int64_t min, int64_t max) const {
  const Json* found = find(key, !fallback.has_value(), "an integer");
  if (found == nullptr) return *fallback;
  const auto expected = [&] {
    if (min == std::numeric_limits<int64_t>::min() && max == std::numeric_limits<int64_t>::max()) {
      return std::string("an integer");
    }
    if (max == std::numeric_limits<int64_t>::max()) return fmt::format("an integer of at least {}", min);
    return fmt::format("an integer from {} to {}", min, max);
  };
  const bool fits =
      found->is_number_integer() && (!found->is_number_unsigned() || found->get<uint64_t>() <= uint64_t{INT64_MAX});
  if (!fits || found->get<int64_t>() < min || found->get<int64_t>() > max) reject(key, expected());
  return found->get<int64_t>();
}

double JsonObject::get_double(const std::string& key, std::optional<double> fallback, double min, double max) const {
  const Json* found = find(key, !fallback.has_value(), "a number");
  if (found == nullptr) return *fallback;
  const bool bounded = min != std::numeric_limits<double>::lowest() || max != std::numeric_limits<double>::max();
  if (!found->is_number() || found->get<double>() < min || found->get<double>() > max) {
    reject(key, bounded ? fmt::format("a number from {} to {}", min, max) : "a number");
  }
  return found->get<double>();
}

bool JsonObject::get_bool(const std::string& key, std::optional<bool> fallback) const {
  const Json* found = find(key, !fallback.has_value(), "true or false");
  if (found == nullptr) return *fallback;
  if (!found->is_boolean()) reject(key, "true or false");
  return found->get<bool>();
}

std::string JsonObject::get_string(const std::string& key, std::optional<std::string> fallback) const {
  const Json* found = find(key, !fallback.has_value(), "a string");
  if (found == nullptr) return *fallback;
  if (!found->is_string()) reject(key, "a string");
  return found->get<std::string>();
}

std::vector<std::string> JsonObject::get_strings(const std::string& key,
                                                 std::optional<std::vector<std::string>> fallback) const {
  const Json* found = find(key, !fallback.has_value(), "a list of strings");
  if (found == nullptr) return *fallback;
  const bool strings =
      found->is_array() && std::all_of(found->begin(), found->end(), [](const Json& item) { return item.is_string(); });
  if (!strings) reject(key, "a list of strings");
  return found->get<std::vector<std::string>>();
}

JsonObject JsonObject::get_object(const std::string& key) const {
  const Json* found = find(key, false, "an object");
  if (found != nullptr && !found->is_object()) reject(key, "an object");
  JsonObject object(found != nullptr ? *found : Json::object(), fmt::format("{}: '{}'", source_, key));
  object.path_ = path_;
  return object;
}

}  // namespace roformer
