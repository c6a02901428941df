#include "models/families/bert_like.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>

#include <fmt/ranges.h>

#include "models/stack_config.h"

namespace roformer::bert_like {

namespace {

constexpr std::array<std::pair<const char*, Problem>, 3> kProblems{
    {{"regression", Problem::regression},
     {"single_label_classification", Problem::single_label},
     {"multi_label_classification", Problem::multi_label}}};

constexpr int64_t kMaxLabels = 100'000;

// The names in "id2label", {"0": name, ...}, by index. Numbers become text; null is no name.
std::map<int64_t, std::string> read_label_names(const JsonObject& json) {
  std::map<int64_t, std::string> names;
  const JsonObject object = json.get_object("id2label");
  for (const auto& [key, value] : object.value().items()) {
    int64_t index = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), index);
    if (error != std::errc() || end != key.data() + key.size() || index < 0 || index >= kMaxLabels) {
      json.reject("id2label", fmt::format("the names of labels by their numbers, from 0 to {}", kMaxLabels - 1));
    }
    if (value.is_structured()) object.reject(key, "a label's name");
    names[index] = value.is_string() ? value.get<std::string>()
                   : value.is_null() ? fmt::format("LABEL_{}", index)
                                     : dump_json(value);
  }
  return names;
}

// As in transformers "num_labels" wins over the names if it disagrees with their number. `usual` is the number without
// either, and the one of names with gaps if they allow it.
std::vector<std::string> parse_labels(const JsonObject& json, int64_t usual) {
  const int64_t given = json.get_int("num_labels", 0, 0, kMaxLabels);
  const std::map<int64_t, std::string> names = read_label_names(json);
  const int64_t named = std::ssize(names);
  if (names.empty() || (given > 0 && given != named)) return numbered_labels(given > 0 ? given : usual);
  std::vector<std::string> labels = numbered_labels(usual == names.rbegin()->first + 1 ? usual : named);
  for (const auto& [index, name] : names) {
    if (index < std::ssize(labels)) labels[static_cast<size_t>(index)] = name;
  }
  return labels;
}

void read_labels(const JsonObject& json, ModelConfig& config) {
  if (config.head != Head::sequence_classification && config.head != Head::token_classification) return;
  config.labels = parse_labels(json, std::ssize(config.labels));
  config.problem = Problem::single_label;
  if (json.has("problem_type")) config.problem = parse_name(json, "problem_type", kProblems, "");
  if (config.labels.size() == 1 && config.problem == Problem::single_label) config.problem = Problem::score;
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
  if (config.head == Head::sequence_classification && config.problem != Problem::score) {
    json["problem_type"] = name_in(kProblems, config.problem);
  }
}

}  // namespace

std::vector<std::string> numbered_labels(int64_t count) {
  std::vector<std::string> labels;
  for (int64_t i = 0; i < count; ++i) labels.push_back(fmt::format("LABEL_{}", i));
  return labels;
}

void size_keys(ConfigKeys& keys, ModelConfig& config, int64_t max_positions) {
  const ModelConfig usual;
  keys.integer("vocab_size", config.vocabulary, std::nullopt);
  keys.integer("hidden_size", config.hidden, std::nullopt);
  keys.integer("num_hidden_layers", config.layers, std::nullopt);
  keys.integer("num_attention_heads", config.heads, std::nullopt);
  keys.integer("intermediate_size", config.intermediate, std::nullopt);
  keys.word("hidden_act", config.activation, kActivations, "gelu");
  keys.real("hidden_dropout_prob", config.hidden_dropout, usual.hidden_dropout);
  keys.real("attention_probs_dropout_prob", config.attention_dropout, usual.attention_dropout);
  keys.integer("max_position_embeddings", config.max_positions, max_positions);
  keys.integer("type_vocab_size", config.segments, usual.segments);
  keys.real("initializer_range", config.initializer_range, usual.initializer_range);
  keys.real("layer_norm_eps", config.norm_epsilon, usual.norm_epsilon);
  keys.integer("pad_token_id", config.pad_id, usual.pad_id);
}

