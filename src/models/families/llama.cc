// Llama (Touvron et al. 2023), also SmolLM and others of its shape.
#include <nlohmann/json.hpp>

#include "models/families/llama_like.h"

namespace roformer {

namespace {

constexpr std::string_view kLlamaTypes[] = {"llama"};
constexpr Architecture kLlamaArchitectures[] = {{"LlamaModel", Head::none}, {"LlamaForCausalLM", Head::causal_lm}};
// LlamaConfig's defaults.
constexpr llama_like::Kind kLlama{
    .model_type = "llama", .name = "a Llama", .usual = {.activation = "silu", .max_positions = 2048}};

void llama_keys(ConfigKeys& keys, ModelConfig& config) {
  llama_like::common_keys(keys, config, kLlama);
  keys.others(
      {"mlp_bias"}, [&](const JsonObject& json) { config.feed_forward_biased = json.get_bool("mlp_bias", false); },
      [&](Json& json) { json["mlp_bias"] = config.feed_forward_biased.value_or(config.biased); });
  llama_like::rotation_keys(keys, config, kLlama);
  keys.others({"sliding_window"},
              [](const JsonObject& json) {
                if (json.has("sliding_window")) json.reject("sliding_window", "none");
              },
              {});
  decoder_keys::repeated(keys, "rope_interleaved",
                         [](const JsonObject& json) { return json.value().at("rope_interleaved") == false; });
  keys.ignored({"pretraining_tp", "is_llama_config"});
}

// Rejects what other programs would not load as a Llama.
void complete_llama(ModelConfig& config, const std::string& source) { llama_like::complete(config, source, kLlama); }

constexpr const char* kLlamaSigns[] = {"*self_attn.q_proj.weight"};

}  // namespace

constinit const Family families::llama{.name = "llama",
                                       .model_types = kLlamaTypes,
                                       .architectures = kLlamaArchitectures,
                                       .trunk = "model",
                                       .signs = kLlamaSigns,
                                       .tensors = llama_like::kTensors,
                                       .ignored = decoder_keys::kIgnored,
                                       .head_tensors = llama_like::kHeadTensors,
                                       .keys = llama_keys,
                                       .complete = complete_llama,
                                       .causal_setting = "llama, a causal model"};

}  // namespace roformer
