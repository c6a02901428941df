#include "models/families/decoder_keys.h"

#include <algorithm>
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

void write_tokens(const ModelConfig& config, Json& json) {
  if (config.pad_id != 0) json["pad_token_id"] = config.pad_id;
  if (config.bos_id) json["bos_token_id"] = *config.bos_id;
  write_token_ids(config.eos_ids, "eos_token_id", json);
}

}  // namespace

void common_keys(ConfigKeys& keys, ModelConfig& config, const char* model_type, const Usual& usual) {
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
      {"hidden_size"},
      [&](const JsonObject& json) { config.hidden = config.embedding = json.get_int("hidden_size", std::nullopt); },
      [&](Json& json) { json["hidden_size"] = config.hidden; });
  keys.integer("num_hidden_layers", config.layers, std::nullopt);
  keys.integer("num_attention_heads", config.heads, std::nullopt);
  keys.integer("intermediate_size", config.intermediate, std::nullopt);
  keys.word("hidden_act", config.activation, kActivations, usual.activation);
  keys.real("attention_dropout", config.attention_dropout, 0);
  keys.integer("max_position_embeddings", config.max_positions, usual.max_positions);
  keys.real("initializer_range", config.initializer_range, ModelConfig().initializer_range);
  keys.flag("attention_bias", config.biased, usual.biased);
  keys.flag("tie_word_embeddings", config.tied, false);
  keys.others(
      {"pad_token_id", "bos_token_id", "eos_token_id"}, [&](const JsonObject& json) { read_tokens(json, config); },
      [&](Json& json) { write_tokens(config, json); });
  keys.ignored({"architectures", "use_cache", "torch_dtype", "dtype", "transformers_version", "_name_or_path",
                "name_or_path", "_attn_implementation", "_attn_implementation_autoset", "return_dict",
                "output_hidden_states", "output_attentions", "gradient_checkpointing"});
}

void require_causal(const ModelConfig& config, const std::string& source, const char* name) {
  if (config.attention_mask == AttentionMask::bidirectional ||
      (config.head != Head::none && config.head != Head::causal_lm)) {
    refuse_config(source, "a {} must be a causal language model or its trunk", name);
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

}  // namespace roformer::decoder_keys
