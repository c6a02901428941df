#include "models/families/halves.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "models/rotary_json.h"
#include "models/token_ids_json.h"

namespace roformer::halves {

namespace {

constexpr const char* kShares = "share_encoder_decoder_embeddings";

// Settings of generation, which transformers 4 writes into every object (generation/ reads those of the whole).
void ignore_generation(ConfigKeys& keys) {
  keys.ignored({"bad_words_ids",
                "begin_suppress_tokens",
                "decoder_start_token_id",
                "diversity_penalty",
                "do_sample",
                "early_stopping",
                "encoder_no_repeat_ngram_size",
                "exponential_decay_length_penalty",
                "forced_bos_token_id",
                "forced_eos_token_id",
                "length_penalty",
                "max_length",
                "max_new_tokens",
                "min_length",
                "no_repeat_ngram_size",
                "num_beam_groups",
                "num_beams",
                "num_return_sequences",
                "output_scores",
                "prefix",
                "remove_invalid_values",
                "renormalize_logits",
                "repetition_penalty",
                "return_dict_in_generate",
                "suppress_tokens",
                "temperature",
                "tf_legacy_loss",
                "top_k",
                "top_p",
                "typical_p",
                "use_bfloat16"});
}

void keys_of_half(ConfigKeys& keys, ModelConfig& half, HalfKeys half_keys) {
  half_keys(keys, half);
  ignore_generation(keys);
  keys.ignored({"tie_encoder_decoder"});
}

ModelConfig read_half(const JsonObject& json, const char* name, Head head, HalfKeys half_keys) {
  if (!json.has(name)) json.reject(name, "an object, the config of a half");
  const JsonObject object = json.get_object(name);
  bert_like::refuse_unsupported(object);
  ModelConfig half;
  half.head = head;
  ConfigKeys reading = ConfigKeys::reading(object);
  keys_of_half(reading, half, half_keys);
  return half;
}

Json written_half(ModelConfig half, HalfKeys half_keys) {
  Json object = Json::object();
  ConfigKeys writing = ConfigKeys::writing(object);
  keys_of_half(writing, half, half_keys);
  return object;
}

// As in transformers, where the whole says nothing the decoder does, and a text may begin with its first token.
void read_tokens(const JsonObject& json, ModelConfig& config) {
  const JsonObject decoder = json.get_object("decoder");
  const auto id = [&](const char* key) -> std::optional<int64_t> {
    for (const JsonObject* from : {&json, &decoder}) {
      if (from->has(key)) return from->get_int(key, std::nullopt);
    }
    return std::nullopt;
  };
  config.pad_id = id("pad_token_id").value_or(0);
  config.bos_id = id("bos_token_id");
  config.start_id = id("decoder_start_token_id");
  if (!config.start_id) config.start_id = config.bos_id;
  config.eos_ids = read_token_ids(json.has("eos_token_id") ? json : decoder, "eos_token_id");
}

void read_all(const JsonObject& json, ModelConfig& config, HalfKeys half_keys) {
  if (json.get_bool("tie_encoder_decoder", false)) json.reject("tie_encoder_decoder", "false: layers of their own");
  ModelConfig read = read_half(json, "decoder", config.head, half_keys);
  read.family = config.family;
  read.encoder = std::make_shared<const ModelConfig>(read_half(json, "encoder", Head::none, half_keys));
  read.shared_words = json.get_bool(kShares, false);
  read_tokens(json, read);
  config = std::move(read);
}

void write_all(const ModelConfig& config, const char* model_type, HalfKeys half_keys, Json& json) {
  json["model_type"] = model_type;
  json["is_encoder_decoder"] = true;
  json["encoder"] = written_half(*config.encoder, half_keys);
  json["decoder"] = written_half(config, half_keys);
  if (config.shared_words) json[kShares] = true;
  json["pad_token_id"] = config.pad_id;
  if (config.start_id) json["decoder_start_token_id"] = *config.start_id;
  if (config.bos_id) json["bos_token_id"] = *config.bos_id;
  write_token_ids(config.eos_ids, "eos_token_id", json);
}

}  // namespace

void all_keys(ConfigKeys& keys, ModelConfig& config, const char* model_type, HalfKeys half_keys) {
  keys.others(
      {"model_type", "is_encoder_decoder", "encoder", "decoder", kShares, "pad_token_id", "bos_token_id",
       "decoder_start_token_id", "eos_token_id", "tie_encoder_decoder"},
      [&](const JsonObject& json) { read_all(json, config, half_keys); },
      [&](Json& json) { write_all(config, model_type, half_keys, json); });
  // transformers ties each half's weights by that half's "tie_word_embeddings".
  keys.ignored({"tie_word_embeddings", "vocab_size", "label2id", "id2label"});
  bert_like::other_keys(keys);
  ignore_generation(keys);
}

std::vector<std::string> unread(const JsonObject& json, std::string_view key, HalfKeys half_keys) {
  std::vector<std::string> found;
  if (key != "encoder" && key != "decoder") return found;
  const JsonObject object = json.get_object(std::string(key));
  const auto add = [&](const std::string& name) { found.push_back(fmt::format("{}.{}", key, name)); };
  for (const auto& entry : object.value().items()) {
    ConfigKeys asking = ConfigKeys::asking(object, entry.key());
    ModelConfig half;
    keys_of_half(asking, half, half_keys);
    if (!asking.known()) add(entry.key());
    if (!asking.known()) continue;
    for (const std::string& name : unread_rotary_keys(object, entry.key())) add(name);
  }
  return found;
}

void complete(ModelConfig& config, const std::string& source) {
  if (config.encoder == nullptr || (config.head != Head::none && config.head != Head::causal_lm)) {
    refuse_config(source, "a {} is an encoder-decoder with a language-model head", config.family->name);
  }
  if (config.attention_mask != AttentionMask::causal || !config.cross_attention) {
    refuse_config(source, "the decoder is to have {} and {}", KeyName("is_decoder"), KeyName("add_cross_attention"));
  }
  if (config.encoder->attention_mask != AttentionMask::bidirectional || config.encoder->cross_attention) {
    refuse_config(source, "the encoder has neither {} nor {}", KeyName("is_decoder"), KeyName("add_cross_attention"));
  }
  check_range(source, KeyName("decoder_start_token_id"), config.start_id.value_or(0), 0, config.vocabulary - 1);
  for (const int64_t id : config.eos_ids) check_range(source, KeyName("eos_token_id"), id, 0, config.vocabulary - 1);
}

}  // namespace roformer::halves
