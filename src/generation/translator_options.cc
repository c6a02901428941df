#include "generation/translator_options.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/file.h"
#include "base/json.h"
#include "models/token_ids_json.h"

namespace roformer {

namespace {

// Single tokens that "bad_words_ids" bans.
std::vector<int32_t> read_banned(const JsonObject& json) {
  constexpr const char* kKey = "bad_words_ids";
  std::vector<int32_t> banned;
  if (!json.has(kKey)) return banned;
  const Json& lists = json.value()[kKey];
  for (const Json& list : lists) {
    if (!list.is_array() || list.size() != 1 || !list.front().is_number_integer()) {
      json.reject(kKey, "lists of one token id each");
    }
    const auto id = list.front().get<int64_t>();
    if (std::in_range<int32_t>(id)) banned.push_back(static_cast<int32_t>(id));  // others never come
  }
  return banned;
}

}  // namespace

TranslatorOptions read_translator_options(const std::string& directory) {
  TranslatorOptions options;
  for (const char* name : {"generation_config.json", "config.json"}) {
    const std::string path = join_path(directory, name);
    if (!exists(path)) continue;
    const JsonObject json = JsonObject::read(path);
    constexpr int64_t kMostBeams = 1024, kLastId = std::numeric_limits<int32_t>::max();
    options.beams = json.get_int("num_beams", options.beams, 1, kMostBeams);
    options.length_penalty = json.get_double("length_penalty", options.length_penalty);
    if (json.has("max_length"))
      options.longest = json.get_int("max_length", std::nullopt, 2) - 1;  // it counts the start
    options.no_repeat_ngram = json.get_int("no_repeat_ngram_size", options.no_repeat_ngram, 0);
    options.banned = read_banned(json);
    if (json.has("decoder_start_token_id")) {
      options.start = json.get_int("decoder_start_token_id", std::nullopt, 0, kLastId);
    }
    options.ends = read_token_ids(json, "eos_token_id");
    if (json.has("forced_eos_token_id")) {
      options.forced_end = static_cast<int32_t>(json.get_int("forced_eos_token_id", std::nullopt, 0, kLastId));
    }
    options.renormalized = json.get_bool("renormalize_logits", options.renormalized);
    break;
  }
  return options;
}

std::string generation_config(const ModelConfig& config, const TranslatorOptions& options) {
  Json json = {{"num_beams", options.beams},        {"length_penalty", options.length_penalty},
               {"max_length", options.longest + 1},  // it counts the start
               {"early_stopping", false},           {"do_sample", false},
               {"pad_token_id", config.pad_id}};
  if (const auto start = options.start ? options.start : config.start_id) json["decoder_start_token_id"] = *start;
  if (config.bos_id) json["bos_token_id"] = *config.bos_id;
  write_token_ids(options.ends.empty() ? config.eos_ids : options.ends, "eos_token_id", json);
  if (options.no_repeat_ngram > 0) json["no_repeat_ngram_size"] = options.no_repeat_ngram;
  for (const int32_t id : options.banned) json["bad_words_ids"].push_back(Json::array({id}));
  if (options.forced_end) json["forced_eos_token_id"] = *options.forced_end;
  if (options.renormalized) json["renormalize_logits"] = true;
  return json.dump(2) + "\n";
}

}  // namespace roformer
