#include "text/pipeline/part.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/utf8.h"

namespace roformer {

namespace {

void append_parts(JsonObject json, const std::string& list, const std::string& what, const std::string& path,
                  const std::string& location, std::vector<PipelinePart>& parts) {
  if (json.get_string("type", "") != "Sequence") {
    parts.emplace_back(std::move(json), what, path);
    return;
  }
  if (!json.has(list) || !json.value()[list].is_array()) json.reject(list, "an array");
  size_t index = 0;
  for (const Json& entry : json.value()[list]) {
    const std::string inner = fmt::format("{}.{}[{}]", location, list, index++);
    append_parts(JsonObject(entry, fmt::format("{}: '{}'", path, inner)), list, what, path, inner, parts);
  }
}

}  // namespace

PipelinePart::PipelinePart(JsonObject json, std::string what, std::string path)
    : json_(std::move(json)),
      what_(std::move(what)),
      path_(std::move(path)),
      type_(json_.get_string("type", std::nullopt)) {}

void PipelinePart::refuse(std::string_view expected) const {
  throw DataError("{}: the {} {} is not supported, expected {}", FilePath(path_, json_.source()), what_,
                  KeyName("type", quote(type_)), expected);
}

void PipelinePart::refuse_value(const std::string& key, std::string_view expected) const {
  throw DataError("{}: '{}' {} of a {} is not supported, expected {}", FilePath(path_, json_.source()), KeyName(key),
                  show_json(json_.value().value(key, Json())), quote(type_), expected);
}

std::string PipelinePart::get_character(const std::string& key, const std::string& fallback) const {
  std::string text = json_.get_string(key, fallback);
  if (count_code_points(text) != 1) json_.reject(key, "one character");
  return text;
}

std::vector<PipelinePart> read_pipeline_parts(const JsonObject& file, const std::string& key, const std::string& list,
                                              const std::string& what) {
  std::vector<PipelinePart> parts;
  if (file.has(key)) append_parts(file.get_object(key), list, what, file.source(), key, parts);
  return parts;
}

}  // namespace roformer
