#include "models/attention_json.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include <fmt/ranges.h>

#include "base/error.h"

namespace roformer {

void read_attention(const JsonObject& json, ModelConfig& config) {
  if (json.has("attention_type")) {
    const bool list = json.value()["attention_type"].is_array();
    const std::vector<std::string> names =
        list ? json.get_strings("attention_type", std::nullopt)
             : std::vector<std::string>{json.get_string("attention_type", std::nullopt)};
    config.attention.clear();
    for (const std::string& name : names) {
      if (std::ranges::find(attention_names(), name) == attention_names().end()) {
        json.reject("attention_type", fmt::format("{}, or a list of these", fmt::join(attention_names(), ", ")));
      }
      config.attention.push_back(parse_attention(name));
    }
  }
  LinearSettings& linear = config.linear;
  const std::string rotation = json.get_string("attention_rotation", feature_rotation_name(linear.rotation));
  if (rotation != "after" && rotation != "before") json.reject("attention_rotation", "\"after\" or \"before\"");
  linear.rotation = parse_feature_rotation(rotation);
  linear.favor_features = json.get_int("favor_features", linear.favor_features);
  linear.favor_redraw = json.get_int("favor_redraw", linear.favor_redraw);
  linear.favor_seed = json.get_int("favor_seed", linear.favor_seed);
}

void write_attention(const ModelConfig& config, Json& json) {
  if (!config.has_linear_attention()) return;
  if (config.attention.size() == 1) {
    json["attention_type"] = attention_name(config.attention[0]);
  } else {
    json["attention_type"] = Json::array();
    for (const AttentionKind kind : config.attention) json["attention_type"].push_back(attention_name(kind));
  }
  json["attention_rotation"] = feature_rotation_name(config.linear.rotation);
  if (!config.has_random_features()) return;
  json["favor_features"] = config.linear.favor_features;
  json["favor_redraw"] = config.linear.favor_redraw;
  json["favor_seed"] = config.linear.favor_seed;
}

std::span<const std::string_view> attention_keys() {
  static constexpr std::array<std::string_view, 5> kKeys{"attention_type", "attention_rotation", "favor_features",
                                                         "favor_redraw", "favor_seed"};
  return kKeys;
}

}  // namespace roformer
