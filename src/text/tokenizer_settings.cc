#include "text/tokenizer_settings.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "base/error.h"
#include "base/file.h"
#include "text/added_tokens.h"

namespace roformer {

namespace {

constexpr const char* kDecoder = "added_tokens_decoder";
constexpr const char* kExtra = "extra_special_tokens";
constexpr const char* kAdditional = "additional_special_tokens";  // before transformers 5

bool has_list(const JsonObject& config, const char* key) { return config.has(key) && config.value()[key].is_array(); }

int64_t read_id(const std::string& text, const JsonObject& object) {
  int64_t id = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size() || id < 0 || id >= static_cast<int64_t>(kMaxTokens)) {
    throw DataError("{}: {} is not a token id", object.source(), KeyName(text, quote(text)));
  }
  return id;
}

// An entry of special_tokens_map.json as tokenizer_config.json has it, to which a copy's belongs.
Json as_config_entry(Json value) {
  if (value.is_array()) {
    for (Json& entry : value) entry = as_config_entry(std::move(entry));
  }
  if (value.is_object()) value["__type"] = "AddedToken";
  return value;
}

JsonObject with_special_tokens_map(const JsonObject& config, const std::string& directory) {
  const std::string path = join_path(directory, "special_tokens_map.json");
  if (config.has(kDecoder) || !exists(path)) return config;
  Json merged = config.value();
  const JsonObject map = JsonObject::read(path);
  for (const auto& [key, value] : map.value().items()) {
    if (key == kAdditional && (has_list(config, kExtra) || has_list(config, kAdditional))) continue;
    if (key == kExtra && value.is_array() && has_list(config, kExtra)) {
      merged[key].insert(merged[key].end(), value.begin(), value.end());
    } else if (!value.is_null()) {
      merged[key] = key == kExtra ? value : as_config_entry(value);
    }
  }
  return {std::move(merged), config.source()};
}

// A special token given as text or as an object; without content for anything else.
AddedToken read_special(const Json& value, const std::string& source, const std::string& key) {
  AddedToken token;
  if (value.is_string()) token.content = value.get<std::string>();
  if (value.is_object()) {
    Json entry = value;
    entry["special"] = true;
    token = read_added_token(JsonObject(std::move(entry), fmt::format("{}: '{}'", source, key)), 0);
  }
  token.special = true;
  return token;
}

// Its first versions called the key "max_len".
const char* max_length_key(const JsonObject& config) {
  return config.has("model_max_length") ? "model_max_length" : "max_len";
}

}  // namespace

JsonObject read_model_config(const std::string& directory) {
  const std::string path = join_path(directory, "config.json");
  return exists(path) ? JsonObject::read(path) : JsonObject(Json::object(), path);
}

std::string named_tokenizer_class(const JsonObject& config, const std::string& directory) {
  if (config.has("tokenizer_class")) return config.get_string("tokenizer_class", "");
  return read_model_config(directory).get_string("tokenizer_class", "");
}

void apply_length_settings(Tokenizer& tokenizer, const JsonObject& config) {
  if (const char* key = max_length_key(config); config.has(key)) {
    const double length = config.get_double(key, {});  // of 10^12 and more is how the ecosystem writes "none"
    tokenizer.set_model_max_length(length >= 1 && length < 1e12 ? static_cast<int64_t>(length) : 0);
  }
  const std::string side = config.get_string("truncation_side", "right");
  if (side != "right" && side != "left") config.reject("truncation_side", "right or left");
  tokenizer.set_truncates_left(side == "left");
}

TokenSettings::TokenSettings(const JsonObject& config, const std::string& directory, const JsonObject* fast)
    : config_(with_special_tokens_map(config, directory)) {
  declare(directory, fast);
  std::ranges::stable_sort(declared_, {}, &AddedToken::id);
}

std::string TokenSettings::name(const std::string& key, const std::string& fallback) const {
  if (config_.has(key) && config_.value()[key].is_object()) return config_.get_object(key).get_string("content", {});
  return config_.get_string(key, fallback);
}

SpecialTokens TokenSettings::names() const {
  const SpecialTokens usual;
  return {.pad = name("pad_token", usual.pad),
          .unk = name("unk_token", usual.unk),
          .cls = name("cls_token", usual.cls),
          .sep = name("sep_token", usual.sep),
          .mask = name("mask_token", usual.mask)};
}

