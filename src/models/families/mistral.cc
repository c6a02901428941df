// Mistral 7B (Jiang et al. 2023): a Llama without biases whose layers all have a window, or none where "sliding_window"
// is null.
#include <nlohmann/json.hpp>

#include "models/families/llama_like.h"

namespace roformer {

namespace {

constexpr std::string_view kMistralTypes[] = {"mistral"};
constexpr Architecture kMistralArchitectures[] = {{"MistralModel", Head::none},
                                                  {"MistralForCausalLM", Head::causal_lm}};
// MistralConfig's defaults.
constexpr llama_like::Kind kMistral{.model_type = "mistral",
                                    .name = "a Mistral",
                                    .usual = {.activation = "silu", .max_positions = 4096 * 32, .kv_heads = 8},
                                    .attention_bias = false};
constexpr int64_t kMistralWindow = 4096;

void mistral_keys(ConfigKeys& keys, ModelConfig& config) {
  llama_like::common_keys(keys, config, kMistral);
  llama_like::rotation_keys(keys, config, kMistral);
  keys.others(
      {"sliding_window"},
      [&](const JsonObject& json) {
        config.windows.clear();
        if (const auto window = decoder_keys::read_window(json, kMistralWindow)) {
          config.windows = {causal_window(*window)};
        }
      },
      [&](Json& json) {
        const auto window = decoder_keys::window_of_layers(config, "");
        json["sliding_window"] = window ? Json(*window) : Json();
      });
}

void complete_mistral(ModelConfig& config, const std::string& source) {
  llama_like::complete(config, source, kMistral, {.windows = true});
  if (config.windows.size() > 1) refuse_config(source, "a Mistral has the same window in all layers");
  if (config.biased || config.attention_output_biased.value_or(false) || config.feed_forward_biased.value_or(false)) {
    refuse_config(source, "a Mistral has no biases");
  }
}

}  // namespace

constinit const Family families::mistral{.name = "mistral",
                                         .model_types = kMistralTypes,
                                         .architectures = kMistralArchitectures,
                                         .trunk = "model",
                                         .signs = {},
                                         .tensors = llama_like::kTensors,
                                         .ignored = decoder_keys::kIgnored,
                                         .head_tensors = llama_like::kHeadTensors,
                                         .keys = mistral_keys,
                                         .complete = complete_mistral,
                                         .causal_setting = "mistral, a causal model"};

}  // namespace roformer
