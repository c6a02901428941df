// Names, derived sizes and shape options of configs. complete() is in complete_config.cc.
#include "models/config.h"

#include <algorithm>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/inapplicable_error.h"
#include "models/families/family.h"

namespace roformer {

AttentionMask parse_attention_mask(const std::string& name) {
  const auto found = std::ranges::find(attention_mask_names(), name);
  if (found == attention_mask_names().end()) {
    throw UsageError("{} is '{}'; expected {}", FieldName("attention_mask"), name,
                     fmt::join(attention_mask_names(), ", "));
  }
  return static_cast<AttentionMask>(found - attention_mask_names().begin());
}

const std::vector<std::string>& attention_mask_names() {
  static const std::vector<std::string> names{"all", "causal", "prefix"};
  return names;
}

const char* head_name(Head head) {
  switch (head) {
    case Head::none: return "none";
    case Head::masked_lm: return "masked language model";
    case Head::causal_lm: return "causal language model";
    case Head::sequence_classification: return "sequence classification";
    case Head::token_classification: return "token classification";
    case Head::question_answering: return "question answering";
    case Head::multiple_choice: return "multiple choice";
  }
  return "unknown";
}

bool parse_cross_rotation(const std::string& name) {
  if (name == "none") return false;
  if (name == "query") return true;
  throw UsageError("{} is '{}'; expected none or query", FieldName("cross_attention_rotation"), name);
}

bool can_rotate_cross_queries(const PositionEncoding& position) {
  const auto* rotary = std::get_if<RotaryPosition>(&position);
  return rotary != nullptr && !rotary->learned && !rotary->xpos;
}

bool ModelConfig::has_linear_attention() const {
  return std::ranges::any_of(attention, [](AttentionKind kind) { return kind != AttentionKind::softmax; });
}

bool ModelConfig::has_random_features() const {
  return std::ranges::find(attention, AttentionKind::linear_favor) != attention.end();
}

PositionsConfig ModelConfig::positions_config() const {
  const bool rotated = has_random_features() && linear.rotation == FeatureRotation::after;
  return {position, hidden,    heads,        norm_config(),
          kv_heads, head_size, layer_rotary, rotated ? linear.favor_features : 0};
}

int64_t ModelConfig::head_outputs() const {
  switch (head) {
    case Head::none: return 0;
    case Head::masked_lm:
    case Head::causal_lm: return vocabulary;
    case Head::sequence_classification:
    case Head::token_classification: return static_cast<int64_t>(labels.size());
    case Head::question_answering: return 2;
    case Head::multiple_choice: return 1;
  }
  return 0;
}

// Options of linear attention require such a layer.
void ShapeOptions::apply_attention(ModelConfig& config) const {
  if (!attention.empty()) {
    config.attention.clear();
    for (const std::string& name : attention) config.attention.push_back(parse_attention(name));
  }
  const auto check = [](bool given, bool has, const char* field, const char* kinds) {
    if (given && !has)
      throw InapplicableError("{} needs a layer of {} {}", FieldName(field), FieldName("attention"), kinds);
  };
  const char* const linear = "linear-elu, linear-relu or linear-favor";
  check(attention_rotation.has_value(), config.has_linear_attention(), "attention_rotation", linear);
  check(favor_features.has_value(), config.has_random_features(), "favor_features", "linear-favor");
  check(favor_redraw.has_value(), config.has_random_features(), "favor_redraw", "linear-favor");
  if (attention_rotation) config.linear.rotation = parse_feature_rotation(*attention_rotation);
  if (hidden_size || heads) config.linear.favor_features = 0;  // recomputed for the new head size
  if (favor_features) config.linear.favor_features = *favor_features;
  if (favor_redraw) config.linear.favor_redraw = *favor_redraw;
}

ModelConfig ShapeOptions::apply(ModelConfig config) const {
  if (hidden_size) {
    config.hidden = config.embedding = *hidden_size;
    config.intermediate = 4 * config.hidden;
  }
  if (embedding_size) config.embedding = *embedding_size;
  if (layers) {
    config.layers = *layers;
    // Settings of each layer are those of the first ones.
    const auto count = static_cast<size_t>(std::max<int64_t>(0, config.layers));
    if (config.windows.size() > std::max<size_t>(1, count)) config.windows.resize(count);
    if (config.layer_rotary.size() > count) config.layer_rotary.resize(count);
  }
  if (heads) config.heads = *heads;  // kv_heads 0 means the same
  if (intermediate_size) config.intermediate = *intermediate_size;
  const Family* any_positions = config.family->any_positions;
  const bool has_it = position && any_positions == nullptr && *position == position_name(config.position);
  if (position && !has_it) {
    config.position = parse_position(*position);
    if (any_positions != nullptr) config.family = any_positions;
    // As in Vaswani et al., where embeddings have deviation 1: unscaled sinusoids would dominate the initial
    // embeddings.
    if (auto* sinusoidal = std::get_if<SinusoidalPosition>(&config.position)) {
      sinusoidal->scale = config.initializer_range;
    }
  }
  position_options.apply(config.position);
  if (position_options.max_positions) config.max_positions = *position_options.max_positions;
  apply_attention(config);
  if (dropout) config.hidden_dropout = config.attention_dropout = *dropout;
  auto* rotary = std::get_if<RotaryPosition>(&config.position);
  if (rotary != nullptr && (hidden_size || heads)) rotary->rotary.dim = 0;  // recomputed for the new head size
  return config;
}

}  // namespace roformer
