// Gemma (Gemma Team 2024), Gemma 2 (2024) and the text model of Gemma 3 (2025): Llamas whose embeddings are multiplied
// by the root of the hidden size and whose RMS norms multiply by 1 + weight. Gemma 2 norms the outputs of its
// sub-layers, too, has soft caps, and a window in every other layer; Gemma 3 has norms of queries and keys in place of
// the caps, a window in five of six layers, and another rotation in these.
#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "models/families/llama_like.h"
#include "models/rotary_json.h"

namespace roformer {

namespace {

constexpr std::string_view kGemmaTypes[] = {"gemma"}, kGemma2Types[] = {"gemma2"}, kGemma3Types[] = {"gemma3_text"};
constexpr Architecture kGemmaArchitectures[] = {{"GemmaModel", Head::none}, {"GemmaForCausalLM", Head::causal_lm}};
constexpr Architecture kGemma2Architectures[] = {{"Gemma2Model", Head::none}, {"Gemma2ForCausalLM", Head::causal_lm}};
constexpr Architecture kGemma3Architectures[] = {{"Gemma3TextModel", Head::none},
                                                 {"Gemma3ForCausalLM", Head::causal_lm}};

// The norms behind the sub-layers take the name that the norm before the feed-forward network has in a Llama.
constexpr auto kFourNorms = llama_like::tensors_after(std::to_array<TensorRule>({
    {"layers.*.attention.output_norm.*", ".layers.*.post_attention_layernorm.*"},
    {"layers.*.feed_forward.norm.*", ".layers.*.pre_feedforward_layernorm.*"},
    {"layers.*.feed_forward.output_norm.*", ".layers.*.post_feedforward_layernorm.*"},
}));
constexpr StackNorms kNormsAround{.sublayer = {.input = true, .output = true}, .last = true};

// The first name of an activation is written. In files of the first Gemma "gelu" means the tanh form, too.
constexpr auto kGemmaActivations =
    std::to_array<std::pair<const char*, Activation>>({{"gelu_pytorch_tanh", Activation::gelu_tanh},
                                                       {"gelu", Activation::gelu_tanh},
                                                       {"relu", Activation::relu},
                                                       {"tanh", Activation::tanh},
                                                       {"gelu_new", Activation::gelu_tanh},
                                                       {"gelu_fast", Activation::gelu_tanh},
                                                       {"silu", Activation::silu},
                                                       {"swish", Activation::silu},
                                                       {"linear", Activation::none}});
constexpr auto kLaterActivations =
    std::to_array<std::pair<const char*, Activation>>({{"gelu_pytorch_tanh", Activation::gelu_tanh},
                                                       {"gelu", Activation::gelu},
                                                       {"relu", Activation::relu},
                                                       {"tanh", Activation::tanh},
                                                       {"gelu_new", Activation::gelu_tanh},
                                                       {"gelu_fast", Activation::gelu_tanh},
                                                       {"silu", Activation::silu},
                                                       {"swish", Activation::silu},
                                                       {"linear", Activation::none}});

// The defaults of GemmaConfig, Gemma2Config and Gemma3TextConfig.
constexpr const char* kTanh = "gelu_pytorch_tanh";
constexpr llama_like::Kind kGemma{
    .model_type = "gemma",
    .name = "a Gemma",
    .usual = {.activation = kTanh, .max_positions = 8192, .tied = true, .kv_heads = 16, .head_size = 256},
    .names = {.activations = kGemmaActivations},
    .norm = NormKind::rms_one_plus_gain};
constexpr llama_like::Kind kGemma2{
    .model_type = "gemma2",
    .name = "a Gemma 2",
    .usual = {.activation = kTanh, .max_positions = 8192, .tied = true, .kv_heads = 4, .head_size = 256},
    .names = {.activation = "hidden_activation", .activations = kLaterActivations},
    .norm = NormKind::rms_one_plus_gain};
constexpr llama_like::Kind kGemma3{
    .model_type = "gemma3_text",
    .name = "a Gemma 3",
    .usual = {.activation = kTanh, .max_positions = 131072, .tied = true, .kv_heads = 4, .head_size = 256},
    .names = {.activation = "hidden_activation", .activations = kLaterActivations},
    .norm = NormKind::rms_one_plus_gain,
    .query_key_norms = true};
constexpr int64_t kGemmaWindow = 4096, kGemma3Pattern = 6, kGemmaScalar = 256;
constexpr double kScoreCap = 50, kLogitCap = 30;
constexpr double kGlobalBase = 1e6, kLocalBase = 1e4;

// The types of weights that the factor of the embeddings is rounded to, with their binary digits.
constexpr std::pair<const char*, int> kWeightTypes[] = {{"float32", 24}, {"bfloat16", 8}, {"float16", 11}};

// √hidden as transformers multiplies by it: in float32, then in the weights' type.
double root_of(int64_t hidden, int digits) {
  int exponent = 0;
  const double root = static_cast<float>(std::sqrt(static_cast<double>(hidden)));
  const double fraction = std::frexp(root, &exponent);
  return std::ldexp(std::nearbyint(std::ldexp(fraction, digits)), exponent - digits);
}

// "dtype" of a file says how its weights are meant to be used.
void read_scale(const JsonObject& json, ModelConfig& config) {
  const std::string type = json.get_string(json.has("dtype") ? "dtype" : "torch_dtype", kWeightTypes[0].first);
  const auto* found =
      std::ranges::find(kWeightTypes, type, [](const auto& one) { return std::string_view(one.first); });
  config.embedding_scale =
      root_of(config.hidden, found == std::end(kWeightTypes) ? kWeightTypes[0].second : found->second);
}

void write_scale(const ModelConfig& config, Json& json) {
  if (config.embedding_scale == root_of(config.hidden, kWeightTypes[0].second)) return;
  for (const auto& [type, digits] : kWeightTypes) {
    if (config.embedding_scale == root_of(config.hidden, digits)) json["dtype"] = type;
  }
}

void widen_scale(ModelConfig& config) { config.embedding_scale = root_of(config.hidden, kWeightTypes[0].second); }

// After a change of the hidden size.
void complete_scale(ModelConfig& config) {
  const bool known = std::ranges::any_of(
      kWeightTypes, [&](const auto& one) { return config.embedding_scale == root_of(config.hidden, one.second); });
  if (!known) widen_scale(config);
}

void gemma_common_keys(ConfigKeys& keys, ModelConfig& config, const llama_like::Kind& kind) {
  llama_like::common_keys(keys, config, kind);
  keys.others(
      {"dtype", "torch_dtype", "use_bidirectional_attention"},
      [&](const JsonObject& json) {
        if (json.get_bool("use_bidirectional_attention", false)) json.reject("use_bidirectional_attention", "false");
        read_scale(json, config);
      },
      [&](Json& json) { write_scale(config, json); });
  // What this generation reads under another name.
  const bool first = std::string_view(kind.names.activation) == "hidden_act";
  const char* const other = first ? "hidden_activation" : "hidden_act";
  decoder_keys::repeated(keys, other, [&, other](const JsonObject& json) {
    const std::span table = kind.names.activations;
    return parse_name(json, other, table, kTanh) == parse_name(json, kind.names.activation, table, kTanh);
  });
  keys.ignored({"cache_implementation"});
}

// A cap, 0 where it is null.
double read_cap(const JsonObject& json, const char* key, double fallback) {
  if (!json.has(key)) return json.value().contains(key) ? 0 : fallback;
  const double cap = json.get_double(key, std::nullopt);
  if (!(cap > 0)) json.reject(key, "a number above 0, or null");
  return cap;
}

// Gemma 2 and 3: norms, the scale of the scores, and the cap of the logits.
void later_keys(ConfigKeys& keys, ModelConfig& config, double logit_cap) {
  keys.others(
      {"query_pre_attn_scalar", "final_logit_softcapping"},
      [&](const JsonObject& json) {
        config.norms = kNormsAround;
        const double scalar = json.get_double("query_pre_attn_scalar", kGemmaScalar);
        if (!(scalar > 0)) json.reject("query_pre_attn_scalar", "a number above 0");
        config.attention_scale = 1 / std::sqrt(scalar);
        config.logit_cap = read_cap(json, "final_logit_softcapping", logit_cap);
      },
      [&](Json& json) {
        const double scale = config.attention_scale;
        const double scalar = scale == 0 ? static_cast<double>(config.head_dim()) : 1 / (scale * scale);
        const auto whole = std::llround(scalar);
        const bool is_whole = scale == 0 || 1 / std::sqrt(static_cast<double>(whole)) == scale;
        json["query_pre_attn_scalar"] = is_whole ? Json(whole) : Json(scalar);
        json["final_logit_softcapping"] = config.logit_cap == 0 ? Json() : Json(config.logit_cap);
      });
}

void gemma_keys(ConfigKeys& keys, ModelConfig& config) {
  gemma_common_keys(keys, config, kGemma);
  llama_like::rotation_keys(keys, config, kGemma);
}

void gemma2_keys(ConfigKeys& keys, ModelConfig& config) {
  gemma_common_keys(keys, config, kGemma2);
  later_keys(keys, config, kLogitCap);
  keys.others(
      {"attn_logit_softcapping"},
      [&](const JsonObject& json) { config.score_cap = read_cap(json, "attn_logit_softcapping", kScoreCap); },
      [&](Json& json) { json["attn_logit_softcapping"] = config.score_cap == 0 ? Json() : Json(config.score_cap); });
  llama_like::rotation_keys(keys, config, kGemma2);
  keys.others(
      {"sliding_window", "layer_types"},
      [&](const JsonObject& json) {
        const auto sliding = decoder_keys::read_layer_types(json, config, [](int64_t layer) { return layer % 2 == 0; });
        decoder_keys::set_windows(json, config, sliding, decoder_keys::read_window(json, kGemmaWindow));
      },
      [&](Json& json) { decoder_keys::write_layer_types(config, json); });
}

constexpr const char *kGlobal = "full_attention", *kLocal = "sliding_attention";

// The file as if the layers of `type` were all: their settings are in an object of "rope_parameters", or beside it,
// with the base under `base_key` and, for the global ones, a scaling.
RotaryPosition read_rotation_of(const JsonObject& json, const char* type, const char* base_key, double base) {
  Json flat = json.value();
  if (base_key != std::string_view("rope_theta")) {
    for (const char* key : {"rope_theta", "rope_scaling"}) flat.erase(key);
    base = json.get_double(base_key, base);
  }
  if (json.has("rope_parameters")) {
    const JsonObject parameters = json.get_object("rope_parameters");
    for (const auto& [key, value] : parameters.value().items()) {
      if (key != kGlobal && key != kLocal) {
        json.reject("rope_parameters", fmt::format("objects {} and {}", quote(kGlobal), quote(kLocal)));
      }
    }
    flat["rope_parameters"] = parameters.has(type) ? parameters.get_object(type).value() : Json();
  }
  RotaryPosition position;
  position.rotary.base = base;
  return decoder_keys::read_half_rotation(JsonObject(flat, json.source()), position, kGemma3.usual.max_positions);
}

void read_gemma3_layers(const JsonObject& json, ModelConfig& config) {
  const int64_t pattern = json.get_int("sliding_window_pattern", kGemma3Pattern, 1);
  const auto sliding =
      decoder_keys::read_layer_types(json, config, [&](int64_t layer) { return (layer + 1) % pattern != 0; });
  decoder_keys::set_windows(json, config, sliding, decoder_keys::read_window(json, kGemmaWindow));
  const RotaryPosition global = read_rotation_of(json, kGlobal, "rope_theta", kGlobalBase);
  const RotaryPosition local = read_rotation_of(json, kLocal, "rope_local_base_freq", kLocalBase);
  config.position = global;
  config.layer_rotary.clear();
  for (const bool slides : sliding) config.layer_rotary.push_back(slides ? local.rotary : global.rotary);
}

// The rotations of the layers without and with a window; none where there is no such layer. False if layers of one kind
// differ.
struct Rotations {
  std::optional<Rotary> global, local;
  bool same = true;
};
Rotations rotations_of(const ModelConfig& config) {
  Rotations found;
  for (int64_t i = 0; i < config.layers; ++i) {
    const Rotary& own = config.layer_rotary.empty() ? std::get<RotaryPosition>(config.position).rotary
                                                    : config.layer_rotary[static_cast<size_t>(i)];
    std::optional<Rotary>& kind = config.window_of(i).all() ? found.global : found.local;
    if (kind && *kind != own) found.same = false;
    kind = own;
  }
  return found;
}

// The object of "rope_parameters" for one kind of layers.
Json rope_parameters(const Rotary& rotary, int64_t head_dim) {
  Json written = Json::object();
  decoder_keys::write_half_rotation({.rotary = rotary}, head_dim, written);
  Json object = written.contains("rope_scaling") ? written["rope_scaling"] : Json{{"rope_type", "default"}};
  object["rope_theta"] = rotary.base;
  return object;
}

// In the keys of transformers 4, which also 5 reads; those have no scaling for local layers.
void write_gemma3_rotations(const ModelConfig& config, Json& json) {
  const Rotations found = rotations_of(config);
  if (found.local && !std::holds_alternative<std::monostate>(found.local->scaling)) {
    json["rope_parameters"] = {{kLocal, rope_parameters(*found.local, config.head_dim())}};
    if (found.global) json["rope_parameters"][kGlobal] = rope_parameters(*found.global, config.head_dim());
    return;
  }
  if (found.global) decoder_keys::write_half_rotation({.rotary = *found.global}, config.head_dim(), json);
  if (found.local) json["rope_local_base_freq"] = found.local->base;
}

void gemma3_keys(ConfigKeys& keys, ModelConfig& config) {
  gemma_common_keys(keys, config, kGemma3);
  later_keys(keys, config, 0);
  // As in transformers, which keeps the key and does not read it.
  decoder_keys::repeated(keys, "attn_logit_softcapping", [](const JsonObject&) { return false; });
  keys.others(
      {"sliding_window", "layer_types", "sliding_window_pattern", "rope_local_base_freq"},
      [&](const JsonObject& json) { read_gemma3_layers(json, config); },
      [&](Json& json) {
        decoder_keys::write_layer_types(config, json);
        write_gemma3_rotations(config, json);
      });
  keys.others(rotary_keys(), {}, {});
  // Written by transformers 5 beside the list of layers.
  decoder_keys::repeated(keys, "_sliding_window_pattern", [](const JsonObject& json) {
    return json.has("layer_types") ||
           json.value().at("_sliding_window_pattern") == json.get_int("sliding_window_pattern", kGemma3Pattern);
  });
}

// Those of each object of "rope_parameters", too.
std::vector<std::string> unread_gemma3_keys(const JsonObject& json, std::string_view key) {
  if (key != "rope_parameters" || !json.has("rope_parameters")) return unread_rotary_keys(json, key);
  std::vector<std::string> unread;
  const JsonObject parameters = json.get_object("rope_parameters");
  for (const char* type : {kGlobal, kLocal}) {
    if (!parameters.has(type)) continue;
    const JsonObject one(Json{{"rope_parameters", parameters.value().at(type)}}, json.source());
    for (const std::string& name : unread_rotary_keys(one, key)) {
      unread.push_back(
          fmt::format("rope_parameters.{}{}", type, name.substr(std::string_view("rope_parameters").size())));
    }
  }
  return unread;
}

void complete_gemma(ModelConfig& config, const std::string& source) {
  complete_scale(config);
  llama_like::complete(config, source, kGemma, {.scores = true});
  if (config.attention_scale != 0 || config.score_cap != 0 || config.logit_cap != 0) {
    refuse_config(source, "a Gemma has no caps, and no scale of scores of its own");
  }
}

void complete_gemma2(ModelConfig& config, const std::string& source) {
  complete_scale(config);
  llama_like::complete(config, source, kGemma2, {.windows = true, .scores = true, .norms = kNormsAround});
}

void complete_gemma3(ModelConfig& config, const std::string& source) {
  complete_scale(config);
  llama_like::complete(config, source, kGemma3,
                       {.windows = true, .scores = true, .layer_rotary = true, .norms = kNormsAround});
  if (config.score_cap != 0) refuse_config(source, "a Gemma 3 has no cap of scores");
  if (!rotations_of(config).same) {
    refuse_config(source, "a Gemma 3 has one rotation for the layers with a window and one for the others");
  }
}

}  // namespace

constinit const Family families::gemma{.name = "gemma",
                                       .model_types = kGemmaTypes,
                                       .architectures = kGemmaArchitectures,
                                       .trunk = "model",
                                       .signs = {},
                                       .tensors = llama_like::kTensors,
                                       .ignored = decoder_keys::kIgnored,
                                       .head_tensors = llama_like::kHeadTensors,
                                       .keys = gemma_keys,
                                       .complete = complete_gemma,
                                       .widen = widen_scale,
                                       .causal_setting = "gemma, a causal model"};

constinit const Family families::gemma2{.name = "gemma2",
                                        .model_types = kGemma2Types,
                                        .architectures = kGemma2Architectures,
                                        .trunk = "model",
                                        .signs = {},
                                        .tensors = kFourNorms,
                                        .ignored = decoder_keys::kIgnored,
                                        .head_tensors = llama_like::kHeadTensors,
                                        .keys = gemma2_keys,
                                        .complete = complete_gemma2,
                                        .widen = widen_scale,
                                        .causal_setting = "gemma2, a causal model"};

constinit const Family families::gemma3{.name = "gemma3_text",
                                        .model_types = kGemma3Types,
                                        .architectures = kGemma3Architectures,
                                        .trunk = "model",
                                        .signs = {},
                                        .tensors = kFourNorms,
                                        .ignored = decoder_keys::kIgnored,
                                        .head_tensors = llama_like::kHeadTensors,
                                        .keys = gemma3_keys,
                                        .complete = complete_gemma3,
                                        .widen = widen_scale,
                                        .unread = unread_gemma3_keys,
                                        .causal_setting = "gemma3_text, a causal model"};

}  // namespace roformer
