#include "models/families/llama_like.h"

#include <nlohmann/json.hpp>

#include "models/rotary_json.h"
#include "models/stack_config.h"

namespace roformer::llama_like {

void common_keys(ConfigKeys& keys, ModelConfig& config, const Kind& kind) {
  decoder_keys::common_keys(keys, config, kind.model_type, kind.usual, kind.names);
  decoder_keys::grouped_keys(keys, config, kind.usual);
  const auto unlike_default = ConfigKeys::Writes::unlike_default;
  keys.real("hidden_dropout_prob", config.hidden_dropout, 0, unlike_default);  // specific to this project
  keys.real("rms_norm_eps", config.norm_epsilon, 1e-6);
  if (kind.attention_bias) keys.flag("attention_bias", config.biased, false);
  keys.others({},
              [&](const JsonObject&) {
                config.norm = kind.norm;
                config.gated = true;
                if (!kind.attention_bias) config.biased = false;
                config.feed_forward_biased = false;
                if (kind.query_key_norms) config.query_key_norm = config.norm_config();
              },
              {});
}

void rotation_keys(ConfigKeys& keys, ModelConfig& config, const Kind& kind) {
  keys.others(
      rotary_keys(),
      [&](const JsonObject& json) {
        config.position = decoder_keys::read_half_rotation(json, RotaryPosition(), kind.usual.max_positions);
      },
      [&](Json& json) {
        decoder_keys::write_half_rotation(std::get<RotaryPosition>(config.position), config.head_dim(), json);
      });
}

void complete(ModelConfig& config, const std::string& source, const Kind& kind, const Extent& extent) {
  config.head_transform = false;
  ModelConfig rest = config;  // without what the files express
  rest.head_size = 0;
  if (kind.query_key_norms) rest.query_key_norm.reset();
  if (extent.windows) rest.windows.clear();
  if (extent.layer_rotary) rest.layer_rotary.clear();
  if (extent.scores) {
    rest.attention_scale = rest.score_cap = rest.logit_cap = 0;
    rest.embedding_scale = 1;
  }
  if (rest.norms == extent.norms) rest.norms = kPreNorms;
  check_plain_stack(rest, source);
  const auto* position = std::get_if<RotaryPosition>(&config.position);
  if (position == nullptr) {
    refuse_config(source, "{} has rotary positions, not {}", kind.name, position_name(config.position));
  }
  decoder_keys::check_half_rotation(position->rotary, config, source, kind.name);
  for (const Rotary& rotary : config.layer_rotary) {
    decoder_keys::check_half_rotation(rotary, config, source, kind.name);
  }
  const bool normed =
      config.query_key_norm == (kind.query_key_norms ? std::optional(config.norm_config()) : std::nullopt);
  if (config.norms != extent.norms || !config.gated || config.norm != kind.norm || !normed ||
      config.embedding != config.hidden) {
    refuse_config(source, "{} has pre-norm RMS norms with gains, a gate, and embeddings of hidden_size {}", kind.name,
                  config.hidden);
  }
  decoder_keys::window_of_layers(config, source);
  decoder_keys::require_causal(config, source, kind.name);
}

}  // namespace roformer::llama_like
