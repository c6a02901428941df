// Reading and writing config.json: unsupported and unknown keys.
#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include "models/config.h"
#include "models/families/bert_like.h"
#include "models/families/family.h"
#include "models/model_kind.h"
#include "models/rotary_json.h"

namespace roformer {

namespace {

// Unsupported settings that would change the result.
void refuse_unsupported(const JsonObject& json) {
  if (json.get_bool("is_encoder_decoder", false)) json.reject("is_encoder_decoder", "false");
  if (json.has("cross_attention_hidden_size")) json.reject("cross_attention_hidden_size", "none");
  if (json.has("quantization_config")) json.reject("quantization_config", "none: unquantized weights");
  if (!json.get_object("pruned_heads").value().empty()) json.reject("pruned_heads", "none");
}

}  // namespace

ModelConfig read_config(const JsonObject& json, std::vector<std::string>* unknown) {
  const NamedKind named = named_kind(json);
  if (named.family == nullptr && !named.architecture.empty()) refuse_architecture(json);
  return read_config(
      json,
      {.family = named.family == nullptr ? &families::roformer : named.family, .head = named.head.value_or(Head::none)},
      unknown);
}

ModelConfig read_config(const JsonObject& json, const ModelKind& kind, std::vector<std::string>* unknown) {
  ModelConfig config;
  refuse_unsupported(json);
  config.family = kind.family;
  config.head = kind.head;
  if (kind.labels) config.labels = bert_like::numbered_labels(*kind.labels);
  ConfigKeys reading = ConfigKeys::reading(json);
  config.family->keys(reading, config);
  complete(config, json.source());
  if (unknown == nullptr) return config;
  for (const auto& entry : json.value().items()) {
    ConfigKeys asking = ConfigKeys::asking(json, entry.key());
    config.family->keys(asking, config);
    if (!asking.known()) {
      unknown->push_back(entry.key());
    } else {
      std::ranges::copy(unread_rotary_keys(json, entry.key()), std::back_inserter(*unknown));
    }
  }
  return config;
}

ModelConfig read_config(const std::string& path, std::vector<std::string>* unknown) {
  return read_config(JsonObject::read(path), unknown);
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
