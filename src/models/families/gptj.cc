// GPT-J (Wang & Komatsuzaki 2021): one LayerNorm a layer, whose output attention and the feed-forward network both read
// (parallel residual); the first elements of each head are rotated in adjacent pairs; biases in the feed-forward
// network and the output only.
#include <nlohmann/json.hpp>

#include "models/families/decoder_keys.h"
#include "models/stack_config.h"

namespace roformer {

namespace {

constexpr std::string_view kGptjTypes[] = {"gptj"};
constexpr Architecture kGptjArchitectures[] = {{"GPTJModel", Head::none}, {"GPTJForCausalLM", Head::causal_lm}};
// GPTJConfig's names and defaults.
constexpr decoder_keys::Usual kGptjUsual{.activation = "gelu_new", .max_positions = 2048, .end_token = 50256};
constexpr decoder_keys::Names kGptjNames{.hidden = "n_embd",
                                         .layers = "n_layer",
                                         .heads = "n_head",
                                         .intermediate = "n_inner",
                                         .activation = "activation_function",
                                         .max_positions = "n_positions",
                                         .attention_dropout = "attn_pdrop",
                                         .usual_intermediate = true};
constexpr int64_t kRotaryDim = 64;

constexpr TensorRule kGptjTensors[] = {
    {"embeddings.words.weight", ".wte.weight"},
    {"layers.*.attention.query.*", ".h.*.attn.q_proj.*"},
    {"layers.*.attention.key.*", ".h.*.attn.k_proj.*"},
    {"layers.*.attention.value.*", ".h.*.attn.v_proj.*"},
    {"layers.*.attention.output.*", ".h.*.attn.out_proj.*"},
    {"layers.*.attention.norm.*", ".h.*.ln_1.*"},
    {"layers.*.feed_forward.up.*", ".h.*.mlp.fc_in.*"},
    {"layers.*.feed_forward.down.*", ".h.*.mlp.fc_out.*"},
    {"final_norm.*", ".ln_f.*"},
    {"head.output.weight", "lm_head.weight"},
    {"head.output.bias", "lm_head.bias"},  // of an untied output
    {"head.bias", "lm_head.bias"},
};
constexpr const char* kGptjHeadTensors[] = {"lm_head.*"};

void gptj_keys(ConfigKeys& keys, ModelConfig& config) {
  decoder_keys::common_keys(keys, config, "gptj", kGptjUsual, kGptjNames);
  keys.real("resid_pdrop", config.hidden_dropout, 0);
  decoder_keys::repeated(keys, "embd_pdrop", [&](const JsonObject& json) {
    return json.get_double("embd_pdrop", 0) == json.get_double("resid_pdrop", 0);
  });
  keys.real("layer_norm_epsilon", config.norm_epsilon, 1e-5);
  keys.others(
      {"rotary_dim"},
      [&](const JsonObject& json) {
        if (json.value().contains("rotary_dim") && !json.has("rotary_dim")) json.reject("rotary_dim", "a number");
        config.position = RotaryPosition{.rotary = {.dim = json.get_int("rotary_dim", kRotaryDim, 1)}};
        config.parallel_residual = ParallelResidual::one_norm;
        config.biased = false;
        config.feed_forward_biased = true;
      },
      [&](Json& json) { json["rotary_dim"] = std::get<RotaryPosition>(config.position).rotary.dim; });
  for (const std::string_view key : {"rotary", "scale_attn_weights"}) {
    decoder_keys::repeated(keys, key,
                           [key](const JsonObject& json) { return json.value().at(std::string(key)) == true; });
  }
  decoder_keys::ignored_summary_keys(keys);
}

void complete_gptj(ModelConfig& config, const std::string& source) {
  config.head_transform = false;
  config.output_bias = true;
  ModelConfig rest = config;  // apart from the residual
  if (rest.parallel_residual == ParallelResidual::one_norm) rest.parallel_residual = ParallelResidual::none;
  check_plain_stack(rest, source);
  const auto* position = std::get_if<RotaryPosition>(&config.position);
  if (position == nullptr || *position != RotaryPosition{.rotary = {.dim = position->rotary.dim}}) {
    refuse_config(source, "a GPT-J rotates adjacent pairs of the first elements of a head, with base 10000");
  }
  if (config.norms != kPreNorms || config.norm != NormKind::layer || config.gated || config.kv_heads != 0 ||
      config.parallel_residual != ParallelResidual::one_norm || config.embedding != config.hidden || config.biased ||
      config.attention_output_biased.value_or(false) || !config.feed_forward_biased.value_or(false)) {
    refuse_config(source,
                  "a GPT-J has one LayerNorm a layer, no gate, as many key heads as query heads, biases in its "
                  "feed-forward network only, and embeddings of {} {}",
                  KeyName("n_embd"), config.hidden);
  }
  decoder_keys::require_causal(config, source, "a GPT-J");
}

constexpr const char* kGptjSigns[] = {"*.mlp.fc_in.weight"};

}  // namespace

constinit const Family families::gptj{.name = "gptj",
                                      .model_types = kGptjTypes,
                                      .architectures = kGptjArchitectures,
                                      .trunk = "transformer",
                                      .signs = kGptjSigns,
                                      .tensors = kGptjTensors,
                                      .ignored = decoder_keys::kIgnored,
                                      .head_tensors = kGptjHeadTensors,
                                      .keys = gptj_keys,
                                      .complete = complete_gptj,
                                      .causal_setting = "gptj, a causal model"};

}  // namespace roformer