void head_keys(ConfigKeys& keys, ModelConfig& config) {
  // In JunnYu's package any other value means RMS norm.
  keys.others(
      {"norm_type", "rms_norm_scale"},
      [&](const JsonObject& json) {
        config.norm = NormKind::layer;
        if (json.get_string("norm_type", "layer_norm") == "layer_norm") return;
        config.norm = json.get_bool("rms_norm_scale", false) ? NormKind::rms_with_gain : NormKind::rms;
      },
      [&](Json& json) {
        if (config.norm != NormKind::layer) json["norm_type"] = "rms_norm";
        if (config.norm == NormKind::rms_with_gain) json["rms_norm_scale"] = true;
      });
  keys.flag("use_bias", config.biased, true, ConfigKeys::Writes::unlike_default);
  keys.others(
      {"is_decoder"},
      [&](const JsonObject& json) {
        config.attention_mask =
            json.get_bool("is_decoder", false) ? AttentionMask::causal : AttentionMask::bidirectional;
      },
      [&](Json& json) {
        if (config.attention_mask == AttentionMask::causal) json["is_decoder"] = true;
      });
  keys.flag("add_cross_attention", config.cross_attention, false, ConfigKeys::Writes::unlike_default);
  keys.others(
      {"cross_attention_rotation"},
      [&](const JsonObject& json) {
        const std::string rotation = json.get_string("cross_attention_rotation", "none");
        if (rotation != "none" && rotation != "query") json.reject("cross_attention_rotation", "\"none\" or \"query\"");
        config.rotate_cross_queries = rotation == "query";
      },
      [&](Json& json) {
        if (config.rotate_cross_queries) json["cross_attention_rotation"] = "query";
      });
  keys.flag("tie_word_embeddings", config.tied, true);
  keys.others(
      {"num_labels", "id2label", "problem_type"}, [&](const JsonObject& json) { read_labels(json, config); },
      [&](Json& json) { write_labels(config, json); });
}

void other_keys(ConfigKeys& keys) {
  keys.ignored({"model_type", "architectures", "use_cache", "bos_token_id", "eos_token_id", "sep_token_id",
                "cls_token_id", "mask_token_id", "torch_dtype", "dtype", "transformers_version", "_name_or_path",
                "name_or_path", "_attn_implementation", "_attn_implementation_autoset", "chunk_size_feed_forward",
                "label2id", "sentence_transformers", "sbert_ce_default_activation_function", "gradient_checkpointing",
                "return_dict", "output_hidden_states", "output_attentions", "output_past", "tokenizer_class",
                "finetuning_task", "language", "directionality", "pooler_fc_size", "pooler_num_attention_heads",
                "pooler_num_fc_layers", "pooler_size_per_head", "pooler_type", "summary_first_dropout",
                "summary_last_dropout", "task_specific_params", "torchscript",
                // rejected if set
                "is_encoder_decoder", "cross_attention_hidden_size", "quantization_config", "pruned_heads"});
}

void refuse_unsupported(const JsonObject& json) {
  if (json.has("cross_attention_hidden_size")) json.reject("cross_attention_hidden_size", "none");
  if (json.has("quantization_config")) json.reject("quantization_config", "none: unquantized weights");
  if (!json.get_object("pruned_heads").value().empty()) json.reject("pruned_heads", "none");
}

void refuse_decoder_values(const ModelConfig& config, const std::string& source) {
  if (config.segments < 1)
    refuse_config(source, "{} is {}, expected at least 1", KeyName("type_vocab_size"), config.segments);
  check_plain_stack(config, source);
  const bool pre = config.norms == kPreNorms, grouped = config.kv_heads != 0;
  if (pre || grouped || config.gated || config.attention_output_biased || config.feed_forward_biased) {
    refuse_config(source, "grouped key and value heads, gates, norms in front and single biases are a Llama's");
  }
}

}  // namespace roformer::bert_like