void TokenSettings::declare(const std::string& directory, const JsonObject* fast) {
  if (fast != nullptr) declared_ = read_added_token_list(*fast);
  std::unordered_map<std::string, size_t> by_content;
  for (size_t i = 0; i < declared_.size(); ++i) by_content.emplace(declared_[i].content, i);
  if (config_.has(kDecoder)) {
    const JsonObject decoder = config_.get_object(kDecoder);
    for (const auto& [id, entry] : decoder.value().items()) {
      AddedToken token = read_added_token(JsonObject(entry, decoder.source()), read_id(id, decoder));
      const auto [known, is_new] = by_content.emplace(token.content, declared_.size());
      if (is_new) {
        declared_.push_back(std::move(token));
      } else {
        declared_[known->second] = std::move(token);
      }
    }
    return;
  }
  const std::string path = join_path(directory, "added_tokens.json");
  if (!exists(path)) return;
  // Only those that the files name; a tokenizer's usual names do not count.
  std::vector<AddedToken> special = named_tokens({.pad = "", .unk = "", .cls = "", .sep = "", .mask = ""});
  for (AddedToken& token : extra_tokens()) special.push_back(std::move(token));
  std::unordered_map<int32_t, size_t> by_id;
  for (size_t i = 0; i < declared_.size(); ++i) by_id.emplace(declared_[i].id, i);
  const JsonObject file = JsonObject::read(path, kMaxVocabularyBytes);
  for (const auto& entry : file.value().items()) {
    const auto id =
        static_cast<int32_t>(file.get_int(entry.key(), std::nullopt, 0, static_cast<int64_t>(kMaxTokens) - 1));
    if (by_content.contains(entry.key()) || by_id.contains(id)) continue;
    const bool is_special = std::ranges::find(special, entry.key(), &AddedToken::content) != special.end();
    declared_.push_back({.content = entry.key(), .id = id, .special = is_special, .normalized = !is_special});
  }
}

// In transformers' order: those that it knows, then a model's own, "image_token".
std::vector<AddedToken> TokenSettings::named_tokens(const SpecialTokens& specials) const {
  const std::vector<std::pair<std::string, std::string>> usual = {{"bos_token", ""},
                                                                  {"eos_token", ""},
                                                                  {"unk_token", specials.unk},
                                                                  {"sep_token", specials.sep},
                                                                  {"pad_token", specials.pad},
                                                                  {"cls_token", specials.cls},
                                                                  {"mask_token", specials.mask}};
  std::vector<AddedToken> tokens;
  const auto put = [&](AddedToken token) {
    if (!token.content.empty()) tokens.push_back(std::move(token));
  };
  for (const auto& [key, name] : usual) {
    const AddedToken token =
        config_.has(key) ? read_special(config_.value()[key], config_.source(), key) : AddedToken{};
    put(token);
    if (token.content != name) put({.content = name, .special = true});
  }
  const auto is_usual = [&](const std::string& key) {
    return std::ranges::any_of(usual, [&](const auto& entry) { return entry.first == key; });
  };
  for (const auto& [key, value] : config_.value().items()) {
    if (key.ends_with("_token") && !is_usual(key)) put(read_special(value, config_.source(), key));
  }
  if (config_.has(kExtra) && config_.value()[kExtra].is_object()) {
    for (const Json& value : config_.value()[kExtra]) put(read_special(value, config_.source(), kExtra));
  }
  return tokens;
}

std::vector<AddedToken> TokenSettings::extra_tokens() const {
  std::vector<AddedToken> tokens;
  for (const char* key : {kExtra, kAdditional}) {  // two names of one list, of which the newer counts
    if (!has_list(config_, key) || !tokens.empty()) continue;
    for (const Json& value : config_.value()[key]) {
      AddedToken token = read_special(value, config_.source(), key);
      if (!token.content.empty()) tokens.push_back(std::move(token));
    }
  }
  return tokens;
}

std::vector<AddedToken> TokenSettings::add_to(Vocabulary& vocabulary, const SpecialTokens& specials,
                                              const std::string& where) const {
  std::vector<AddedToken> tokens;
  std::unordered_map<std::string, size_t> places;
  const auto put = [&](AddedToken token) {
    if (token.content.empty()) return;
    const auto [place, is_new] = places.emplace(token.content, tokens.size());
    if (!is_new) {
      tokens[place->second].special |= token.special;
      return;
    }
    token.id = vocabulary.add(token.content, where);
    tokens.push_back(std::move(token));
  };
  for (const AddedToken& token : declared_) put(token);
  std::string missing;
  bool needed = false;
  for (const std::string& name : specials.all()) {
    if (name.empty() || vocabulary.id(name)) continue;
    missing += (missing.empty() ? "" : ", ") + quote(name);
    needed = needed || name == specials.unk || name == specials.cls || name == specials.sep;
  }
  if (needed) throw DataError("{}: special tokens missing from the vocabulary: {}", FilePath(where), missing);
  for (AddedToken& token : named_tokens(specials)) put(std::move(token));
  for (AddedToken& token : extra_tokens()) put(std::move(token));
  return tokens;
}

}  // namespace roformer
