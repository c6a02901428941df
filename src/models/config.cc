#include "models/config.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include <fmt/ranges.h>

#include "base/error.h"

namespace roformer {

namespace {

constexpr std::array<std::pair<const char*, Activation>, 3> kActivations{
    {{"gelu", Activation::gelu}, {"relu", Activation::relu}, {"tanh", Activation::tanh}}};

template <class... Args>
[[noreturn]] void refuse(const std::string& source, fmt::format_string<Args...> format, Args&&... args) {
  const std::string message = fmt::format(format, std::forward<Args>(args)...);
  if (source.empty()) throw UsageError("{}", message);
  throw DataError("{}: {}", source, message);
}

void check_range(const std::string& source, const char* key, int64_t value, int64_t low, int64_t high) {
  if (value < low || value > high) refuse(source, "{} is {}, expected {} to {}", key, value, low, high);
}

void check_share(const std::string& source, const char* key, double value) {
  if (!(value >= 0 && value < 1)) refuse(source, "{} is {}, expected at least 0 and less than 1", key, value);
}

Activation parse_activation(const JsonObject& json) {
  const std::string name = json.get_string("hidden_act", "gelu");
  for (const auto& [known, activation] : kActivations) {
    if (name == known) return activation;
  }
  json.reject("hidden_act", "gelu, relu or tanh");
}

Head parse_head(const JsonObject& json) {
  const auto names = json.get_strings("architectures", std::vector<std::string>{});
  if (names.empty() || names[0] == "RoFormerModel") return Head::none;
  if (names[0] == "RoFormerForMaskedLM") return Head::masked_lm;
  json.reject("architectures", "RoFormerForMaskedLM or RoFormerModel first");
}

PositionEncoding parse_position_of(const JsonObject& json, int64_t max_positions) {
  const std::string type = json.get_string("model_type", "roformer");
  if (type != "roformer" && type != "roformer_variant") json.reject("model_type", "\"roformer\"");
  const std::string name = json.get_string("position_embedding_type", "rotary");
  if (std::ranges::find(position_names(), name) == position_names().end()) {
    json.reject("position_embedding_type", "none, sinusoidal, learned or rotary");
  }
  PositionEncoding position = parse_position(name);
  if (auto* rotary = std::get_if<RotaryPosition>(&position)) {
    rotary->rotate_values = json.get_bool("rotary_value", false);
  }
  if (auto* learned = std::get_if<LearnedPosition>(&position)) learned->max_positions = max_positions;
  return position;
}

// Settings that would change the result and that this program does not have yet.
void refuse_unsupported(const JsonObject& json) {
  for (const char* key : {"is_decoder", "add_cross_attention"}) {
    if (json.get_bool(key, false)) json.reject(key, "false (decoders are not supported)");
  }
  if (!json.get_bool("tie_word_embeddings", true)) json.reject("tie_word_embeddings", "true");
  if (!json.get_bool("use_bias", true)) json.reject("use_bias", "true");
  if (json.get_string("norm_type", "layer_norm") != "layer_norm") json.reject("norm_type", "\"layer_norm\"");
}

const std::set<std::string>& known_keys() {
  static const std::set<std::string> keys{
      "vocab_size", "embedding_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
      "hidden_act", "hidden_dropout_prob", "attention_probs_dropout_prob", "max_position_embeddings", "type_vocab_size",
      "initializer_range", "layer_norm_eps", "pad_token_id", "rotary_value", "is_decoder", "add_cross_attention",
      "tie_word_embeddings", "use_bias", "norm_type", "position_embedding_type", "model_type", "architectures",
      // no influence on what this program computes
      "use_cache", "bos_token_id", "eos_token_id", "torch_dtype", "dtype", "transformers_version", "_name_or_path",
      "chunk_size_feed_forward", "num_labels", "problem_type", "pooler_activation", "classifier_dropout", "id2label",
      "label2id", "gradient_checkpointing", "return_dict", "output_hidden_states", "output_attentions",
      "tokenizer_class"};
  return keys;
}

}  // namespace

int64_t ModelConfig::parameters() const {
  const int64_t per_layer =
      4 * (hidden * hidden + hidden) + 2 * hidden * intermediate + intermediate + hidden + 4 * hidden;
  int64_t count = (vocabulary + segments + 2) * embedding + layers * per_layer;
  if (std::holds_alternative<LearnedPosition>(position)) count += max_positions * embedding;
  if (embedding != hidden) count += hidden * embedding + hidden;
  if (head == Head::masked_lm) count += hidden * embedding + 3 * embedding + vocabulary;
  return count;
}

void complete(ModelConfig& config, const std::string& source) {
  constexpr int64_t kWidest = 65536;
  check_range(source, "vocab_size", config.vocabulary, 1, 10'000'000);
  check_range(source, "hidden_size", config.hidden, 1, kWidest);
  check_range(source, "embedding_size", config.embedding, 1, kWidest);
  check_range(source, "num_hidden_layers", config.layers, 0, 1000);
  check_range(source, "num_attention_heads", config.heads, 1, kWidest);
  check_range(source, "intermediate_size", config.intermediate, 1, 4 * kWidest);
  check_range(source, "max_position_embeddings", config.max_positions, 1, kMaxRotaryPosition);
  check_range(source, "type_vocab_size", config.segments, 1, kWidest);
  check_range(source, "pad_token_id", config.pad_id, 0, config.vocabulary - 1);
  check_share(source, "hidden_dropout_prob", config.hidden_dropout);
  check_share(source, "attention_probs_dropout_prob", config.attention_dropout);
  if (!(config.norm_epsilon >= 0 && config.norm_epsilon < 1)) {
    refuse(source, "layer_norm_eps is {}, expected at least 0 and less than 1", config.norm_epsilon);
  }
  if (!(config.initializer_range >= 0 && config.initializer_range <= 10)) {
    refuse(source, "initializer_range is {}, expected 0 to 10", config.initializer_range);
  }
  if (config.hidden % config.heads != 0) {
    refuse(source, "hidden_size {} is not a multiple of num_attention_heads {}", config.hidden, config.heads);
  }
  if (auto* rotary = std::get_if<RotaryPosition>(&config.position)) {
    if (rotary->rotary.dim == 0) rotary->rotary.dim = config.head_dim();
    if (rotary->rotary.dim % 2 != 0) {
      refuse(source, "the head size {} (hidden_size / num_attention_heads) is odd; rotary positions turn pairs",
             rotary->rotary.dim);
    }
    try {
      validate(rotary->rotary, config.head_dim());
    } catch (const UsageError& error) {
      refuse(source, "{}", error.what());
    }
  }
  if (auto* learned = std::get_if<LearnedPosition>(&config.position)) learned->max_positions = config.max_positions;
}

ModelConfig read_config(const JsonObject& json, std::vector<std::string>* unknown) {
  ModelConfig config;
  refuse_unsupported(json);
  config.vocabulary = json.get_int("vocab_size", std::nullopt);
  config.hidden = json.get_int("hidden_size", std::nullopt);
  config.embedding = json.get_int("embedding_size", config.hidden);
  config.layers = json.get_int("num_hidden_layers", std::nullopt);
  config.heads = json.get_int("num_attention_heads", std::nullopt);
  config.intermediate = json.get_int("intermediate_size", std::nullopt);
  config.activation = parse_activation(json);
  config.hidden_dropout = json.get_double("hidden_dropout_prob", config.hidden_dropout);
  config.attention_dropout = json.get_double("attention_probs_dropout_prob", config.attention_dropout);
  config.max_positions = json.get_int("max_position_embeddings", config.max_positions);
  config.segments = json.get_int("type_vocab_size", config.segments);
  config.initializer_range = json.get_double("initializer_range", config.initializer_range);
  config.norm_epsilon = json.get_double("layer_norm_eps", config.norm_epsilon);
  config.pad_id = json.get_int("pad_token_id", config.pad_id);
  config.position = parse_position_of(json, config.max_positions);
  config.head = parse_head(json);
  complete(config, json.source());
  if (unknown != nullptr) {
    for (const auto& [key, value] : json.value().items()) {
      if (!known_keys().contains(key)) unknown->push_back(key);
    }
  }
  return config;
}

ModelConfig read_config(const std::string& path, std::vector<std::string>* unknown) {
  return read_config(JsonObject::read(path), unknown);
}

Json write_config(const ModelConfig& config) {
  const auto* rotary = std::get_if<RotaryPosition>(&config.position);
  if (rotary != nullptr && rotary->rotary != Rotary{.dim = config.head_dim()}) {
    throw DataError("config.json of a RoFormer cannot say another rotary base, layout or partial dimension");
  }
  const auto* sinusoidal = std::get_if<SinusoidalPosition>(&config.position);
  if (sinusoidal != nullptr && *sinusoidal != SinusoidalPosition{}) {
    throw DataError("config.json of a RoFormer cannot say another arrangement of sinusoids");
  }
  Json json{{"model_type", rotary != nullptr ? "roformer" : "roformer_variant"},
            {"architectures", {config.head == Head::masked_lm ? "RoFormerForMaskedLM" : "RoFormerModel"}},
            {"vocab_size", config.vocabulary},
            {"embedding_size", config.embedding},
            {"hidden_size", config.hidden},
            {"num_hidden_layers", config.layers},
            {"num_attention_heads", config.heads},
            {"intermediate_size", config.intermediate},
            {"hidden_dropout_prob", config.hidden_dropout},
            {"attention_probs_dropout_prob", config.attention_dropout},
            {"max_position_embeddings", config.max_positions},
            {"type_vocab_size", config.segments},
            {"initializer_range", config.initializer_range},
            {"layer_norm_eps", config.norm_epsilon},
            {"pad_token_id", config.pad_id},
            {"tie_word_embeddings", true}};
  for (const auto& [name, activation] : kActivations) {
    if (activation == config.activation) json["hidden_act"] = name;
  }
  if (rotary != nullptr) {
    json["rotary_value"] = rotary->rotate_values;
  } else {
    json["position_embedding_type"] = position_name(config.position);
  }
  return json;
}

bool ShapeOptions::any() const {
  return hidden_size || embedding_size || layers || heads || intermediate_size || position;
}

ModelConfig ShapeOptions::apply(ModelConfig config) const {
  if (hidden_size) {
    config.hidden = config.embedding = *hidden_size;
    config.intermediate = 4 * config.hidden;
  }
  if (embedding_size) config.embedding = *embedding_size;
  if (layers) config.layers = *layers;
  if (heads) config.heads = *heads;
  if (intermediate_size) config.intermediate = *intermediate_size;
  if (position) config.position = parse_position(*position);
  if (dropout) config.hidden_dropout = config.attention_dropout = *dropout;
  if (auto* rotary = std::get_if<RotaryPosition>(&config.position)) rotary->rotary.dim = 0;  // of the new head size
  return config;
}

const std::vector<std::string>& preset_names() {
  static const std::vector<std::string> names{"demo", "roformer-small", "roformer-base", "paper-mlm"};
  return names;
}

ModelConfig preset_config(const std::string& name) {
  ModelConfig config;
  if (name == "demo") {
    config.vocabulary = 8000;
    config.hidden = config.embedding = 256;
    config.layers = config.heads = 4;
    config.intermediate = 1024;
    config.max_positions = 512;
  } else if (name == "roformer-small") {
    config.hidden = config.embedding = 384;
    config.layers = config.heads = 6;
    config.intermediate = 1536;
    config.max_positions = 512;
  } else if (name == "paper-mlm") {  // bert-base-uncased with rotary positions (paper.md 2.2)
    config.vocabulary = 30522;
    config.max_positions = 512;
  } else if (name != "roformer-base") {
    throw UsageError("unknown preset '{}'; expected {}", name, fmt::join(preset_names(), ", "));
  }
  complete(config, "");
  return config;
}

}  // namespace roformer
