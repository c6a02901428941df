// config.json in and out: which keys mean what, in which family.
#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include <fmt/ranges.h>

#include "base/error.h"
#include "models/attention_json.h"
#include "models/config.h"
#include "models/json_names.h"
#include "models/llama_json.h"
#include "models/rotary_json.h"

namespace roformer {

namespace {

struct Architecture {
  const char* name;
  Family family;
  Head head;
};
// The first name of a family and head is the one written. BERT's pre-training model also predicts the next sentence:
// that part is left out.
constexpr std::array<Architecture, 17> kArchitectures{
    {{"RoFormerModel", Family::roformer, Head::none},
     {"RoFormerForMaskedLM", Family::roformer, Head::masked_lm},
     {"RoFormerForCausalLM", Family::roformer, Head::causal_lm},
     {"RoFormerForSequenceClassification", Family::roformer, Head::sequence_classification},
     {"RoFormerForTokenClassification", Family::roformer, Head::token_classification},
     {"RoFormerForQuestionAnswering", Family::roformer, Head::question_answering},
     {"RoFormerForMultipleChoice", Family::roformer, Head::multiple_choice},
     {"BertModel", Family::bert, Head::none},
     {"BertForMaskedLM", Family::bert, Head::masked_lm},
     {"BertForPreTraining", Family::bert, Head::masked_lm},
     {"BertLMHeadModel", Family::bert, Head::causal_lm},
     {"BertForSequenceClassification", Family::bert, Head::sequence_classification},
     {"BertForTokenClassification", Family::bert, Head::token_classification},
     {"BertForQuestionAnswering", Family::bert, Head::question_answering},
     {"BertForMultipleChoice", Family::bert, Head::multiple_choice},
     {"LlamaModel", Family::llama, Head::none},
     {"LlamaForCausalLM", Family::llama, Head::causal_lm}}};

struct ModelType {
  const char* name;
  Family family;
};
constexpr std::array<ModelType, 4> kModelTypes{{{"roformer", Family::roformer},
                                                {"roformer_variant", Family::roformer},
                                                {"bert", Family::bert},
                                                {"llama", Family::llama}}};

constexpr std::array<std::pair<const char*, Problem>, 3> kProblems{
    {{"regression", Problem::regression},
     {"single_label_classification", Problem::single_label},
     {"multi_label_classification", Problem::multi_label}}};

// "cls_index" without an index is the last token, too.
constexpr std::array<std::pair<const char*, Summary>, 4> kSummaries{
    {{"last", Summary::last}, {"first", Summary::first}, {"mean", Summary::mean}, {"cls_index", Summary::last}}};

// The family and the head; the head's name may be absent.
std::pair<Family, Head> parse_kind(const JsonObject& json) {
  const auto names = json.get_strings("architectures", std::vector<std::string>{});
  const std::string type = json.get_string("model_type", "");
  const auto known_type = std::ranges::find_if(kModelTypes, [&](const ModelType& one) { return type == one.name; });
  if (!type.empty() && known_type == kModelTypes.end()) {
    json.reject("model_type", "\"roformer\", \"bert\" or \"llama\"");
  }
  if (names.empty()) return {type.empty() ? Family::roformer : known_type->family, Head::none};
  const auto found = std::ranges::find(kArchitectures, names[0], &Architecture::name);
  if (found == kArchitectures.end()) {
    std::vector<std::string_view> known;
    known.reserve(kArchitectures.size());
    for (const Architecture& one : kArchitectures) known.emplace_back(one.name);
    json.reject("architectures", fmt::format("one of {} first", fmt::join(known, ", ")));
  }
  if (!type.empty() && known_type->family != found->family) {
    json.reject("architectures", fmt::format("one of model_type \"{}\"", type));
  }
  return {found->family, found->head};
}

// A file that calls itself a RoFormer is read as transformers does, which has one rotation for all of them.
bool says_variant(const JsonObject& json) { return json.get_string("model_type", "") == "roformer_variant"; }

// The sizes of encodings that this program alone writes.
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

PositionEncoding parse_position_of(const JsonObject& json, const ModelConfig& config) {
  if (config.family == Family::bert) {
    if (json.get_string("position_embedding_type", "absolute") != "absolute") {
      json.reject("position_embedding_type", "\"absolute\"");
    }
    return LearnedPosition{config.max_positions};
  }
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

// "id2label": {"0": name, ...}; without it "num_labels" of LABEL_i, or two.
std::vector<std::string> parse_labels(const JsonObject& json) {
  constexpr int64_t kMost = 100'000;
  const int64_t count = json.get_int("num_labels", 0, 0, kMost);
  if (!json.has("id2label")) {
    std::vector<std::string> labels;
    for (int64_t i = 0; i < (count > 0 ? count : 2); ++i) labels.push_back("LABEL_" + std::to_string(i));
    return labels;
  }
  const JsonObject names = json.get_object("id2label");
  std::vector<std::string> labels;
  for (size_t i = 0; i < names.value().size(); ++i) labels.push_back(names.get_string(std::to_string(i), {}));
  if (count > 0 && count != std::ssize(labels)) {
    json.reject("num_labels", fmt::format("{}, the number of labels in 'id2label'", labels.size()));
  }
  return labels;
}

void parse_head_settings(const JsonObject& json, ModelConfig& config) {
  config.tied = json.get_bool("tie_word_embeddings", true);
  config.pooler_activation = parse_name(json, "pooler_activation", kActivations, "tanh");
  config.labels = parse_labels(json);
  config.problem = config.labels.size() == 1 ? Problem::regression : Problem::single_label;
  if (json.has("problem_type")) config.problem = parse_name(json, "problem_type", kProblems, "");
  if (config.family == Family::bert && json.has("classifier_dropout")) {
    config.classifier_dropout = json.get_double("classifier_dropout", std::nullopt);
  }
  if (config.head != Head::multiple_choice || config.family != Family::roformer) return;
  config.summary = parse_name(json, "summary_type", kSummaries, "last");
  if (json.get_bool("summary_use_proj", false)) {
    if (json.get_bool("summary_proj_to_labels", false)) json.reject("summary_proj_to_labels", "false");
    config.summary_projection = parse_name(json, "summary_activation", kActivations, "linear");
  } else if (json.has("summary_activation")) {
    json.reject("summary_activation", "none without 'summary_use_proj'");
  }
}

// Settings that would change the result and that this program does not have.
void refuse_unsupported(const JsonObject& json) {
  if (json.get_bool("is_encoder_decoder", false)) json.reject("is_encoder_decoder", "false");
  if (json.has("cross_attention_hidden_size")) json.reject("cross_attention_hidden_size", "none");
  if (json.has("quantization_config")) json.reject("quantization_config", "none: weights as numbers");
  if (!json.get_object("pruned_heads").value().empty()) json.reject("pruned_heads", "none");
}

const std::set<std::string>& known_keys() {
  static const std::set<std::string> keys{
      "vocab_size", "embedding_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
      "hidden_act", "hidden_dropout_prob", "attention_probs_dropout_prob", "max_position_embeddings", "type_vocab_size",
      "initializer_range", "layer_norm_eps", "pad_token_id", "rotary_value", "is_decoder", "add_cross_attention",
      "tie_word_embeddings", "use_bias", "norm_type", "rms_norm_scale", "position_embedding_type", "model_type",
      "architectures", "cross_attention_rotation", "num_labels", "id2label", "problem_type", "pooler_activation",
      "classifier_dropout", "summary_type", "summary_use_proj", "summary_activation", "summary_proj_to_labels",
      "max_relative_positions", "relative_attention_num_buckets", "relative_attention_max_distance",
      "position_embedding_scale", "is_encoder_decoder", "cross_attention_hidden_size", "quantization_config",
      "pruned_heads",
      // no influence on what this program computes
      "use_cache", "bos_token_id", "eos_token_id", "sep_token_id", "cls_token_id", "mask_token_id", "torch_dtype",
      "dtype", "transformers_version", "_name_or_path", "name_or_path", "_attn_implementation",
      "_attn_implementation_autoset", "chunk_size_feed_forward", "label2id", "gradient_checkpointing", "return_dict",
      "output_hidden_states", "output_attentions", "output_past", "tokenizer_class", "finetuning_task", "language",
      "directionality", "pooler_fc_size", "pooler_num_attention_heads", "pooler_num_fc_layers", "pooler_size_per_head",
      "pooler_type", "summary_first_dropout", "summary_last_dropout", "task_specific_params", "torchscript"};
  return keys;
}

void write_labels(const ModelConfig& config, Json& json) {
  if (config.head == Head::sequence_classification || config.head == Head::token_classification) {
    Json names = Json::object(), indices = Json::object();
    for (size_t i = 0; i < config.labels.size(); ++i) {
      names[std::to_string(i)] = config.labels[i];
      indices[config.labels[i]] = i;
    }
    json["id2label"] = std::move(names);
    json["label2id"] = std::move(indices);
  }
  if (config.head == Head::sequence_classification) json["problem_type"] = name_in(kProblems, config.problem);
}

void write_head_settings(const ModelConfig& config, Json& json) {
  write_labels(config, json);
  if (config.pooler && config.family == Family::roformer) {
    json["pooler_activation"] = name_in(kActivations, config.pooler_activation);
  }
  if (config.classifier_dropout) json["classifier_dropout"] = *config.classifier_dropout;
  if (config.head != Head::multiple_choice || config.family != Family::roformer) return;
  json["summary_type"] = name_in(kSummaries, config.summary);
  if (!config.summary_projection) return;
  json["summary_use_proj"] = true;
  if (*config.summary_projection != Activation::none) {
    json["summary_activation"] = name_in(kActivations, *config.summary_projection);
  }
}

// Settings of a RoFormer or a BERT.
void read_encoder(const JsonObject& json, ModelConfig& config) {
  const bool bert = config.family == Family::bert;
  config.vocabulary = json.get_int("vocab_size", std::nullopt);
  config.hidden = json.get_int("hidden_size", std::nullopt);
  config.embedding = bert ? config.hidden : json.get_int("embedding_size", config.hidden);
  config.layers = json.get_int("num_hidden_layers", std::nullopt);
  config.heads = json.get_int("num_attention_heads", std::nullopt);
  config.intermediate = json.get_int("intermediate_size", std::nullopt);
  config.activation = parse_name(json, "hidden_act", kActivations, "gelu");
  config.hidden_dropout = json.get_double("hidden_dropout_prob", config.hidden_dropout);
  config.attention_dropout = json.get_double("attention_probs_dropout_prob", config.attention_dropout);
  config.max_positions = json.get_int("max_position_embeddings", bert ? 512 : config.max_positions);
  config.segments = json.get_int("type_vocab_size", config.segments);
  config.initializer_range = json.get_double("initializer_range", config.initializer_range);
  config.norm_epsilon = json.get_double("layer_norm_eps", config.norm_epsilon);
  config.pad_id = json.get_int("pad_token_id", config.pad_id);
  config.position = parse_position_of(json, config);
  if (says_variant(json)) read_attention(json, config);
  // JunnYu's package takes every other word for RMS norm.
  if (json.get_string("norm_type", "layer_norm") != "layer_norm") {
    config.norm = json.get_bool("rms_norm_scale", false) ? NormKind::rms_with_gain : NormKind::rms;
  }
  config.biased = json.get_bool("use_bias", true);
  config.visibility = json.get_bool("is_decoder", false) ? Visibility::causal : Visibility::all;
  config.cross_attention = json.get_bool("add_cross_attention", false);
  const std::string rotation = json.get_string("cross_attention_rotation", "none");
  if (rotation != "none" && rotation != "query") json.reject("cross_attention_rotation", "\"none\" or \"query\"");
  config.rotate_cross_queries = rotation == "query";
  parse_head_settings(json, config);
}

// Of a RoFormer or a BERT.
Json write_encoder(const ModelConfig& config) {
  const auto* rotary = std::get_if<RotaryPosition>(&config.position);
  // Only what every program that loads a RoFormer does is called one.
  const bool plain =
      rotary != nullptr && !config.has_linear_attention() &&
      *rotary == RotaryPosition{.rotary = {.dim = config.head_dim()}, .rotate_values = rotary->rotate_values};
  const bool bert = config.family == Family::bert;
  Json json{{"model_type", bert    ? "bert"
                           : plain ? "roformer"
                                   : "roformer_variant"},
            {"vocab_size", config.vocabulary},
            {"hidden_size", config.hidden},
            {"num_hidden_layers", config.layers},
            {"num_attention_heads", config.heads},
            {"intermediate_size", config.intermediate},
            {"hidden_act", name_in(kActivations, config.activation)},
            {"hidden_dropout_prob", config.hidden_dropout},
            {"attention_probs_dropout_prob", config.attention_dropout},
            {"max_position_embeddings", config.max_positions},
            {"type_vocab_size", config.segments},
            {"initializer_range", config.initializer_range},
            {"layer_norm_eps", config.norm_epsilon},
            {"pad_token_id", config.pad_id},
            {"tie_word_embeddings", config.tied}};
  if (!bert) json["embedding_size"] = config.embedding;
  if (rotary != nullptr) json["rotary_value"] = rotary->rotate_values;
  if (!plain && !bert) json["position_embedding_type"] = position_name(config.position);
  if (rotary != nullptr) write_rotary(*rotary, config.head_dim(), json);
  write_sizes(config.position, json);
  write_attention(config, json);
  if (config.norm != NormKind::layer) json["norm_type"] = "rms_norm";
  if (config.norm == NormKind::rms_with_gain) json["rms_norm_scale"] = true;
  if (!config.biased) json["use_bias"] = false;
  if (config.visibility == Visibility::causal) json["is_decoder"] = true;
  if (config.cross_attention) json["add_cross_attention"] = true;
  if (config.rotate_cross_queries) json["cross_attention_rotation"] = "query";
  write_head_settings(config, json);
  return json;
}

}  // namespace

ModelConfig read_config(const JsonObject& json, std::vector<std::string>* unknown) {
  ModelConfig config;
  refuse_unsupported(json);
  std::tie(config.family, config.head) = parse_kind(json);
  const bool llama = config.family == Family::llama;
  if (llama) {
    read_llama(json, config);
  } else {
    read_encoder(json, config);
  }
  complete(config, json.source());
  if (unknown == nullptr) return config;
  for (const auto& entry : json.value().items()) {
    const std::string& key = entry.key();
    const auto among = [&](std::span<const std::string_view> keys) {
      return std::ranges::find(keys, key) != keys.end();
    };
    const bool of_variant = says_variant(json) && (among(rotary_keys()) || among(attention_keys()));
    if (!(llama ? is_llama_key(key) : known_keys().contains(key) || of_variant)) unknown->push_back(key);
  }
  return config;
}

ModelConfig read_config(const std::string& path, std::vector<std::string>* unknown) {
  return read_config(JsonObject::read(path), unknown);
}

Json write_config(const ModelConfig& config) {
  if (config.visibility == Visibility::prefix) throw DataError("config.json cannot say prefix attention");
  const auto architecture = std::ranges::find_if(
      kArchitectures, [&](const Architecture& one) { return one.family == config.family && one.head == config.head; });
  Json json = config.family == Family::llama ? write_llama(config) : write_encoder(config);
  json["architectures"] = {architecture->name};
  return json;
}

}  // namespace roformer
