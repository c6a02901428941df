// complete(): whether the parts of a config fit each other, and what follows from them.
#include <algorithm>
#include <cmath>
#include <functional>

#include "base/error.h"
#include "models/families/family.h"
#include "models/refuse.h"
#include "models/stack_config.h"

namespace roformer {

namespace {

void check_share(const std::string& source, const char* key, double value) {
  if (!(value >= 0 && value < 1)) refuse_config(source, "{} is {}, expected at least 0 and less than 1", key, value);
}

// What one part asks of another.
void check_parts(const ModelConfig& config, const std::string& source) {
  constexpr int64_t kMostLabels = 100'000;
  check_range(source, "the number of labels", std::ssize(config.labels), 1, kMostLabels);
  check_share(source, "classifier_dropout", config.classifier_dropout.value_or(0));
  if (!config.head_transform && config.is_language_model() && config.embedding != config.hidden) {
    refuse_config(source,
                  "embedding_size {} is not hidden_size {}, as a language model whose head has no dense layer needs it",
                  config.embedding, config.hidden);
  }
  if (config.cross_attention && config.visibility != Visibility::causal) {
    refuse_config(source, "add_cross_attention needs is_decoder");
  }
  if (config.rotate_cross_queries && !can_rotate_cross_queries(config.position)) {
    refuse_config(source, "cross_attention_rotation \"query\" needs rotary positions, neither learned nor xPos");
  }
}

// A share of the head size, in whole pairs.
int64_t rotary_dim(const ModelConfig& config, double share) {
  return share == 1 ? config.head_dim()
                    : std::max<int64_t>(2, std::llround(share * static_cast<double>(config.head_dim()) / 2) * 2);
}

// One rotation for all layers is that of `position`.
void complete_layer_rotary(ModelConfig& config, RotaryPosition& position, const std::string& source) {
  std::vector<Rotary>& layers = config.layer_rotary;
  if (layers.empty()) return;
  if (std::ssize(layers) != config.layers) {
    refuse_config(source, "{} rotations of single layers, expected one for each of {}", layers.size(), config.layers);
  }
  if (position.learned) refuse_config(source, "learned rotary frequencies are the same in all layers");
  for (Rotary& rotary : layers) {
    if (rotary.dim == 0) rotary.dim = rotary_dim(config, position.share);
    validate(rotary, config.head_dim());
    RotaryFrequencies frequencies(rotary);  // or an error
  }
  if (std::ranges::adjacent_find(layers, std::not_equal_to<>()) != layers.end()) return;
  position.rotary = layers.front();
  layers.clear();
}

void complete_rotary(ModelConfig& config, RotaryPosition& position, const std::string& source) {
  Rotary& rotary = position.rotary;
  if (!(position.share > 0 && position.share <= 1)) {
    refuse_config(source, "the share of a head that turns is {}, expected more than 0, at most 1", position.share);
  }
  if (rotary.dim == 0) rotary.dim = rotary_dim(config, position.share);
  if (rotary.dim % 2 != 0) {
    refuse_config(source, "the head size {} (hidden_size / num_attention_heads) is odd; rotary positions turn pairs",
                  rotary.dim);
  }
  if (position.learned &&
      (position.xpos || rotary.scaling != RotaryScaling() || rotary.proportion != 1 || rotary.grid_width > 0)) {
    refuse_config(source,
                  "learned rotary frequencies go with neither xPos nor a grid, a scaling or a proportion of pairs");
  }
  if (position.xpos && position.rotate_values) {
    refuse_config(source, "xPos goes with no rotary values (rotary_value), which would grow with their position");
  }
  validate(rotary, config.head_dim());
  RotaryFrequencies frequencies(rotary);  // or an error
  complete_layer_rotary(config, position, source);
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
    refuse_config(source, "{}", error.what());
  }
  if (const auto* shaw = std::get_if<ShawPosition>(&config.position)) {
    check_range(source, "max_relative_positions", shaw->clip, 0, kMostDistance);
  }
  if (const auto* deberta = std::get_if<DebertaPosition>(&config.position)) {
    check_range(source, "max_relative_positions", deberta->clip, 0, kMostDistance);
  }
  if (const auto* sinusoidal = std::get_if<SinusoidalPosition>(&config.position)) {
    if (!(std::abs(sinusoidal->scale) <= 1000)) {
      refuse_config(source, "position_embedding_scale is {}, expected -1000 to 1000", sinusoidal->scale);
    }
  }
}

// Linear attention has no scores for an encoding to act on, and turns neither values nor frequencies that are trained.
void check_linear_position(const ModelConfig& config, const std::string& source) {
  if (acts_on_scores(config.position)) {
    refuse_config(source,
                  "the {} encoding acts on scores, which linear attention does not have; expected none, learned, "
                  "sinusoidal or a rotation",
                  position_name(config.position));
  }
  const auto* rotary = std::get_if<RotaryPosition>(&config.position);
  if (rotary == nullptr) return;
  if (rotary->learned) refuse_config(source, "linear attention goes with no learned rotary frequencies");
  if (rotary->rotate_values) refuse_config(source, "linear attention goes with no rotary values (rotary_value)");
  if (!config.has_random_features() || config.linear.rotation != FeatureRotation::after) return;
  try {
    const Rotary turned = feature_rotary(rotary->rotary, config.head_dim(), config.linear.favor_features);
    validate(turned, config.linear.favor_features);
    RotaryFrequencies frequencies(turned);  // or an error
  } catch (const UsageError& error) {
    refuse_config(source, "the rotation of {} random features: {}", config.linear.favor_features, error.what());
  }
}

void complete_attention(ModelConfig& config, const std::string& source) {
  constexpr int64_t kMostNumbers = 1 << 22;  // of a projection
  std::vector<AttentionKind>& kinds = config.attention;
  if (kinds.size() != 1 && std::ssize(kinds) != config.layers) {
    refuse_config(source, "attention names {} kinds, expected one for all layers or one for each of {}", kinds.size(),
                  config.layers);
  }
  if (std::ranges::adjacent_find(kinds, std::not_equal_to<>()) == kinds.end() && kinds.size() > 1)
    kinds.erase(kinds.begin() + 1, kinds.end());
  if (kinds.empty()) kinds = {AttentionKind::softmax};  // of no layer
  if (!config.has_linear_attention()) return;
  if (config.kv_heads != 0)
    refuse_config(source, "num_key_value_heads {}: linear attention has as many as queries", config.kv_heads);
  if (config.visibility == Visibility::prefix) refuse_config(source, "linear attention has no prefix attention");
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

void complete(ModelConfig& config, const std::string& source) {
  constexpr int64_t kWidest = 65536;
  check_range(source, "vocab_size", config.vocabulary, 1, 10'000'000);
  check_range(source, "hidden_size", config.hidden, 1, kWidest);
  check_range(source, "embedding_size", config.embedding, 1, kWidest);
  check_range(source, "num_hidden_layers", config.layers, 0, 1000);
  check_range(source, "num_attention_heads", config.heads, 1, kWidest);
  check_range(source, "intermediate_size", config.intermediate, 1, 4 * kWidest);
  check_range(source, "max_position_embeddings", config.max_positions, 1, kMaxRotaryPosition);
  check_range(source, "type_vocab_size", config.segments, 0, kWidest);
  check_range(source, "pad_token_id", config.pad_id, 0, config.vocabulary - 1);
  check_share(source, "hidden_dropout_prob", config.hidden_dropout);
  check_share(source, "attention_probs_dropout_prob", config.attention_dropout);
  if (!(config.norm_epsilon >= 0 && config.norm_epsilon < 1)) {
    refuse_config(source, "layer_norm_eps is {}, expected at least 0 and less than 1", config.norm_epsilon);
  }
  if (!(config.initializer_range >= 0 && config.initializer_range <= 10)) {
    refuse_config(source, "initializer_range is {}, expected 0 to 10", config.initializer_range);
  }
  check_range(source, "head_dim", config.head_size, 0, kWidest);
  if (config.head_size * config.heads == config.hidden) config.head_size = 0;
  if (config.head_size == 0 && config.hidden % config.heads != 0) {
    refuse_config(source, "hidden_size {} is not a multiple of num_attention_heads {}", config.hidden, config.heads);
  }
  check_range(source, "num_key_value_heads", config.kv_heads, 0, config.heads);
  if (config.heads % config.key_heads() != 0) {
    refuse_config(source, "num_attention_heads {} is not a multiple of num_key_value_heads {}", config.heads,
                  config.kv_heads);
  }
  if (config.kv_heads == config.heads) config.kv_heads = 0;
  complete_position(config, source);
  complete_attention(config, source);
  complete_stack(config, source);
  config.family->complete(config, source);
  check_parts(config, source);
}

}  // namespace roformer
