// complete(): consistency checks and derived values of a config.
#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "models/families/family.h"
#include "models/refuse.h"
#include "models/stack_config.h"

namespace roformer {

namespace {

// Whether `key` exists in files of the config's family.
bool has_key(const ModelConfig& config, const char* key) {
  const JsonObject nothing(Json::object(), "");
  ConfigKeys asking = ConfigKeys::asking(nothing, key);
  ModelConfig asked = config;
  config.family->keys(asking, asked);
  return asking.known();
}

// The first of `keys` that exists in the family's files, as some values have different names in different families.
KeyName key_of(const ModelConfig& config, std::initializer_list<const char*> keys) {
  const auto found = std::ranges::find_if(keys, [&](const char* key) { return has_key(config, key); });
  return KeyName(found == keys.end() ? *keys.begin() : *found);
}

void check_share(const ModelConfig& config, const std::string& source, std::initializer_list<const char*> keys,
                 double value) {
  if (value >= 0 && value < 1) return;
  refuse_config(source, "{} is {}, expected at least 0 and less than 1", key_of(config, keys), value);
}

// Constraints between parts of a config.
void check_parts(const ModelConfig& config, const std::string& source) {
  constexpr int64_t kMaxLabels = 100'000;
  check_range(source, "the number of labels", std::ssize(config.labels), 1, kMaxLabels);
  check_share(config, source, {"classifier_dropout"}, config.classifier_dropout.value_or(0));
  if (!config.head_transform && config.is_language_model() && config.embedding != config.hidden) {
    refuse_config(source, "{} {} is not {} {}, as required by a language-model head without a dense layer",
                  KeyName("embedding_size"), config.embedding, KeyName("hidden_size"), config.hidden);
  }
  if (config.cross_attention && config.attention_mask != AttentionMask::causal) {
    refuse_config(source, "{} needs {}", KeyName("add_cross_attention"), KeyName("is_decoder"));
  }
  if (config.rotate_cross_queries && !can_rotate_cross_queries(config.position)) {
    refuse_config(source, "{} \"query\" needs rotary positions, neither learned nor xPos",
                  KeyName("cross_attention_rotation"));
  }
}

// A fraction of the head size, rounded to whole pairs.
int64_t rotary_dim(const ModelConfig& config, double share) {
  return share == 1 ? config.head_dim()
                    : std::max<int64_t>(2, std::llround(share * static_cast<double>(config.head_dim()) / 2) * 2);
}

// The config.json key of a field of position/, and its name in messages.
struct Said {
  std::string key, words;  // no key if none or several may have set it
};
Said said_of(const ModelConfig& config, const std::string& field, bool own_dim) {
  const bool one_rotation = config.layer_rotary.empty();
  if (field == "dim" && !(own_dim && one_rotation)) return {"", "the rotary dimension"};
  if (field == "base" && !(one_rotation && !has_key(config, "rotary_emb_base"))) return {"", "the rotary base"};
  if (field == "proportion") return {"", "the rotary proportion"};
  constexpr std::array<std::pair<const char*, const char*>, 10> kKeys{
      {{"dim", "rotary_dim"},
       {"base", "rope_theta"},
       {"grid_width", "rotary_grid_width"},
       {"original_positions", "original_max_position_embeddings"},
       {"short_factors", "short_factor"},
       {"long_factors", "long_factor"},
       {"scale_base", "xpos_scale_base"},
       {"center", "xpos_centre"},
       {"count", "relative_attention_num_buckets"},
       {"max_distance", "relative_attention_max_distance"}}};
  for (const auto& [name, key] : kKeys) {
    if (field == name) return {key, key};
  }
  return {field, field};  // of a scaling
}

// Rethrows an error of position/ in terms of config.json's keys, or of the option if there is no file.
[[noreturn]] void refuse_position(const ModelConfig& config, const std::string& source, const UsageError& error,
                                  bool own_dim) {
  const std::string& field = error.detail().field;
  const std::string key = field.empty() ? "" : said_of(config, field, own_dim).key;
  const auto option = shape_field(key);
  const bool by_option = source.empty() && !option.empty();
  const std::string message = error.message([&](const std::string& name) {
    return by_option && name == field ? "{0}" : said_of(config, name, own_dim).words;
  });
  // These messages have names and numbers, and no braces of their own.
  if (by_option) throw UsageError(fmt::runtime(message), FieldName(option));
  refuse_config(source, "{}", KeyName(key, message));
}

// Runs `check` of position/, translating its errors.
template <class Check>
void check_position(const ModelConfig& config, const std::string& source, bool own_dim, const Check& check) {
  try {
    check();
  } catch (const UsageError& error) {
    refuse_position(config, source, error, own_dim);
  }
}

void check_rotary(const ModelConfig& config, const std::string& source, const Rotary& rotary, bool own_dim) {
  check_position(config, source, own_dim, [&] {
    validate(rotary, config.head_dim());
    RotaryFrequencies frequencies(rotary);  // or an error
  });
}

// One rotation for all layers is that of `position`.
void complete_layer_rotary(ModelConfig& config, RotaryPosition& position, const std::string& source) {
  std::vector<Rotary>& layers = config.layer_rotary;
  if (layers.empty()) return;
  if (std::ssize(layers) != config.layers) {
    refuse_config(source, "{} per-layer rotations, expected one for each of {} layers", layers.size(), config.layers);
  }
  if (position.learned) refuse_config(source, "learned rotary frequencies are the same in all layers");
  for (Rotary& rotary : layers) {
    if (rotary.dim == 0) rotary.dim = rotary_dim(config, position.share);
    check_rotary(config, source, rotary, false);
  }
  if (std::ranges::adjacent_find(layers, std::not_equal_to<>()) != layers.end()) return;
  position.rotary = layers.front();
  layers.clear();
}

void complete_rotary(ModelConfig& config, RotaryPosition& position, const std::string& source) {
  Rotary& rotary = position.rotary;
  if (!(position.share > 0 && position.share <= 1)) {
    refuse_config(source, "the rotated fraction of a head is {}, expected more than 0, at most 1", position.share);
  }
  const bool own_dim = rotary.dim != 0;
  if (!own_dim) rotary.dim = rotary_dim(config, position.share);
  if (!own_dim && rotary.dim % 2 != 0) {
    if (config.head_size != 0) {
      refuse_config(source, "{} {} is odd; rotary positions rotate pairs", KeyName("head_dim"), config.head_size);
    }
    refuse_config(source, "the head size {} ({} / {}) is odd; rotary positions rotate pairs", rotary.dim,
                  KeyName("hidden_size"), KeyName("num_attention_heads"));
  }
  if (position.learned &&
      (position.xpos || rotary.scaling != RotaryScaling() || rotary.proportion != 1 || rotary.grid_width > 0)) {
    refuse_config(
        source, "learned rotary frequencies cannot be combined with xPos, a grid, a scaling or a proportion of pairs");
  }
  if (position.xpos && position.rotate_values) {
    refuse_config(source, "xPos cannot be combined with rotary values ({}), which would grow with their position",
                  KeyName("rotary_value"));
  }
  check_rotary(config, source, rotary, own_dim);
  complete_layer_rotary(config, position, source);
  if (position.xpos) check_position(config, source, own_dim, [&] { validate(*position.xpos); });
}

// Derived position settings and their limits.
void complete_position(ModelConfig& config, const std::string& source) {
  constexpr int64_t kMaxDistance = 1 << 20;
  const bool both_sides = config.attention_mask == AttentionMask::bidirectional;
  const auto check_buckets = [&](const DistanceBuckets& buckets) {
    check_position(config, source, false, [&] { validate(buckets); });
  };
  if (auto* rotary = std::get_if<RotaryPosition>(&config.position)) complete_rotary(config, *rotary, source);
  if (auto* learned = std::get_if<LearnedPosition>(&config.position)) learned->max_positions = config.max_positions;
  if (auto* t5 = std::get_if<T5Position>(&config.position)) {
    t5->buckets.bidirectional = both_sides;
    check_buckets(t5->buckets);
  }
  if (auto* tupe = std::get_if<TupePosition>(&config.position)) {
    tupe->max_positions = config.max_positions;
    tupe->buckets.bidirectional = both_sides;
    check_buckets(tupe->buckets);
  }
  if (const auto* shaw = std::get_if<ShawPosition>(&config.position)) {
    check_range(source, KeyName("max_relative_positions"), shaw->clip, 0, kMaxDistance);
  }
  if (const auto* deberta = std::get_if<DebertaPosition>(&config.position)) {
    check_range(source, KeyName("max_relative_positions"), deberta->clip, 0, kMaxDistance);
  }
  if (const auto* sinusoidal = std::get_if<SinusoidalPosition>(&config.position)) {
    if (!(std::abs(sinusoidal->scale) <= 1000)) {
      refuse_config(source, "{} is {}, expected -1000 to 1000", KeyName("position_embedding_scale"), sinusoidal->scale);
    }
  }
}

// Linear attention has no scores for an encoding to act on, and supports neither rotated values nor learned
// frequencies.
void check_linear_position(const ModelConfig& config, const std::string& source) {
  if (acts_on_scores(config.position)) {
    refuse_config(source,
                  "the {} encoding acts on scores, which linear attention does not have; expected none, learned, "
                  "sinusoidal or a rotation",
                  KeyName("position_embedding_type", position_name(config.position)));
  }
  const auto* rotary = std::get_if<RotaryPosition>(&config.position);
  if (rotary == nullptr) return;
  if (rotary->learned) refuse_config(source, "linear attention does not support learned rotary frequencies");
  if (rotary->rotate_values)
    refuse_config(source, "linear attention does not support rotary values ({})", KeyName("rotary_value"));
  if (!config.has_random_features() || config.linear.rotation != FeatureRotation::after) return;
  try {
    const Rotary rotated = feature_rotary(rotary->rotary, config.head_dim(), config.linear.favor_features);
    validate(rotated, config.linear.favor_features);
    RotaryFrequencies frequencies(rotated);  // or an error
  } catch (const UsageError& error) {
    refuse_position(config, source,
                    error.prefixed(fmt::format("the rotation of {} random features: ", config.linear.favor_features)),
                    false);
  }
}

void complete_attention(ModelConfig& config, const std::string& source) {
  constexpr int64_t kMaxElements = 1 << 22;  // of a random projection
  std::vector<AttentionKind>& kinds = config.attention;
  if (kinds.size() != 1 && std::ssize(kinds) != config.layers) {
    refuse_config(source, "{} names {} kinds, expected one for all layers or one for each of {} layers",
                  KeyName("attention_type"), kinds.size(), config.layers);
  }
  if (std::ranges::adjacent_find(kinds, std::not_equal_to<>()) == kinds.end() && kinds.size() > 1)
    kinds.erase(kinds.begin() + 1, kinds.end());
  if (kinds.empty()) kinds = {AttentionKind::softmax};  // of no layer
  if (!config.has_linear_attention()) return;
  if (config.kv_heads != 0)
    refuse_config(source, "{} {}: linear attention needs as many as query heads", KeyName("num_key_value_heads"),
                  config.kv_heads);
  if (config.attention_mask == AttentionMask::prefix)
    refuse_config(source, "linear attention does not support prefix attention");
  LinearSettings& linear = config.linear;
  if (config.has_random_features()) {
    if (linear.favor_features == 0) linear.favor_features = default_favor_features(config.head_dim());
    check_range(source, KeyName("favor_features"), linear.favor_features, 1, 1 << 16);
    linear.favor_features += linear.favor_features % 2;
    if (const int64_t elements = linear.favor_features * config.head_dim(); elements > kMaxElements) {
      refuse_config(source, "{} times the head size is {}, expected 1 to {}", KeyName("favor_features"), elements,
                    kMaxElements);
    }
    check_range(source, KeyName("favor_redraw"), linear.favor_redraw, 0, 1'000'000'000'000);
  }
  check_linear_position(config, source);
}

void complete_trunk(ModelConfig& config, const std::string& source) {
  constexpr int64_t kWidest = 65536;
  check_range(source, KeyName("vocab_size"), config.vocabulary, 1, 10'000'000);
  check_range(source, key_of(config, {"hidden_size", "n_embd"}), config.hidden, 1, kWidest);
  check_range(source, KeyName("embedding_size"), config.embedding, 1, kWidest);
  check_range(source, key_of(config, {"num_hidden_layers", "num_layers", "n_layer"}), config.layers, 0, 1000);
  const KeyName heads = key_of(config, {"num_attention_heads", "num_heads", "n_head"});
  check_range(source, heads, config.heads, 1, kWidest);
  check_range(source, key_of(config, {"intermediate_size", "n_inner"}), config.intermediate, 1, 4 * kWidest);
  check_range(source, key_of(config, {"max_position_embeddings", "n_positions"}), config.max_positions, 1,
              kMaxRotaryPosition);
  check_range(source, KeyName("type_vocab_size"), config.segments, 0, kWidest);
  check_range(source, KeyName("pad_token_id"), config.pad_id, 0, config.vocabulary - 1);
  check_share(config, source, {"hidden_dropout_prob", "hidden_dropout", "resid_dropout", "resid_pdrop"},
              config.hidden_dropout);
  check_share(config, source, {"attention_probs_dropout_prob", "attention_dropout", "attn_pdrop"},
              config.attention_dropout);
  if (!(config.norm_epsilon >= 0 && config.norm_epsilon < 1)) {
    refuse_config(source, "{} is {}, expected at least 0 and less than 1",
                  key_of(config, {"layer_norm_eps", "rms_norm_eps", "layer_norm_epsilon"}), config.norm_epsilon);
  }
  if (!(config.initializer_range >= 0 && config.initializer_range <= 10)) {
    refuse_config(source, "{} is {}, expected 0 to 10", KeyName("initializer_range"), config.initializer_range);
  }
  check_range(source, KeyName("head_dim"), config.head_size, 0, kWidest);
  if (config.head_size * config.heads == config.hidden) config.head_size = 0;
  if (config.head_size == 0 && config.hidden % config.heads != 0) {
    refuse_config(source, "{} {} is not a multiple of {} {}", key_of(config, {"hidden_size", "n_embd"}), config.hidden,
                  heads, config.heads);
  }
  check_range(source, KeyName("num_key_value_heads"), config.kv_heads, 0, config.heads);
  if (config.heads % config.key_heads() != 0) {
    refuse_config(source, "{} {} is not a multiple of {} {}", KeyName("num_attention_heads"), config.heads,
                  KeyName("num_key_value_heads"), config.kv_heads);
  }
  if (config.kv_heads == config.heads) config.kv_heads = 0;
  complete_position(config, source);
  complete_attention(config, source);
  complete_stack(config, source);
}

}  // namespace

void complete(ModelConfig& config, const std::string& source) {
  complete_trunk(config, source);
  if (config.encoder != nullptr) {
    ModelConfig encoder = *config.encoder;
    encoder.family = config.family;
    complete_trunk(encoder, source);
    if (encoder.hidden != config.hidden) {
      refuse_config(source, "the encoder's hidden states are {} wide, the decoder's {}", encoder.hidden, config.hidden);
    }
    if (config.shared_words && (encoder.vocabulary != config.vocabulary || encoder.embedding != config.embedding)) {
      refuse_config(source, "shared embeddings of {} words by {} in the encoder, {} by {} in the decoder",
                    encoder.vocabulary, encoder.embedding, config.vocabulary, config.embedding);
    }
    config.encoder = std::make_shared<const ModelConfig>(std::move(encoder));
  }
  config.family->complete(config, source);
  check_parts(config, source);
}

}  // namespace roformer
