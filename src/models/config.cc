#include "models/config.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include <fmt/ranges.h>

#include "base/error.h"

namespace roformer {

namespace {

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

// What one part asks of another.
void check_parts(ModelConfig& config, const std::string& source) {
  constexpr int64_t kMostLabels = 100'000;
  check_range(source, "the number of labels", std::ssize(config.labels), 1, kMostLabels);
  check_share(source, "classifier_dropout", config.classifier_dropout.value_or(0));
  if (config.family == Family::bert) {
    if (!std::holds_alternative<LearnedPosition>(config.position)) {
      refuse(source, "a BERT has learned positions; another position encoding makes a roformer_variant");
    }
    if (config.embedding != config.hidden) {
      refuse(source, "embedding_size {} is not hidden_size {}, as a BERT's is", config.embedding, config.hidden);
    }
    if (config.head == Head::sequence_classification || config.head == Head::multiple_choice) {
      config.pooler = true;
      config.summary = Summary::pooler;
    }
  }
  if (config.norm != NormKind::layer && config.is_language_model() && config.embedding != config.hidden) {
    refuse(source, "embedding_size {} is not hidden_size {}, as the language model of a RoFormerV2 needs it",
           config.embedding, config.hidden);
  }
  if (config.cross_attention && config.visibility != Visibility::causal) {
    refuse(source, "add_cross_attention needs is_decoder");
  }
  if (config.rotate_cross_queries && !can_rotate_cross_queries(config.position)) {
    refuse(source, "cross_attention_rotation \"query\" needs rotary positions, neither learned nor xPos");
  }
}

// A Llama is what every other program takes for one; and what a Llama alone has, the other families' files cannot say.
void check_family(const ModelConfig& config, const std::string& source) {
  const bool pre = config.norm_placement == NormPlacement::pre, grouped = config.kv_heads != 0;
  if (config.family != Family::llama) {
    if (pre || grouped || config.gated || config.attention_output_biased || config.feed_forward_biased) {
      refuse(source, "grouped key and value heads, gates, norms in front and single biases are a Llama's");
    }
    return;
  }
  const auto* position = std::get_if<RotaryPosition>(&config.position);
  if (position == nullptr) refuse(source, "a Llama has rotary positions, not {}", position_name(config.position));
  const Rotary plain{.dim = config.head_dim(),
                     .layout = RotaryLayout::half,
                     .base = position->rotary.base,
                     .scaling = position->rotary.scaling};
  if (*position != RotaryPosition{.rotary = plain}) {
    refuse(source, "a Llama's rotation turns all of a head, in the layout \"half\", and is neither learned nor xPos");
  }
  if (!pre || !config.gated || config.norm != NormKind::rms_with_gain || config.embedding != config.hidden) {
    refuse(source, "a Llama has RMS norms with gains in front, a gate, and embeddings of hidden_size {}",
           config.hidden);
  }
  if (config.visibility == Visibility::all || (config.head != Head::none && config.head != Head::causal_lm)) {
    refuse(source, "a Llama is a causal language model, or the trunk of one");
  }
}

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

// A share of the head size, in whole pairs.
int64_t rotary_dim(const ModelConfig& config, double share) {
  return share == 1 ? config.head_dim()
                    : std::max<int64_t>(2, std::llround(share * static_cast<double>(config.head_dim()) / 2) * 2);
}

void complete_rotary(ModelConfig& config, RotaryPosition& position, const std::string& source) {
  Rotary& rotary = position.rotary;
  if (!(position.share > 0 && position.share <= 1)) {
    refuse(source, "the share of a head that turns is {}, expected more than 0, at most 1", position.share);
  }
  if (rotary.dim == 0) rotary.dim = rotary_dim(config, position.share);
  if (rotary.dim % 2 != 0) {
    refuse(source, "the head size {} (hidden_size / num_attention_heads) is odd; rotary positions turn pairs",
           rotary.dim);
  }
  if (position.learned &&
      (position.xpos || rotary.scaling != RotaryScaling() || rotary.proportion != 1 || rotary.grid_width > 0)) {
    refuse(source, "learned rotary frequencies go with neither xPos nor a grid, a scaling or a proportion of pairs");
  }
  if (position.xpos && position.rotate_values) {
    refuse(source, "xPos goes with no rotary values (rotary_value), which would grow with their position");
  }
  validate(rotary, config.head_dim());
  RotaryFrequencies frequencies(rotary);  // or an error
  if (position.xpos) validate(*position.xpos);
}

// Settings that follow from others, and what none may be.
void complete_position(ModelConfig& config, const std::string& source) {
  constexpr int64_t kMostDistance = 1 << 20;
  const bool both_sides = config.visibility == Visibility::all;
  try {
    if (auto* rotary = std::get_if<RotaryPosition>(&config.position)) complete_rotary(config, *rotary, source);
    if (auto* learned = std::get_if<LearnedPosition>(&config.position)) learned->max_positions = config.max_positions;
    if (auto* t5 = std::get_if<T5Position>(&config.position)) {
      t5->buckets.bidirectional = both_sides;
      validate(t5->buckets);
    }
    if (auto* tupe = std::get_if<TupePosition>(&config.position)) {
      tupe->max_positions = config.max_positions;
      tupe->buckets.bidirectional = both_sides;
      validate(tupe->buckets);
    }
  } catch (const UsageError& error) {
    refuse(source, "{}", error.what());
  }
  if (const auto* shaw = std::get_if<ShawPosition>(&config.position)) {
    check_range(source, "max_relative_positions", shaw->clip, 0, kMostDistance);
  }
  if (const auto* deberta = std::get_if<DebertaPosition>(&config.position)) {
    check_range(source, "max_relative_positions", deberta->clip, 0, kMostDistance);
  }
  if (const auto* sinusoidal = std::get_if<SinusoidalPosition>(&config.position)) {
    if (!(std::abs(sinusoidal->scale) <= 1000)) {
      refuse(source, "position_embedding_scale is {}, expected -1000 to 1000", sinusoidal->scale);
    }
  }
}

// Linear attention has no scores for an encoding to act on, and turns neither values nor frequencies that are trained.
void check_linear_position(const ModelConfig& config, const std::string& source) {
  if (acts_on_scores(config.position)) {
    refuse(source,
           "the {} encoding acts on scores, which linear attention does not have; expected none, learned, "
           "sinusoidal or a rotation",
           position_name(config.position));
  }
  const auto* rotary = std::get_if<RotaryPosition>(&config.position);
  if (rotary == nullptr) return;
  if (rotary->learned) refuse(source, "linear attention goes with no learned rotary frequencies");
  if (rotary->rotate_values) refuse(source, "linear attention goes with no rotary values (rotary_value)");
  if (!config.has_random_features() || config.linear.rotation != FeatureRotation::after) return;
  try {
    const Rotary turned = feature_rotary(rotary->rotary, config.head_dim(), config.linear.favor_features);
    validate(turned, config.linear.favor_features);
    RotaryFrequencies frequencies(turned);  // or an error
  } catch (const UsageError& error) {
    refuse(source, "the rotation of {} random features: {}", config.linear.favor_features, error.what());
  }
}

void complete_attention(ModelConfig& config, const std::string& source) {
  constexpr int64_t kMostNumbers = 1 << 22;  // of a projection
  std::vector<AttentionKind>& kinds = config.attention;
  if (kinds.size() != 1 && std::ssize(kinds) != config.layers) {
    refuse(source, "attention names {} kinds, expected one for all layers or one for each of {}", kinds.size(),
           config.layers);
  }
  if (std::ranges::adjacent_find(kinds, std::not_equal_to<>()) == kinds.end() && kinds.size() > 1)
    kinds.erase(kinds.begin() + 1, kinds.end());
  if (kinds.empty()) kinds = {AttentionKind::softmax};  // of no layer
  if (!config.has_linear_attention()) return;
  if (config.kv_heads != 0)
    refuse(source, "num_key_value_heads {}: linear attention has as many as queries", config.kv_heads);
  if (config.family == Family::bert) {
    refuse(source, "a BERT has softmax attention; linear attention makes a roformer_variant");
  }
  if (config.visibility == Visibility::prefix) refuse(source, "linear attention has no prefix attention");
  LinearSettings& linear = config.linear;
  if (config.has_random_features()) {
    if (linear.favor_features == 0) linear.favor_features = default_favor_features(config.head_dim());
    check_range(source, "favor_features", linear.favor_features, 1, 1 << 16);
    linear.favor_features += linear.favor_features % 2;
    check_range(source, "favor_features times the head size", linear.favor_features * config.head_dim(), 1,
                kMostNumbers);
    check_range(source, "favor_redraw", linear.favor_redraw, 0, 1'000'000'000'000);
  }
  check_linear_position(config, source);
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

void complete(ModelConfig& config, const std::string& source) {
  constexpr int64_t kWidest = 65536;
  check_range(source, "vocab_size", config.vocabulary, 1, 10'000'000);
  check_range(source, "hidden_size", config.hidden, 1, kWidest);
  check_range(source, "embedding_size", config.embedding, 1, kWidest);
  check_range(source, "num_hidden_layers", config.layers, 0, 1000);
  check_range(source, "num_attention_heads", config.heads, 1, kWidest);
  check_range(source, "intermediate_size", config.intermediate, 1, 4 * kWidest);
  check_range(source, "max_position_embeddings", config.max_positions, 1, kMaxRotaryPosition);
  check_range(source, "type_vocab_size", config.segments, config.family == Family::llama ? 0 : 1, kWidest);
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
  check_range(source, "num_key_value_heads", config.kv_heads, 0, config.heads);
  if (config.heads % config.key_heads() != 0) {
    refuse(source, "num_attention_heads {} is not a multiple of num_key_value_heads {}", config.heads, config.kv_heads);
  }
  if (config.kv_heads == config.heads) config.kv_heads = 0;
  complete_position(config, source);
  complete_attention(config, source);
  check_parts(config, source);
  check_family(config, source);
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
