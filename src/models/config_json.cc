// Reading and writing config.json: unsupported and unknown keys.
#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include <fmt/ranges.h>

#include "base/error.h"
#include "models/config.h"
#include "models/families/bert_like.h"
#include "models/families/family.h"
#include "models/model_kind.h"
#include "models/rotary_json.h"

namespace roformer {

namespace {

// Whether the value of `key` changes the model of `file`, whose "model_type" knows it.
bool has_effect(const JsonObject& file, const std::string& key) {
  Json without = file.value();
  without.erase(key);
  return write_config(read_config(file)) != write_config(read_config(JsonObject(without, file.source())));
}

// Refuses an unknown key to which another "model_type" of the family would give a meaning.
void refuse_meaning_elsewhere(const JsonObject& json, const Family& family, const std::string& key) {
  for (const std::string_view type : family.model_types) {
    if (type == json.get_string("model_type", "")) continue;
    Json other = json.value();
    other["model_type"] = type;
    const JsonObject file(other, json.source());
    ConfigKeys asking = ConfigKeys::asking(file, key);
    ModelConfig config;
    family.keys(asking, config);
    if (!asking.known() || !has_effect(file, key)) continue;
    throw DataError(
        "{}: '{}' is {}, which a \"model_type\" of \"{}\" ignores; expected \"model_type\": \"{}\" for a model that "
        "has "
        "it, else not this key",
        FilePath(json.source()), KeyName(key), show_json(json.value()[key]), family.name, type);
  }
}

}  // namespace

ModelConfig read_config(const JsonObject& json, std::vector<std::string>* unknown) {
  const NamedKind named = named_kind(json);
  if (named.family == nullptr && !named.architecture.empty()) refuse_architecture(json);
  if (!named.head && find_architecture(named.architecture).family != nullptr)
    json.reject("architectures", fmt::format("one of model_type \"{}\"", named.family->name));
  return read_config(
      json,
      {.family = named.family == nullptr ? &families::roformer : named.family, .head = named.head.value_or(Head::none)},
      unknown);
}

ModelConfig read_config(const JsonObject& json, const ModelKind& kind, std::vector<std::string>* unknown) {
  ModelConfig config;
  bert_like::refuse_unsupported(json);
  config.family = kind.family;
  config.head = kind.head;
  if (kind.labels) config.labels = bert_like::numbered_labels(*kind.labels);
  ConfigKeys reading = ConfigKeys::reading(json);
  config.family->keys(reading, config);
  if (json.get_bool("is_encoder_decoder", false) && config.encoder == nullptr) {
    json.reject("is_encoder_decoder", "false");
  }
  complete(config, json.source());
  if (unknown == nullptr) return config;
  for (const auto& entry : json.value().items()) {
    ConfigKeys asking = ConfigKeys::asking(json, entry.key());
    config.family->keys(asking, config);
    if (!asking.known()) {
      unknown->push_back(entry.key());
    } else {
      const auto unread = config.family->unread != nullptr ? config.family->unread : unread_rotary_keys;
      std::ranges::copy(unread(json, entry.key()), std::back_inserter(*unknown));
    }
  }
  return config;
}

ModelConfig read_config(const std::string& path, std::vector<std::string>* unknown) {
  return read_config(JsonObject::read(path), unknown);
}

std::string unknown_keys_warning(const std::string& file, const std::vector<std::string>& keys) {
  return fmt::format("{}: not understood and ignored: {}", file, fmt::join(keys, ", "));
}

void check_keys_to_train(const std::string& path, const ModelConfig& config, const std::vector<std::string>& unknown) {
  const JsonObject json = JsonObject::read(path);
  for (const std::string& key : unknown) refuse_meaning_elsewhere(json, *config.family, key);
}

ModelConfig read_config_to_train(const std::string& path, std::vector<std::string>& warnings) {
  std::vector<std::string> unknown;
  ModelConfig config = read_config(path, &unknown);
  if (config.family->widen != nullptr) config.family->widen(config);
  check_keys_to_train(path, config, unknown);
  if (!unknown.empty()) warnings.push_back(unknown_keys_warning(path, unknown));
  return config;
}

Json write_config(const ModelConfig& config) {
  if (config.attention_mask == AttentionMask::prefix) throw DataError("config.json cannot express prefix attention");
  Json json = Json::object();
  ConfigKeys writing = ConfigKeys::writing(json);
  ModelConfig written = config;
  config.family->keys(writing, written);
  const auto architecture = std::ranges::find(config.family->architectures, config.head, &Architecture::head);
  if (architecture == config.family->architectures.end()) {
    throw DataError("{} has no architecture with such a head", config.family->name);
  }
  json["architectures"] = {architecture->name};
  return json;
}

}  // namespace roformer
