// Llama (Touvron et al. 2023), also SmolLM and others of its shape: pre-norm RMSNorm, grouped-query attention, SwiGLU,
// and rotation of whole heads in the layout half.
#include "models/families/decoder_keys.h"

#include <nlohmann/json.hpp>
#include "models/rotary_json.h"
#include "models/stack_config.h"

namespace roformer {

namespace {

constexpr std::string_view kLlamaTypes[] = {"llama"};
constexpr Architecture kLlamaArchitectures[] = {{"LlamaModel", Head::none}, {"LlamaForCausalLM", Head::causal_lm}};
// LlamaConfig's defaults.
constexpr decoder_keys::Usual kLlamaUsual{.activation = "silu", .max_positions = 2048, .biased = false};

constexpr TensorRule kLlamaTensors[] = {
    {"embeddings.words.weight", ".embed_tokens.weight"},
    {"layers.*.attention.query.*", ".layers.*.self_attn.q_proj.*"},
    {"layers.*.attention.key.*", ".layers.*.self_attn.k_proj.*"},
    {"layers.*.attention.value.*", ".layers.*.self_attn.v_proj.*"},
    {"layers.*.attention.output.*", ".layers.*.self_attn.o_proj.*"},
    {"layers.*.attention.norm.*", ".layers.*.input_layernorm.*"},
    {"layers.*.feed_forward.gate.*", ".layers.*.mlp.gate_proj.*"},
    {"layers.*.feed_forward.up.*", ".layers.*.mlp.up_proj.*"},
    {"layers.*.feed_forward.down.*", ".layers.*.mlp.down_proj.*"},
    {"layers.*.feed_forward.norm.*", ".layers.*.post_attention_layernorm.*"},
    {"final_norm.*", ".norm.*"},
    {"head.output.weight", "lm_head.weight"},
};
constexpr const char* kLlamaHeadTensors[] = {"lm_head.*"};

// A share of the pairs as transformers writes it.
Json proportional(const Rotary& rotary) {
  const auto* linear = std::get_if<LinearScaling>(&rotary.scaling);
  return {{"rope_type", "proportional"},
          {"partial_rotary_factor", rotary.proportion},
          {"factor", linear == nullptr ? 1 : linear->factor}};
}

void llama_keys(ConfigKeys& keys, ModelConfig& config) {
  decoder_keys::common_keys(keys, config, "llama", kLlamaUsual);
  keys.others(
      {"num_key_value_heads", "head_dim"},
      [&](const JsonObject& json) {
        config.kv_heads = json.get_int("num_key_value_heads", config.heads, 1);
        if (!json.has("head_dim") || config.heads <= 0) return;
        const int64_t size = config.hidden / config.heads;
        if (json.get_int("head_dim", std::nullopt) != size) {
          json.reject("head_dim", std::to_string(size) + ", hidden_size / num_attention_heads");
        }
      },
      [&](Json& json) {
        json["num_key_value_heads"] = config.key_heads();
        json["head_dim"] = config.head_dim();
      });
  const auto unlike_default = ConfigKeys::Writes::unlike_default;
  keys.real("hidden_dropout_prob", config.hidden_dropout, 0, unlike_default);  // specific to this project
  keys.real("rms_norm_eps", config.norm_epsilon, 1e-6);
  keys.others(
      {"mlp_bias"},
      [&](const JsonObject& json) {
        config.norm = NormKind::rms_with_gain;
        config.gated = true;
        config.feed_forward_biased = json.get_bool("mlp_bias", false);
      },
      [&](Json& json) { json["mlp_bias"] = config.feed_forward_biased.value_or(config.biased); });
  keys.others(
      rotary_keys(),
      [&](const JsonObject& json) {
        config.position = decoder_keys::read_half_rotation(json, RotaryPosition(), kLlamaUsual.max_positions);
      },
      [&](Json& json) {
        const auto& position = std::get<RotaryPosition>(config.position);
        write_rotary(position, config.head_dim(), json);
        json["rope_theta"] = position.rotary.base;
        json.erase("rotary_layout");  // a Llama's is "half"
        if (position.rotary.proportion != 1) json["rope_scaling"] = proportional(position.rotary);
        json.erase("rotary_proportion");
      });
  keys.others({"sliding_window"},
              [](const JsonObject& json) {
                if (json.has("sliding_window")) json.reject("sliding_window", "none");
              },
              {});
  keys.ignored({"pretraining_tp", "is_llama_config"});
}

// Rejects what other programs would not load as a Llama.
void complete_llama(ModelConfig& config, const std::string& source) {
  config.head_transform = false;
  check_plain_stack(config, source);
  const auto* position = std::get_if<RotaryPosition>(&config.position);
  if (position == nullptr) {
    refuse_config(source, "a Llama has rotary positions, not {}", position_name(config.position));
  }
  const Rotary plain{.dim = config.head_dim(),
                     .layout = RotaryLayout::half,
                     .base = position->rotary.base,
                     .proportion = position->rotary.proportion,
                     .scaling = position->rotary.scaling};
  if (*position != RotaryPosition{.rotary = plain}) {
    refuse_config(source, "a Llama rotates whole heads in the layout \"half\", neither learned nor with xPos");
  }
  if (plain.proportion != 1 && !std::holds_alternative<std::monostate>(plain.scaling) &&
      !std::holds_alternative<LinearScaling>(plain.scaling)) {
    refuse_config(source, "a Llama that rotates a share of the pairs has no scaling but by a factor");
  }
  if (config.norms != kPreNorms || !config.gated || config.norm != NormKind::rms_with_gain ||
      config.embedding != config.hidden) {
    refuse_config(source, "a Llama has pre-norm RMS norms with gains, a gate, and embeddings of hidden_size {}",
                  config.hidden);
  }
  decoder_keys::require_causal(config, source, "Llama");
}

constexpr const char* kLlamaSigns[] = {"*self_attn.q_proj.weight"};

}  // namespace

constinit const Family families::llama{.name = "llama",
                                       .model_types = kLlamaTypes,
                                       .architectures = kLlamaArchitectures,
                                       .trunk = "model",
                                       .signs = kLlamaSigns,
                                       .tensors = kLlamaTensors,
                                       .ignored = decoder_keys::kIgnored,
                                       .head_tensors = kLlamaHeadTensors,
                                       .keys = llama_keys,
                                       .complete = complete_llama,
                                       .causal_setting = "llama, a causal model"};

}  // namespace roformer
