#include "models/llama_json.h"

#include <algorithm>
#include <set>
#include <string>

#include "models/json_names.h"
#include "models/rotary_json.h"

namespace roformer {

namespace {

constexpr int64_t kMaxPositions = 2048;  // LlamaConfig's default

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

RotaryPosition read_position(const JsonObject& json) {
  RotaryPosition position;
  position.rotary.layout = RotaryLayout::half;
  if (json.has("max_position_embeddings")) {
    read_rotary(json, position);
  } else {  // which scalings may need
    Json complete = json.value();
    complete["max_position_embeddings"] = kMaxPositions;
    read_rotary(JsonObject(complete, json.source()), position);
  }
  return position;
}

}  // namespace

void read_llama(const JsonObject& json, ModelConfig& config) {
  config.norm = NormKind::rms_with_gain;
  config.norm_placement = NormPlacement::pre;
  config.gated = true;
  config.visibility = Visibility::causal;
  config.segments = 0;
  config.vocabulary = json.get_int("vocab_size", std::nullopt);
  config.hidden = config.embedding = json.get_int("hidden_size", std::nullopt);
  config.layers = json.get_int("num_hidden_layers", std::nullopt);
  config.heads = json.get_int("num_attention_heads", std::nullopt);
  config.kv_heads = json.get_int("num_key_value_heads", config.heads, 1);
  config.intermediate = json.get_int("intermediate_size", std::nullopt);
  config.activation = parse_name(json, "hidden_act", kActivations, "silu");
  config.hidden_dropout = json.get_double("hidden_dropout_prob", 0);  // no other program's
  config.attention_dropout = json.get_double("attention_dropout", 0);
  config.max_positions = json.get_int("max_position_embeddings", kMaxPositions);
  config.initializer_range = json.get_double("initializer_range", config.initializer_range);
  config.norm_epsilon = json.get_double("rms_norm_eps", 1e-6);
  config.biased = json.get_bool("attention_bias", false);
  config.feed_forward_biased = json.get_bool("mlp_bias", false);
  config.tied = json.get_bool("tie_word_embeddings", false);
  config.position = read_position(json);
  // Older files say −1 for none.
  config.pad_id = std::max<int64_t>(0, json.get_int("pad_token_id", 0));
  const std::vector<int64_t> first = read_ids(json, "bos_token_id");
  if (first.size() > 1) json.reject("bos_token_id", "one token id");
  if (!first.empty()) config.bos_id = first.front();
  config.eos_ids = read_ids(json, "eos_token_id");
  if (json.has("head_dim") && config.heads > 0) {
    const int64_t size = config.hidden / config.heads;
    if (json.get_int("head_dim", std::nullopt) != size) {
      json.reject("head_dim", std::to_string(size) + ", hidden_size / num_attention_heads");
    }
  }
  if (json.has("sliding_window")) json.reject("sliding_window", "none");
}

Json write_llama(const ModelConfig& config) {
  Json json{{"model_type", "llama"},
            {"vocab_size", config.vocabulary},
            {"hidden_size", config.hidden},
            {"num_hidden_layers", config.layers},
            {"num_attention_heads", config.heads},
            {"num_key_value_heads", config.key_heads()},
            {"head_dim", config.head_dim()},
            {"intermediate_size", config.intermediate},
            {"hidden_act", name_in(kActivations, config.activation)},
            {"attention_dropout", config.attention_dropout},
            {"max_position_embeddings", config.max_positions},
            {"initializer_range", config.initializer_range},
            {"rms_norm_eps", config.norm_epsilon},
            {"attention_bias", config.biased},
            {"mlp_bias", config.feed_forward_biased.value_or(config.biased)},
            {"tie_word_embeddings", config.tied}};
  if (config.hidden_dropout != 0) json["hidden_dropout_prob"] = config.hidden_dropout;
  if (config.pad_id != 0) json["pad_token_id"] = config.pad_id;
  if (config.bos_id) json["bos_token_id"] = *config.bos_id;
  if (config.eos_ids.size() == 1) {
    json["eos_token_id"] = config.eos_ids.front();
  } else if (!config.eos_ids.empty()) {
    json["eos_token_id"] = config.eos_ids;
  }
  const auto& position = std::get<RotaryPosition>(config.position);
  write_rotary(position, config.head_dim(), json);
  json["rope_theta"] = position.rotary.base;
  json.erase("rotary_layout");  // a Llama's is "half"
  return json;
}

bool is_llama_key(std::string_view key) {
  static const std::set<std::string_view> keys{
      "model_type", "architectures", "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads",
      "num_key_value_heads", "head_dim", "intermediate_size", "hidden_act", "attention_dropout", "hidden_dropout_prob",
      "max_position_embeddings", "initializer_range", "rms_norm_eps", "attention_bias", "mlp_bias",
      "tie_word_embeddings", "pad_token_id", "bos_token_id", "eos_token_id", "sliding_window",
      // no influence on what this program computes
      "use_cache", "pretraining_tp", "torch_dtype", "dtype", "transformers_version", "_name_or_path", "name_or_path",
      "_attn_implementation", "_attn_implementation_autoset", "return_dict", "output_hidden_states",
      "output_attentions", "gradient_checkpointing", "is_llama_config"};
  return keys.contains(key) || std::ranges::find(rotary_keys(), key) != rotary_keys().end();
}

}  // namespace roformer
