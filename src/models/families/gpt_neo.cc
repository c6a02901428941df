// GPT-Neo (Black et al. 2021): GPT-3's shape with learned positions, scores that are not divided by √d, and a window in
// every other layer; biases but in queries, keys and values.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "models/families/decoder_keys.h"
#include "models/stack_config.h"

namespace roformer {

namespace {

constexpr std::string_view kGptNeoTypes[] = {"gpt_neo"};
constexpr Architecture kGptNeoArchitectures[] = {{"GPTNeoModel", Head::none}, {"GPTNeoForCausalLM", Head::causal_lm}};
// GPTNeoConfig's names and defaults.
constexpr decoder_keys::Usual kGptNeoUsual{
    .activation = "gelu_new", .max_positions = 2048, .tied = true, .end_token = 50256};
constexpr decoder_keys::Names kGptNeoNames{
    .layers = "num_layers", .heads = "num_heads", .activation = "activation_function", .usual_intermediate = true};
constexpr int64_t kGptNeoWindow = 256, kPeriods = 12, kMostLayers = 1000;
constexpr const char *kNeoGlobal = "global", *kNeoLocal = "local";

constexpr TensorRule kGptNeoTensors[] = {
    {"embeddings.words.weight", ".wte.weight"},
    {"embeddings.positions.weight", ".wpe.weight"},
    {"layers.*.attention.query.*", ".h.*.attn.attention.q_proj.*"},
    {"layers.*.attention.key.*", ".h.*.attn.attention.k_proj.*"},
    {"layers.*.attention.value.*", ".h.*.attn.attention.v_proj.*"},
    {"layers.*.attention.output.*", ".h.*.attn.attention.out_proj.*"},
    {"layers.*.attention.norm.*", ".h.*.ln_1.*"},
    {"layers.*.feed_forward.up.*", ".h.*.mlp.c_fc.*"},
    {"layers.*.feed_forward.down.*", ".h.*.mlp.c_proj.*"},
    {"layers.*.feed_forward.norm.*", ".h.*.ln_2.*"},
    {"final_norm.*", ".ln_f.*"},
    {"head.output.weight", "lm_head.weight"},
};
constexpr const char* kGptNeoHeadTensors[] = {"lm_head.*"};

// [[["global", "local"], 6], …]: lists of layers, each repeated.
std::vector<std::string> read_attention_types(const JsonObject& json) {
  const auto reject = [&] {
    json.reject("attention_types", "lists of \"global\" and \"local\", each with how often it is repeated");
  };
  const Json usual = {{{kNeoGlobal, kNeoLocal}, kPeriods}};
  const Json& value = json.has("attention_types") ? json.value().at("attention_types") : usual;
  std::vector<std::string> layers;
  if (!value.is_array()) reject();
  for (const Json& item : value) {
    const bool shaped = item.is_array() && item.size() == 2 && item[0].is_array() && item[1].is_number_integer();
    if (!shaped) reject();
    const auto times = item[1].get<int64_t>();
    if (times < 0 || times > kMostLayers || item[0].size() > static_cast<size_t>(kMostLayers)) reject();
    for (int64_t i = 0; i < times && std::ssize(layers) <= kMostLayers; ++i) {
      for (const Json& layer : item[0]) {
        if (layer != kNeoGlobal && layer != kNeoLocal) reject();
        layers.push_back(layer.get<std::string>());
      }
    }
  }
  return layers;
}

void read_layers(const JsonObject& json, ModelConfig& config) {
  const std::vector<std::string> layers = read_attention_types(json);
  const bool listed = json.has("attention_layers");
  if (listed && json.get_strings("attention_layers", std::nullopt) != layers) {
    json.reject("attention_layers", "the layers of 'attention_types'");
  }
  if (std::ssize(layers) != config.layers) {
    json.reject("attention_types", fmt::format("{} layers ('num_layers'), not {}", config.layers, layers.size()));
  }
  const int64_t window = json.get_int("window_size", kGptNeoWindow, 1, KeyWindow::kAll);
  config.windows.clear();
  for (const std::string& layer : layers) {
    config.windows.push_back(layer == kNeoLocal ? causal_window(window) : KeyWindow());
  }
}

// The shortest list that, repeated, gives the layers.
void write_layers(const ModelConfig& config, Json& json) {
  std::vector<std::string> layers;
  for (int64_t i = 0; i < config.layers; ++i) layers.emplace_back(config.window_of(i).all() ? kNeoGlobal : kNeoLocal);
  size_t period = 1;
  const auto repeats = [&] {
    if (layers.size() % period != 0) return false;
    for (size_t i = period; i < layers.size(); ++i) {
      if (layers[i] != layers[i - period]) return false;
    }
    return true;
  };
  while (period < layers.size() && !repeats()) ++period;
  const std::vector<std::string> first(layers.begin(),
                                       layers.begin() + static_cast<int64_t>(std::min(period, layers.size())));
  json["attention_types"] = Json::array({Json::array({first, layers.size() / period})});
  json["attention_layers"] = layers;
  if (const auto window = decoder_keys::window_of_layers(config, "")) json["window_size"] = *window;
}

void gpt_neo_keys(ConfigKeys& keys, ModelConfig& config) {
  decoder_keys::common_keys(keys, config, "gpt_neo", kGptNeoUsual, kGptNeoNames);
  keys.real("resid_dropout", config.hidden_dropout, 0);
  decoder_keys::repeated(keys, "embed_dropout", [&](const JsonObject& json) {
    return json.get_double("embed_dropout", 0) == json.get_double("resid_dropout", 0);
  });
  keys.real("layer_norm_epsilon", config.norm_epsilon, 1e-5);
  keys.others(
      {"attention_types", "attention_layers", "window_size"},
      [&](const JsonObject& json) {
        read_layers(json, config);
        config.position = LearnedPosition{.max_positions = config.max_positions};
        config.attention_scale = 1;
        config.biased = false;
        config.attention_output_biased = config.feed_forward_biased = true;
      },
      [&](Json& json) { write_layers(config, json); });
  keys.ignored({"classifier_dropout"});
  decoder_keys::ignored_summary_keys(keys);
}

void complete_gpt_neo(ModelConfig& config, const std::string& source) {
  config.head_transform = false;
  ModelConfig rest = config;
  rest.windows.clear();
  rest.attention_scale = 0;
  check_plain_stack(rest, source);
  const auto* position = std::get_if<LearnedPosition>(&config.position);
  if (position == nullptr || position->hierarchical) {
    refuse_config(source, "a GPT-Neo has learned positions, not {}", position_name(config.position));
  }
  if (config.norms != kPreNorms || config.norm != NormKind::layer || config.gated || config.kv_heads != 0 ||
      config.attention_scale != 1 || config.embedding != config.hidden || config.biased ||
      !config.attention_output_biased.value_or(false) || !config.feed_forward_biased.value_or(false)) {
    refuse_config(source,
                  "a GPT-Neo has pre-norm LayerNorms, no gate, as many key heads as query heads, unscaled scores, "
                  "biases but in queries, keys and values, and embeddings of hidden_size {}",
                  config.hidden);
  }
  decoder_keys::window_of_layers(config, source);
  decoder_keys::require_causal(config, source, "a GPT-Neo");
}

constexpr const char* kGptNeoSigns[] = {"*attn.attention.q_proj.weight"};

}  // namespace

constinit const Family families::gpt_neo{.name = "gpt_neo",
                                         .model_types = kGptNeoTypes,
                                         .architectures = kGptNeoArchitectures,
                                         .trunk = "transformer",
                                         .signs = kGptNeoSigns,
                                         .tensors = kGptNeoTensors,
                                         .ignored = decoder_keys::kIgnored,
                                         .head_tensors = kGptNeoHeadTensors,
                                         .keys = gpt_neo_keys,
                                         .complete = complete_gpt_neo,
                                         .causal_setting = "gpt_neo, a causal model"};

}  // namespace roformer
