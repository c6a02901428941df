// Reading and writing config.json: family, head and unknown keys.
#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include <fmt/ranges.h>

#include "models/config.h"
#include "models/families/family.h"
#include "models/rotary_json.h"

namespace roformer {

namespace {

// "roformer", "bert" or "llama", in quotes.
std::string known_types() {
  std::string text;
  const std::vector<std::string> types = model_types();
  for (size_t i = 0; i < types.size(); ++i) {
    text += i == 0 ? "" : i + 1 == types.size() ? " or " : ", ";
    text += "\"" + types[i] + "\"";
  }
  return text;
}

// The family and the head; the head's name may be absent.
FoundArchitecture find_kind(const JsonObject& json) {
  const auto names = json.get_strings("architectures", std::vector<std::string>{});
  const std::string type = json.get_string("model_type", "");
  const Family* family = find_family(type);
  if (!type.empty() && family == nullptr) {
    json.reject("model_type", known_types());
  }
  if (names.empty()) return {family == nullptr ? &families::roformer : family, Head::none};
  const FoundArchitecture found = find_architecture(names[0]);
  if (found.family == nullptr) {
    json.reject("architectures", fmt::format("one of {} first", fmt::join(architecture_names(), ", ")));
  }
  if (family != nullptr && family != found.family) {
    json.reject("architectures", fmt::format("one of model_type \"{}\"", type));
  }
  return found;
}

// Unsupported settings that would change the result.
void refuse_unsupported(const JsonObject& json) {
  if (json.get_bool("is_encoder_decoder", false)) json.reject("is_encoder_decoder", "false");
  if (json.has("cross_attention_hidden_size")) json.reject("cross_attention_hidden_size", "none");
  if (json.has("quantization_config")) json.reject("quantization_config", "none: unquantized weights");
  if (!json.get_object("pruned_heads").value().empty()) json.reject("pruned_heads", "none");
}

}  // namespace

ModelConfig read_config(const JsonObject& json, std::vector<std::string>* unknown) {
  ModelConfig config;
  refuse_unsupported(json);
  const FoundArchitecture kind = find_kind(json);
  config.family = kind.family;
  config.head = kind.head;
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
