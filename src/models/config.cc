// A config's names, what it counts, and the shapes that people ask for. complete() is in complete_config.cc.
#include "models/config.h"

#include <algorithm>

#include <fmt/ranges.h>

#include "base/error.h"

namespace roformer {

namespace {

int64_t norm_parameters(NormKind norm, int64_t width) {
  return norm == NormKind::layer ? 2 * width : norm == NormKind::rms_with_gain ? width : 0;
}

int64_t head_parameters(const ModelConfig& config) {
  const int64_t hidden = config.hidden, outputs = config.head_outputs();
  const int64_t dense = hidden * hidden + hidden, classifier = outputs * hidden + outputs;
  switch (config.head) {
    case Head::none: return 0;
    case Head::masked_lm:
    case Head::causal_lm: {
      const int64_t decoder = config.tied ? 0 : config.vocabulary * config.embedding;
      if (config.norm != NormKind::layer) return decoder;
      return decoder + hidden * config.embedding + 3 * config.embedding + config.vocabulary;
    }
    case Head::sequence_classification: return classifier + (config.family == Family::roformer ? dense : 0);
    case Head::multiple_choice: return classifier + (config.summary_projection ? dense : 0);
    case Head::token_classification:
    case Head::question_answering: return classifier;
  }
  return 0;
}

}  // namespace

const char* trunk_name(Family family) {
  switch (family) {
    case Family::roformer: return "roformer";
    case Family::bert: return "bert";
    case Family::llama: return "model";
  }
  return "";
}

Visibility parse_visibility(const std::string& name) {
  const auto found = std::ranges::find(visibility_names(), name);
  if (found == visibility_names().end()) {
    throw UsageError("unknown visibility '{}'; expected {}", name, fmt::join(visibility_names(), ", "));
  }
  return static_cast<Visibility>(found - visibility_names().begin());
}

const std::vector<std::string>& visibility_names() {
  static const std::vector<std::string> names{"all", "causal", "prefix"};
  return names;
}

bool parse_cross_rotation(const std::string& name) {
  if (name == "none") return false;
  if (name == "query") return true;
  throw UsageError("unknown rotation of cross-attention '{}'; expected none or query", name);
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

PositionsShape ModelConfig::positions_shape() const {
  const bool turned = has_random_features() && linear.rotation == FeatureRotation::after;
  return {position, hidden, heads, norm_shape(), kv_heads, turned ? linear.favor_features : 0};
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

int64_t ModelConfig::parameters() const {
  const int64_t normal = norm_parameters(norm, hidden), keys = key_heads() * head_dim();
  const int64_t expansions = gated ? 2 : 1;  // gate and up
  const bool post = norm_placement == NormPlacement::post;
  const int64_t attending = 2 * hidden * (hidden + keys) + (biased ? hidden + 2 * keys : 0) +
                            (attention_output_biased.value_or(biased) ? hidden : 0) + normal;
  const int64_t feed_forward = (expansions + 1) * hidden * intermediate +
                               (feed_forward_biased.value_or(biased) ? expansions * intermediate + hidden : 0);
  const int64_t per_layer = (cross_attention ? 2 : 1) * attending + feed_forward + normal;
  int64_t count = (vocabulary + segments) * embedding + layers * per_layer;
  count += post ? norm_parameters(norm, embedding) : normal;
  if (std::holds_alternative<LearnedPosition>(position)) count += max_positions * embedding;
  count += position_parameters(positions_shape(), layers);
  if (embedding != hidden) count += hidden * embedding + hidden;
  if (pooler) count += hidden * hidden + hidden;
  return count + head_parameters(*this);
}

bool ShapeOptions::any() const {
  return hidden_size || embedding_size || layers || heads || intermediate_size || position || !attention.empty() ||
         attention_rotation || favor_features || favor_redraw;
}

// What belongs to linear attention is no option of another.
void ShapeOptions::apply_attention(ModelConfig& config) const {
  if (!attention.empty()) {
    config.attention.clear();
    for (const std::string& name : attention) config.attention.push_back(parse_attention(name));
  }
  const auto check = [](bool given, bool has, const char* option, const char* kinds) {
    if (given && !has) throw UsageError("{} needs a layer of --attention {}", option, kinds);
  };
  const char* const linear = "linear-elu, linear-relu or linear-favor";
  check(attention_rotation.has_value(), config.has_linear_attention(), "--attention-rotation", linear);
  check(favor_features.has_value(), config.has_random_features(), "--favor-features", "linear-favor");
  check(favor_redraw.has_value(), config.has_random_features(), "--favor-redraw", "linear-favor");
  if (attention_rotation) config.linear.rotation = parse_feature_rotation(*attention_rotation);
  if (hidden_size || heads) config.linear.favor_features = 0;  // of the new head size
  if (favor_features) config.linear.favor_features = *favor_features;
  if (favor_redraw) config.linear.favor_redraw = *favor_redraw;
}

ModelConfig ShapeOptions::apply(ModelConfig config) const {
  if (hidden_size) {
    config.hidden = config.embedding = *hidden_size;
    config.intermediate = 4 * config.hidden;
  }
  if (embedding_size) config.embedding = *embedding_size;
  if (layers) config.layers = *layers;
  if (heads) config.heads = *heads;  // kv_heads 0 stays: as many
  if (intermediate_size) config.intermediate = *intermediate_size;
  const bool has_it = position && config.family == Family::llama && *position == position_name(config.position);
  if (position && !has_it) {
    config.position = parse_position(*position);
    if (config.family == Family::bert) config.family = Family::roformer;
    // As in Vaswani et al., where embeddings of deviation 1 meet sinusoids: unscaled they drown what words begin with.
    if (auto* sinusoidal = std::get_if<SinusoidalPosition>(&config.position)) {
      sinusoidal->scale = config.initializer_range;
    }
  }
  apply_attention(config);
  if (dropout) config.hidden_dropout = config.attention_dropout = *dropout;
  auto* rotary = std::get_if<RotaryPosition>(&config.position);
  if (rotary != nullptr && (hidden_size || heads)) rotary->rotary.dim = 0;  // of the new head size
  return config;
}

}  // namespace roformer
