#include "models/families/decoder_keys.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "models/rotary_json.h"
#include "models/stack_config.h"
#include "models/token_ids_json.h"

namespace roformer::decoder_keys {

namespace {

void read_tokens(const JsonObject& json, ModelConfig& config) {
  // Older files use −1 for none.
  config.pad_id = std::max<int64_t>(0, json.get_int("pad_token_id", 0));
  const std::vector<int64_t> first = read_token_ids(json, "bos_token_id");
  if (first.size() > 1) json.reject("bos_token_id", "one token id");
  if (!first.empty()) config.bos_id = first.front();
  config.eos_ids = read_token_ids(json, "eos_token_id");
}

void write_tokens(const ModelConfig& config, int64_t usual, Json& json) {
  if (usual >= config.vocabulary) json["bos_token_id"] = json["eos_token_id"] = nullptr;
  if (config.pad_id != 0) json["pad_token_id"] = config.pad_id;
  if (config.bos_id) json["bos_token_id"] = *config.bos_id;
  write_token_ids(config.eos_ids, "eos_token_id", json);
}

// A share of the pairs as transformers writes it.
Json proportional(const Rotary& rotary) {
  const auto* linear = std::get_if<LinearScaling>(&rotary.scaling);
  return {{"rope_type", "proportional"},
          {"partial_rotary_factor", rotary.proportion},
          {"factor", linear == nullptr ? 1 : linear->factor}};
}

constexpr const char *kFull = "full_attention", *kSliding = "sliding_attention";

}  // namespace

void common_keys(ConfigKeys& keys, ModelConfig& config, const char* model_type, const Usual& usual,
                 const Names& names) {
  keys.others(
      {"model_type"},
      [&](const JsonObject&) {
        config.norms = kPreNorms;
        config.attention_mask = AttentionMask::causal;
        config.segments = 0;
      },
      [&](Json& json) { json["model_type"] = model_type; });
  keys.integer("vocab_size", config.vocabulary, std::nullopt);
  keys.others(
      {names.hidden},
      [&](const JsonObject& json) { config.hidden = config.embedding = json.get_int(names.hidden, std::nullopt); },
      [&](Json& json) { json[names.hidden] = config.hidden; });
  keys.integer(names.layers, config.layers, std::nullopt);
  keys.integer(names.heads, config.heads, std::nullopt);
  constexpr int64_t kLargest = std::numeric_limits<int32_t>::max();  // complete() has narrower limits
  keys.integer(
      names.intermediate, config.intermediate,
      names.usual_intermediate ? std::optional(4 * std::clamp<int64_t>(config.hidden, 0, kLargest)) : std::nullopt,
      names.usual_intermediate ? ConfigKeys::Writes::unlike_default : ConfigKeys::Writes::always);
  keys.word(names.activation, config.activation, names.activations, usual.activation);
  keys.real(names.attention_dropout, config.attention_dropout, 0);
  keys.integer(names.max_positions, config.max_positions, usual.max_positions);
  keys.real("initializer_range", config.initializer_range, ModelConfig().initializer_range);
  keys.flag("tie_word_embeddings", config.tied, usual.tied);
  keys.others(
      {"pad_token_id", "bos_token_id", "eos_token_id"}, [&](const JsonObject& json) { read_tokens(json, config); },
      [&](Json& json) { write_tokens(config, usual.end_token, json); });
  keys.ignored({"architectures", "use_cache", "torch_dtype", "dtype", "transformers_version", "_name_or_path",
                "name_or_path", "_attn_implementation", "_attn_implementation_autoset", "return_dict",
                "output_hidden_states", "output_attentions", "gradient_checkpointing", "tokenizer_class",
                "task_specific_params", "transformers.js_config"});
}

void grouped_keys(ConfigKeys& keys, ModelConfig& config, const Usual& usual) {
  keys.others(
      {"num_key_value_heads", "head_dim"},
      [&](const JsonObject& json) {
        // null, unlike no key, means as many as query heads in every family.
        const bool null = json.value().contains("num_key_value_heads");
        const int64_t fallback = null || usual.kv_heads == 0 ? config.heads : usual.kv_heads;
        config.kv_heads = json.get_int("num_key_value_heads", fallback, 1);
        config.head_size = json.get_int("head_dim", json.value().contains("head_dim") ? 0 : usual.head_size, 0);
      },
      [&](Json& json) {
        json["num_key_value_heads"] = config.key_heads();
        json["head_dim"] = config.head_dim();
      });
}

void repeated(ConfigKeys& keys, std::string_view key, const std::function<bool(const JsonObject&)>& says_the_same) {
  const JsonObject* const file = keys.file();
  if (file == nullptr || !file->has(std::string(key)) || says_the_same(*file)) keys.ignored({key});
}

void ignored_summary_keys(ConfigKeys& keys) {
  keys.ignored(
      {"summary_activation", "summary_first_dropout", "summary_proj_to_labels", "summary_type", "summary_use_proj"});
}

void require_causal(const ModelConfig& config, const std::string& source, const char* name) {
  if (config.attention_mask == AttentionMask::bidirectional ||
      (config.head != Head::none && config.head != Head::causal_lm)) {
    refuse_config(source, "{} must be a causal language model or its trunk", name);
  }
}

RotaryPosition read_half_rotation(const JsonObject& json, RotaryPosition position, int64_t max_positions) {
  position.rotary.layout = RotaryLayout::half;
  if (json.has("max_position_embeddings")) {
    read_rotary(json, position);
    return position;
  }
  Json complete = json.value();  // needed by some scalings
  complete["max_position_embeddings"] = max_positions;
  read_rotary(JsonObject(complete, json.source()), position);
  return position;
}

void write_half_rotation(const RotaryPosition& position, int64_t head_dim, Json& json) {
  write_rotary(position, head_dim, json);
  json["rope_theta"] = position.rotary.base;
  json.erase("rotary_layout");  // "half" in all of these families
  if (position.rotary.proportion != 1) json["rope_scaling"] = proportional(position.rotary);
  json.erase("rotary_proportion");
}

void check_half_rotation(const Rotary& rotary, const ModelConfig& config, const std::string& source, const char* name) {
  const Rotary plain{.dim = config.head_dim(),
                     .layout = RotaryLayout::half,
                     .base = rotary.base,
                     .proportion = rotary.proportion,
                     .scaling = rotary.scaling};
  if (std::get<RotaryPosition>(config.position) !=
          RotaryPosition{.rotary = std::get<RotaryPosition>(config.position).rotary} ||
      rotary != plain) {
    refuse_config(source, "{} rotates whole heads in the layout \"half\", neither learned nor with xPos", name);
  }
  if (plain.proportion != 1 && !std::holds_alternative<std::monostate>(plain.scaling) &&
      !std::holds_alternative<LinearScaling>(plain.scaling)) {
    refuse_config(source, "{} that rotates a share of the pairs has no scaling but by a factor", name);
  }
}

std::vector<bool> read_layer_types(const JsonObject& json, const ModelConfig& config,
                                   const std::function<bool(int64_t)>& slides) {
  constexpr int64_t kMostLayers = 1000;  // more are refused by complete()
  std::vector<bool> sliding;
  if (!json.has("layer_types")) {
    for (int64_t i = 0; i < std::min(config.layers, kMostLayers); ++i) sliding.push_back(slides(i));
    return sliding;
  }
  const std::vector<std::string> types = json.get_strings("layer_types", std::nullopt);
  for (const std::string& type : types) sliding.push_back(type == kSliding);
  const bool known = std::ranges::all_of(types, [](const auto& type) { return type == kFull || type == kSliding; });
  if (!known || std::ssize(types) != config.layers) {
    json.reject("layer_types",
                fmt::format("{} or {} for each of {} layers", quote(kFull), quote(kSliding), config.layers));
  }
  return sliding;
}

std::optional<int64_t> read_window(const JsonObject& json, std::optional<int64_t> fallback) {
  if (!json.has("sliding_window")) return json.value().contains("sliding_window") ? std::nullopt : fallback;
  return json.get_int("sliding_window", std::nullopt, 1, KeyWindow::kAll);
}

void set_windows(const JsonObject& json, ModelConfig& config, const std::vector<bool>& sliding,
                 std::optional<int64_t> window) {
  config.windows.clear();
  if (std::ranges::find(sliding, true) == sliding.end()) return;
  if (!window) json.reject("sliding_window", "a number of tokens: some of the layers are \"sliding_attention\"");
  for (const bool slides : sliding) config.windows.push_back(slides ? causal_window(*window) : KeyWindow());
}

void write_layer_types(const ModelConfig& config, Json& json) {
  json["layer_types"] = Json::array();
  for (int64_t i = 0; i < config.layers; ++i)
    json["layer_types"].push_back(config.window_of(i).all() ? kFull : kSliding);
  if (const auto window = window_of_layers(config, "")) json["sliding_window"] = *window;
}

std::optional<int64_t> window_of_layers(const ModelConfig& config, const std::string& source) {
  std::optional<int64_t> window;
  for (const KeyWindow& one : config.windows) {
    if (one.all()) continue;
    if (one.after != KeyWindow::kAll || (window && *window != one.before + 1)) {
      refuse_config(source, "the windows of a {} have one size, and end at the token itself", config.family->name);
    }
    window = one.before + 1;
  }
  return window;
}

}  // namespace roformer::decoder_keys
