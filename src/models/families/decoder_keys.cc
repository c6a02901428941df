#include "models/families/decoder_keys.h"

#include <algorithm>

#include "models/rotary_json.h"

namespace roformer::decoder_keys {

namespace {

// One id, a list of them (Llama 3's ends of texts and turns), or null.
std::vector<int64_t> read_ids(const JsonObject& json, const char* key) {
  std::vector<int64_t> ids;
  if (!json.has(key)) return ids;
  const Json& value = json.value()[key];
  for (const Json& id : value.is_array() ? value : Json::array({value})) {
    if (!id.is_number_integer()) json.reject(key, "a token id, or a list of them");
    ids.push_back(id.get<int64_t>());
  }
  return ids;
}

void read_tokens(const JsonObject& json, ModelConfig& config) {
  // Older files say −1 for none.
  config.pad_id = std::max<int64_t>(0, json.get_int("pad_token_id", 0));
  const std::vector<int64_t> first = read_ids(json, "bos_token_id");
  if (first.size() > 1) json.reject("bos_token_id", "one token id");
  if (!first.empty()) config.bos_id = first.front();
  config.eos_ids = read_ids(json, "eos_token_id");
}

void write_tokens(const ModelConfig& config, Json& json) {
  if (config.pad_id != 0) json["pad_token_id"] = config.pad_id;
  if (config.bos_id) json["bos_token_id"] = *config.bos_id;
  if (config.eos_ids.size() == 1) {
    json["eos_token_id"] = config.eos_ids.front();
  } else if (!config.eos_ids.empty()) {
    json["eos_token_id"] = config.eos_ids;
  }
}

}  // namespace

void special_tokens(ConfigKeys& keys, ModelConfig& config) {
  keys.others(
      {"pad_token_id", "bos_token_id", "eos_token_id"}, [&](const JsonObject& json) { read_tokens(json, config); },
      [&](Json& json) { write_tokens(config, json); });
}

void other_keys(ConfigKeys& keys) {
  keys.ignored({"architectures", "use_cache", "torch_dtype", "dtype", "transformers_version", "_name_or_path",
                "name_or_path", "_attn_implementation", "_attn_implementation_autoset", "return_dict",
                "output_hidden_states", "output_attentions", "gradient_checkpointing"});
}

void require_causal(const ModelConfig& config, const std::string& source, const char* name) {
  if (config.visibility == Visibility::all || (config.head != Head::none && config.head != Head::causal_lm)) {
    refuse_config(source, "a {} is a causal language model, or the trunk of one", name);
  }
}

RotaryPosition read_half_rotation(const JsonObject& json, RotaryPosition position, int64_t max_positions) {
  position.rotary.layout = RotaryLayout::half;
  if (json.has("max_position_embeddings")) {
    read_rotary(json, position);
    return position;
  }
  Json complete = json.value();  // which scalings may need
  complete["max_position_embeddings"] = max_positions;
  read_rotary(JsonObject(complete, json.source()), position);
  return position;
}

}  // namespace roformer::decoder_keys
