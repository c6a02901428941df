#include "tasks/translation/translator_shape.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <utility>

#include "base/error.h"
#include "models/families/family.h"

namespace roformer {

namespace {

// transformer-tiny is Wu et al. 2021's for Multi30k (ACL 2021, "Good for Misconceived Reasons", A), iwslt fairseq's
// transformer_iwslt_de_en, transformer-base that of Vaswani et al. 2017 in fairseq's settings, and paper-mt the latter
// as the RoFormer paper trains it (paper.md 2.1), whose warm-up, batch and steps, which it does not say, are those of
// Vaswani et al.
constexpr std::array kTranslatorPresets{TranslatorPreset{.name = "transformer-tiny",
                                                         .layers = 4,
                                                         .hidden = 128,
                                                         .intermediate = 256,
                                                         .heads = 4,
                                                         .pre_norm = true,
                                                         .dropout = 0.3,
                                                         .vocabulary = 8000,
                                                         .batch_tokens = 2500,
                                                         .learning_rate = 4e-3,
                                                         .schedule = "linear",
                                                         .warmup = 2000,
                                                         .epochs = 12,
                                                         .steps = 0,
                                                         .average = 1,
                                                         .least_steps = 2000},
                                        TranslatorPreset{.name = "iwslt",
                                                         .layers = 6,
                                                         .hidden = 512,
                                                         .intermediate = 1024,
                                                         .heads = 4,
                                                         .pre_norm = false,
                                                         .dropout = 0.3,
                                                         .vocabulary = 10'000,
                                                         .batch_tokens = 4096,
                                                         .learning_rate = 5e-4,
                                                         .schedule = "inverse-sqrt",
                                                         .warmup = 4000,
                                                         .epochs = 40,
                                                         .steps = 0,
                                                         .average = 5},
                                        TranslatorPreset{.name = "transformer-base",
                                                         .layers = 6,
                                                         .hidden = 512,
                                                         .intermediate = 2048,
                                                         .heads = 8,
                                                         .pre_norm = false,
                                                         .dropout = 0.1,
                                                         .vocabulary = 32'000,
                                                         .batch_tokens = 25'000,
                                                         .learning_rate = 7e-4,
                                                         .schedule = "inverse-sqrt",
                                                         .warmup = 4000,
                                                         .epochs = 0,
                                                         .steps = 100'000,
                                                         .average = 5},
                                        TranslatorPreset{.name = "paper-mt",
                                                         .layers = 6,
                                                         .hidden = 512,
                                                         .intermediate = 2048,
                                                         .heads = 8,
                                                         .pre_norm = false,
                                                         .dropout = 0.1,
                                                         .vocabulary = 37'000,
                                                         .batch_tokens = 25'000,
                                                         .learning_rate = 5e-4,
                                                         .schedule = "inverse-sqrt",
                                                         .warmup = 4000,
                                                         .epochs = 0,
                                                         .steps = 100'000,
                                                         .average = 5}};

bool is_marian(const TranslatorShape& shape) { return shape.form == "marian"; }
bool is_roformer(const TranslatorShape& shape) { return shape.form == "roformer"; }

bool has_norms_before(const TranslatorShape& shape, const TranslatorPreset& preset) {
  if (!shape.norm) return preset.pre_norm && shape.form == "transformer";
  if (*shape.norm != "pre" && *shape.norm != "post") {
    throw UsageError("{} is '{}', expected pre or post", FieldName("norm"), *shape.norm);
  }
  return *shape.norm == "pre";
}

// What both halves have in common.
ModelConfig half_config(const TranslatorShape& shape, const TranslatorPreset& preset, int64_t max_tokens) {
  constexpr double kTorchEpsilon = 1e-5;
  ModelConfig config;
  config.hidden = config.embedding = shape.hidden_size.value_or(preset.hidden);
  config.heads = shape.heads.value_or(preset.heads);
  config.intermediate = shape.intermediate_size.value_or(preset.intermediate);
  config.hidden_dropout = shape.dropout.value_or(preset.dropout);
  config.attention_dropout = shape.attention_dropout;
  config.activation = Activation::relu;
  config.max_positions = std::max<int64_t>(shape.position_options.max_positions.value_or(0), max_tokens);
  const bool before = has_norms_before(shape, preset);
  config.norms = before ? kPreNorms : kPostNorms;
  // Xavier's for square matrices, and embeddings of variance 1 where they are scaled (Vaswani et al. 2017, 3.4).
  const auto width = static_cast<double>(config.hidden);
  config.initializer_range = 1 / std::sqrt(width);
  if (!is_roformer(shape)) {
    config.norms.embedding = false;
    config.norm_epsilon = kTorchEpsilon;
    config.segments = 0;
    config.embedding_scale = std::sqrt(width);
  }
  config.position = parse_position(shape.position.value_or(is_marian(shape) ? "sinusoidal" : "rotary"));
  shape.position_options.apply(config.position);
  return config;
}

const Family* family_of(const TranslatorShape& shape, bool shared_words) {
  if (is_roformer(shape)) return &families::encoder_decoder;
  if (!is_marian(shape)) return &families::translator;
  return shared_words ? &families::marian : &families::marian_separate;
}

}  // namespace

const std::vector<std::string>& translator_form_names() {
  static const std::vector<std::string> names{"transformer", "roformer", "marian"};
  return names;
}

const std::vector<std::string>& translator_preset_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const TranslatorPreset& preset : kTranslatorPresets) all.emplace_back(preset.name);
    return all;
  }();
  return names;
}

const TranslatorPreset& translator_preset(const std::string& name) {
  const auto* const found =
      std::ranges::find_if(kTranslatorPresets, [&](const TranslatorPreset& preset) { return preset.name == name; });
  if (found == kTranslatorPresets.end()) {
    throw UsageError("{} is '{}'; expected {}", FieldName("preset"), name, fmt::join(translator_preset_names(), ", "));
  }
  return *found;
}

ModelConfig translator_config(const TranslatorShape& shape, const TranslatorVocabulary& vocabulary,
                              int64_t max_tokens) {
  const TranslatorPreset& preset = translator_preset(shape.preset);
  ModelConfig config = half_config(shape, preset, max_tokens), encoder = config;
  encoder.layers = shape.layers.value_or(preset.layers);
  encoder.vocabulary = vocabulary.source;
  encoder.head = Head::none;
  config.layers = shape.decoder_layers.value_or(encoder.layers);
  config.vocabulary = vocabulary.target;
  config.head = Head::causal_lm;
  config.attention_mask = AttentionMask::causal;
  config.cross_attention = true;
  config.pad_id = encoder.pad_id = vocabulary.pad_id;
  config.start_id = vocabulary.pad_id;  // as Marian's
  config.eos_ids = {vocabulary.end_id};
  config.head_transform = is_roformer(shape);
  config.tied = !shape.untied;
  config.shared_words = vocabulary.shared && !shape.separate_embeddings && !(is_marian(shape) && shape.untied);
  config.family = encoder.family = family_of(shape, config.shared_words);
  config.encoder = std::make_shared<const ModelConfig>(std::move(encoder));
  complete(config, "");
  return config;
}

}  // namespace roformer
