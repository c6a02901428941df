// Qwen2 and 2.5 (Yang et al. 2024), whose queries, keys and values have biases, and Qwen3 (2025), which norms each head
// of queries and keys instead. Both are Llamas otherwise; some of the layers may have a window.
#include <nlohmann/json.hpp>

#include "models/families/llama_like.h"

namespace roformer {

namespace {

constexpr std::string_view kQwen2Types[] = {"qwen2"}, kQwen3Types[] = {"qwen3"};
constexpr Architecture kQwen2Architectures[] = {{"Qwen2Model", Head::none}, {"Qwen2ForCausalLM", Head::causal_lm}};
constexpr Architecture kQwen3Architectures[] = {{"Qwen3Model", Head::none}, {"Qwen3ForCausalLM", Head::causal_lm}};
// The defaults of Qwen2Config and Qwen3Config.
constexpr llama_like::Kind kQwen2{.model_type = "qwen2",
                                  .name = "a Qwen2",
                                  .usual = {.activation = "silu", .max_positions = 32768, .kv_heads = 32},
                                  .attention_bias = false};
constexpr llama_like::Kind kQwen3{
    .model_type = "qwen3",
    .name = "a Qwen3",
    .usual = {.activation = "silu", .max_positions = 32768, .kv_heads = 32, .head_size = 128},
    .query_key_norms = true};
constexpr int64_t kQwenWindow = 4096, kFullLayers = 28;

// The first layers, "max_window_layers" of them, see all; there are no windows without "use_sliding_window".
void read_qwen_windows(const JsonObject& json, ModelConfig& config) {
  std::optional<int64_t> window = decoder_keys::read_window(json, kQwenWindow);
  if (!json.get_bool("use_sliding_window", false)) window.reset();
  const int64_t full = json.get_int("max_window_layers", kFullLayers);
  const auto sliding =
      decoder_keys::read_layer_types(json, config, [&](int64_t layer) { return window && layer >= full; });
  if (!window && json.has("layer_types") && std::ranges::find(sliding, true) != sliding.end()) {
    json.reject("layer_types", "no \"sliding_attention\" without 'use_sliding_window' and 'sliding_window'");
  }
  decoder_keys::set_windows(json, config, sliding, window);
}

void window_keys(ConfigKeys& keys, ModelConfig& config) {
  keys.others(
      {"use_sliding_window", "sliding_window", "max_window_layers", "layer_types"},
      [&](const JsonObject& json) { read_qwen_windows(json, config); },
      [&](Json& json) {
        json["use_sliding_window"] = !config.windows.empty();
        decoder_keys::write_layer_types(config, json);
      });
  decoder_keys::repeated(keys, "use_mrope",
                         [](const JsonObject& json) { return json.value().at("use_mrope") == false; });
}

void qwen2_keys(ConfigKeys& keys, ModelConfig& config) {
  llama_like::common_keys(keys, config, kQwen2);
  keys.others({},
              [&](const JsonObject&) {
                config.biased = true;
                config.attention_output_biased = false;
              },
              {});
  llama_like::rotation_keys(keys, config, kQwen2);
  window_keys(keys, config);
}

void qwen3_keys(ConfigKeys& keys, ModelConfig& config) {
  llama_like::common_keys(keys, config, kQwen3);
  llama_like::rotation_keys(keys, config, kQwen3);
  window_keys(keys, config);
}

void complete_qwen2(ModelConfig& config, const std::string& source) {
  llama_like::complete(config, source, kQwen2, {.windows = true});
  if (!config.biased || config.attention_output_biased.value_or(true) || config.feed_forward_biased.value_or(true)) {
    refuse_config(source, "a Qwen2 has biases in queries, keys and values, and no others");
  }
}

void complete_qwen3(ModelConfig& config, const std::string& source) {
  llama_like::complete(config, source, kQwen3, {.windows = true});
  if (config.attention_output_biased.value_or(config.biased) != config.biased ||
      config.feed_forward_biased.value_or(config.biased)) {
    refuse_config(source, "a Qwen3 has biases in all of its attention or none, and none in its feed-forward network");
  }
}

}  // namespace

constinit const Family families::qwen2{.name = "qwen2",
                                       .model_types = kQwen2Types,
                                       .architectures = kQwen2Architectures,
                                       .trunk = "model",
                                       .signs = {},
                                       .tensors = llama_like::kTensors,
                                       .ignored = decoder_keys::kIgnored,
                                       .head_tensors = llama_like::kHeadTensors,
                                       .keys = qwen2_keys,
                                       .complete = complete_qwen2,
                                       .causal_setting = "qwen2, a causal model"};

constinit const Family families::qwen3{.name = "qwen3",
                                       .model_types = kQwen3Types,
                                       .architectures = kQwen3Architectures,
                                       .trunk = "model",
                                       .signs = {},
                                       .tensors = llama_like::kTensors,
                                       .ignored = decoder_keys::kIgnored,
                                       .head_tensors = llama_like::kHeadTensors,
                                       .keys = qwen3_keys,
                                       .complete = complete_qwen3,
                                       .causal_setting = "qwen3, a causal model"};

}  // namespace roformer
