// RoFormer (Su et al. 2021), RoFormerV2 and RoFormer-Sim: transformers' RoFormerConfig and JunnYu's. With positions
// other than the plain rotation, or linear attention, the "model_type" is "roformer_variant", so that other programs do
// not load it as a RoFormer with the wrong positions.
#include <algorithm>
#include <nlohmann/json.hpp>

#include <fmt/ranges.h>

#include "models/attention_json.h"
#include "models/families/bert_like.h"
#include "models/families/position_table.h"
#include "models/rotary_json.h"

namespace roformer {

namespace {

constexpr std::string_view kRoFormerTypes[] = {"roformer", "roformer_variant"};
constexpr Architecture kRoFormerArchitectures[] = {{"RoFormerModel", Head::none},
                                                   {"RoFormerForMaskedLM", Head::masked_lm},
                                                   {"RoFormerForCausalLM", Head::causal_lm},
                                                   {"RoFormerForSequenceClassification", Head::sequence_classification},
                                                   {"RoFormerForTokenClassification", Head::token_classification},
                                                   {"RoFormerForQuestionAnswering", Head::question_answering},
                                                   {"RoFormerForMultipleChoice", Head::multiple_choice}};

// "cls_index" without an index is the last token, too.
constexpr std::array<std::pair<const char*, Summary>, 4> kSummaries{
    {{"last", Summary::last}, {"first", Summary::first}, {"mean", Summary::mean}, {"cls_index", Summary::last}}};

// Files of type "roformer" are read as by transformers, which has one rotation for all of them.
bool says_variant(const JsonObject& json) { return json.get_string("model_type", "") == "roformer_variant"; }

// Sizes of encodings specific to this project.
void read_sizes(const JsonObject& json, PositionEncoding& position) {
  const auto clip = [&](int64_t fallback) { return json.get_int("max_relative_positions", fallback); };
  const auto buckets = [&](DistanceBuckets& read) {
    read.count = json.get_int("relative_attention_num_buckets", read.count);
    read.max_distance = json.get_int("relative_attention_max_distance", read.max_distance);
  };
  if (auto* sinusoidal = std::get_if<SinusoidalPosition>(&position)) {
    sinusoidal->scale = json.get_double("position_embedding_scale", sinusoidal->scale);
  }
  if (auto* shaw = std::get_if<ShawPosition>(&position)) shaw->clip = clip(shaw->clip);
  if (auto* deberta = std::get_if<DebertaPosition>(&position)) deberta->clip = clip(deberta->clip);
  if (auto* t5 = std::get_if<T5Position>(&position)) buckets(t5->buckets);
  if (auto* tupe = std::get_if<TupePosition>(&position)) buckets(tupe->buckets);
}

void write_sizes(const PositionEncoding& position, Json& json) {
  const auto write_buckets = [&](const DistanceBuckets& buckets) {
    json["relative_attention_num_buckets"] = buckets.count;
    json["relative_attention_max_distance"] = buckets.max_distance;
  };
  if (const auto* sinusoidal = std::get_if<SinusoidalPosition>(&position)) {
    if (sinusoidal->scale != 1) json["position_embedding_scale"] = sinusoidal->scale;
  }
  if (const auto* shaw = std::get_if<ShawPosition>(&position)) json["max_relative_positions"] = shaw->clip;
  if (const auto* deberta = std::get_if<DebertaPosition>(&position)) json["max_relative_positions"] = deberta->clip;
  if (const auto* t5 = std::get_if<T5Position>(&position)) write_buckets(t5->buckets);
  if (const auto* tupe = std::get_if<TupePosition>(&position)) write_buckets(tupe->buckets);
}

PositionEncoding read_position(const JsonObject& json, const ModelConfig& config) {
  const std::string name = json.get_string("position_embedding_type", "rotary");
  if (std::ranges::find(position_names(), name) == position_names().end()) {
    json.reject("position_embedding_type", fmt::format("one of {}", fmt::join(position_names(), ", ")));
  }
  PositionEncoding position = parse_position(name);
  if (auto* rotary = std::get_if<RotaryPosition>(&position)) {
    if (says_variant(json)) read_rotary(json, *rotary);
    rotary->rotate_values = json.get_bool("rotary_value", false);
  }
  if (auto* learned = std::get_if<LearnedPosition>(&position)) learned->max_positions = config.max_positions;
  read_sizes(json, position);
  return position;
}

// "model_type", and what it depends on.
void write_position(const ModelConfig& config, Json& json) {
  const auto* rotary = std::get_if<RotaryPosition>(&config.position);
  // Only what other programs compute identically is written as "roformer".
  const bool plain =
      rotary != nullptr && !config.has_linear_attention() && !config.classifier_pooling &&
      *rotary == RotaryPosition{.rotary = {.dim = config.head_dim()}, .rotate_values = rotary->rotate_values};
  json["model_type"] = plain ? "roformer" : "roformer_variant";
  if (rotary != nullptr) json["rotary_value"] = rotary->rotate_values;
  if (!plain) json["position_embedding_type"] = position_name(config.position);
  if (config.classifier_pooling) json["classifier_pooling"] = name_in(kSummaries, *config.classifier_pooling);
  if (rotary != nullptr) write_rotary(*rotary, config.head_dim(), json);
  write_sizes(config.position, json);
  write_attention(config, json);
}

void read_summary(const JsonObject& json, ModelConfig& config) {
  if (config.head != Head::multiple_choice) return;
  config.summary = parse_name(json, "summary_type", kSummaries, "last");
  if (json.get_bool("summary_use_proj", false)) {
    if (json.get_bool("summary_proj_to_labels", false)) json.reject("summary_proj_to_labels", "false");
    config.summary_projection = parse_name(json, "summary_activation", kActivations, "linear");
  } else if (json.has("summary_activation")) {
    json.reject("summary_activation", "none without 'summary_use_proj'");
  }
}

void write_summary(const ModelConfig& config, Json& json) {
  if (config.head != Head::multiple_choice) return;
  json["summary_type"] = name_in(kSummaries, config.summary);
  if (!config.summary_projection) return;
  json["summary_use_proj"] = true;
  if (*config.summary_projection != Activation::none) {
    json["summary_activation"] = name_in(kActivations, *config.summary_projection);
  }
}

void roformer_keys(ConfigKeys& keys, ModelConfig& config) {
  bert_like::size_keys(keys, config, ModelConfig().max_positions);
  keys.integer("embedding_size", config.embedding, config.hidden);
  keys.others(
      {"rotary_value", "position_embedding_type", "max_relative_positions", "relative_attention_num_buckets",
       "relative_attention_max_distance", "position_embedding_scale", "classifier_pooling"},
      [&](const JsonObject& json) {
        config.position = read_position(json, config);
        if (says_variant(json)) read_attention(json, config);
        if (says_variant(json) && json.has("classifier_pooling")) {
          config.classifier_pooling = parse_name(json, "classifier_pooling", kSummaries, "mean");
        }
      },
      [&](Json& json) { write_position(config, json); });
  bert_like::head_keys(keys, config);
  keys.others(
      {"pooler_activation"},
      [&](const JsonObject& json) {
        config.pooler_activation = parse_name(json, "pooler_activation", kActivations, "tanh");
      },
      [&](Json& json) {
        if (config.pooler) json["pooler_activation"] = name_in(kActivations, config.pooler_activation);
      });
  keys.others(
      {"summary_type", "summary_use_proj", "summary_activation", "summary_proj_to_labels"},
      [&](const JsonObject& json) { read_summary(json, config); }, [&](Json& json) { write_summary(config, json); });
  // Keys of this project's own encodings.
  if (keys.file() != nullptr && says_variant(*keys.file())) {
    keys.others(rotary_keys(), {}, {});
    keys.others(attention_keys(), {}, {});
  }
  keys.ignored({"classifier_dropout"});
  bert_like::other_keys(keys);
}

void complete_roformer(ModelConfig& config, const std::string& source) {
  bert_like::refuse_decoder_values(config, source);
  if (config.head == Head::sequence_classification) config.summary = config.classifier_pooling.value_or(Summary::first);
  config.classifier_dense = config.head == Head::sequence_classification && !config.classifier_pooling;
  config.head_transform = config.norm == NormKind::layer;
}

// Some RoFormerV2 checkpoints have gains.
void find_gains(ModelConfig& config, const std::function<bool(const std::string&)>& has) {
  if (config.norm != NormKind::rms) return;
  if (has("embeddings.LayerNorm.weight") || has("embeddings.LayerNorm.gamma")) config.norm = NormKind::rms_with_gain;
}

void add_table(const ModelConfig& config, std::vector<std::pair<std::string, Tensor>>& tensors) {
  add_position_table(config, "roformer.encoder.embed_positions.weight", tensors);
}

constexpr const char* kRoFormerSigns[] = {"roformer.*", "*.roformer.*", "*embeddings_project.weight",
                                          "*encoder.embed_positions.weight"};

}  // namespace

constinit const Family families::roformer{.name = "roformer",
                                          .model_types = kRoFormerTypes,
                                          .architectures = kRoFormerArchitectures,
                                          .trunk = "roformer",
                                          .signs = kRoFormerSigns,
                                          .tensors = bert_like::kTensors,
                                          .spellings = bert_like::kSpellings,
                                          .ignored = bert_like::kIgnored,
                                          .head_tensors = bert_like::kHeadTensors,
                                          .keys = roformer_keys,
                                          .complete = complete_roformer,
                                          .complete_from_names = find_gains,
                                          .add_tensors = add_table,
                                          .any_positions = &families::roformer,
                                          .causal_setting = "is_decoder"};

}  // namespace roformer
