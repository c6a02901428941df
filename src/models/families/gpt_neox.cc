// GPT-NeoX (Black et al. 2022), also Pythia: pre-norm LayerNorms, optionally parallel residuals
// (`use_parallel_residual`); partial rotation in the layout half; q, k and v in one matrix, interleaved by head; biases
// except in the output.
#include "models/families/decoder_keys.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "models/rotary_json.h"
#include "models/stack_config.h"

namespace roformer {

namespace {

constexpr std::string_view kNeoXTypes[] = {"gpt_neox"};
constexpr Architecture kNeoXArchitectures[] = {{"GPTNeoXModel", Head::none}, {"GPTNeoXForCausalLM", Head::causal_lm}};
// GPTNeoXConfig's defaults.
constexpr decoder_keys::Usual kUsual{.activation = "gelu", .max_positions = 2048};
constexpr double kShare = 0.25;

constexpr TensorRule kTensors[] = {
    {"embeddings.words.weight", ".embed_in.weight"},
    {"layers.*.attention.query.*", ".layers.*.attention.query_key_value.*", Arrangement::by_head, 0, 3},
    {"layers.*.attention.key.*", ".layers.*.attention.query_key_value.*", Arrangement::by_head, 1, 3},
    {"layers.*.attention.value.*", ".layers.*.attention.query_key_value.*", Arrangement::by_head, 2, 3},
    {"layers.*.attention.output.*", ".layers.*.attention.dense.*"},
    {"layers.*.attention.norm.*", ".layers.*.input_layernorm.*"},
    {"layers.*.feed_forward.up.*", ".layers.*.mlp.dense_h_to_4h.*"},
    {"layers.*.feed_forward.down.*", ".layers.*.mlp.dense_4h_to_h.*"},
    {"layers.*.feed_forward.norm.*", ".layers.*.post_attention_layernorm.*"},
    {"final_norm.*", ".final_layer_norm.*"},
    {"head.output.weight", "embed_out.weight"},
};
constexpr Spelling kSpellings[] = {{"embed_out.weight", "lm_head.weight"}};  // in-memory name in transformers 5
constexpr const char* kHeadTensors[] = {"embed_out.*"};

RotaryPosition usual_rotation() {
  RotaryPosition position;
  position.share = kShare;
  return position;
}

// Keys that transformers writes beside this family's own names for them, and never reads there.
constexpr std::pair<std::string_view, const char*> kRepeats[] = {{"rope_theta", "rotary_emb_base"},
                                                                 {"partial_rotary_factor", "rotary_pct"}};

// New files have "rope_parameters" with the rotated fraction, older ones "rotary_pct" and "rotary_emb_base".
RotaryPosition read_rotation(const JsonObject& json) {
  RotaryPosition position = usual_rotation();
  position.share = json.get_double("rotary_pct", position.share);
  position.rotary.base = json.get_double("rotary_emb_base", position.rotary.base);
  Json read = json.value();
  for (const auto& [key, own_name] : kRepeats) read.erase(key);
  return decoder_keys::read_half_rotation(JsonObject(read, json.source()), position, kUsual.max_positions);
}

// Whether `key` of `file` is read, or says what the family's own name for it does.
bool is_known(const JsonObject& file, std::string_view key) {
  const auto repeat = std::ranges::find(kRepeats, key, [](const auto& pair) { return pair.first; });
  if (repeat == std::end(kRepeats) || !file.has(std::string(key))) return true;
  const double usual = key == "rope_theta" ? Rotary().base : kShare;
  return file.value().at(key) == file.get_double(repeat->second, usual);
}

void write_rotation(const ModelConfig& config, Json& json) {
  const auto& position = std::get<RotaryPosition>(config.position);
  write_rotary(position, config.head_dim(), json);
  for (const char* key : {"rotary_layout", "rotary_dim", "partial_rotary_factor", "rope_theta"}) json.erase(key);
  json["rotary_pct"] = position.share;
  json["rotary_emb_base"] = position.rotary.base;
}

void gpt_neox_keys(ConfigKeys& keys, ModelConfig& config) {
  decoder_keys::common_keys(keys, config, "gpt_neox", kUsual);
  keys.flag("attention_bias", config.biased, true);
  keys.real("hidden_dropout", config.hidden_dropout, 0);
  keys.real("layer_norm_eps", config.norm_epsilon, 1e-5);
  keys.others(
      {"use_parallel_residual"},
      [&](const JsonObject& json) {
        const bool parallel = json.get_bool("use_parallel_residual", true);
        config.parallel_residual = parallel ? ParallelResidual::two_norms : ParallelResidual::none;
        config.feed_forward_biased = true;
      },
      [&](Json& json) { json["use_parallel_residual"] = config.parallel_residual != ParallelResidual::none; });
  keys.others(
      {"rotary_pct", "rotary_emb_base"}, [&](const JsonObject& json) { config.position = read_rotation(json); },
      [&](Json& json) { write_rotation(config, json); });
  for (const std::string_view key : rotary_keys()) {
    if (keys.file() == nullptr || is_known(*keys.file(), key)) keys.ignored({key});
  }
  keys.ignored({"classifier_dropout", "is_decoder"});
}

void complete_gpt_neox(ModelConfig& config, const std::string& source) {
  config.head_transform = false;
  ModelConfig rest = config;  // apart from the residual, which the files express
  if (rest.parallel_residual == ParallelResidual::two_norms) rest.parallel_residual = ParallelResidual::none;
  check_plain_stack(rest, source);
  const auto* position = std::get_if<RotaryPosition>(&config.position);
  if (position == nullptr || position->rotary.layout != RotaryLayout::half || position->learned || position->xpos ||
      position->rotate_values) {
    refuse_config(source, "a GPT-NeoX has partial rotary positions in the layout \"half\"");
  }
  if (config.norms != kPreNorms || config.norm != NormKind::layer || config.gated || config.kv_heads != 0 ||
      config.embedding != config.hidden) {
    refuse_config(source,
                  "a GPT-NeoX has pre-norm LayerNorms, no gate, as many key heads as query heads, and "
                  "embeddings of hidden_size {}",
                  config.hidden);
  }
  decoder_keys::require_causal(config, source, "a GPT-NeoX");
}

constexpr const char* kNeoXSigns[] = {"*.attention.query_key_value.weight"};

}  // namespace

constinit const Family families::gpt_neox{.name = "gpt_neox",
                                          .model_types = kNeoXTypes,
                                          .architectures = kNeoXArchitectures,
                                          .trunk = "gpt_neox",
                                          .signs = kNeoXSigns,
                                          .tensors = kTensors,
                                          .spellings = kSpellings,
                                          .ignored = decoder_keys::kIgnored,
                                          .head_tensors = kHeadTensors,
                                          .keys = gpt_neox_keys,
                                          .complete = complete_gpt_neox,
                                          .causal_setting = "gpt_neox, a causal model"};

}  // namespace roformer
