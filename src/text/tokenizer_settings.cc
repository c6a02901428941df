#include "text/tokenizer_settings.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "text/added_tokens.h"

namespace roformer {

namespace {

int64_t read_id(const std::string& text, const JsonObject& object) {
  int64_t id = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size() || id < 0 || id >= static_cast<int64_t>(kMaxTokens)) {
    throw DataError("{}: {} is not a token id", object.source(), KeyName(text, quote(text)));
  }
  return id;
}

}  // namespace

std::string read_token_name(const JsonObject& config, const char* key, const std::string& fallback) {
  if (config.has(key) && config.value()[key].is_object()) return config.get_object(key).get_string("content", {});
  return config.get_string(key, fallback);
}

std::vector<AddedToken> read_added_tokens(const JsonObject& config, const std::string& directory) {
  std::vector<AddedToken> added;
  if (config.has("added_tokens_decoder")) {
    const JsonObject decoder = config.get_object("added_tokens_decoder");
    for (const auto& [id, entry] : decoder.value().items()) {
      added.push_back(read_added_token(JsonObject(entry, decoder.source()), read_id(id, decoder)));
    }
    return added;
  }
  const std::string path = join_path(directory, "added_tokens.json");
  if (!exists(path)) return added;
  const JsonObject file = JsonObject::read(path, kMaxVocabularyBytes);
  for (const auto& entry : file.value().items()) {
    const int64_t id = file.get_int(entry.key(), std::nullopt, 0, static_cast<int64_t>(kMaxTokens) - 1);
    added.push_back({entry.key(), static_cast<int32_t>(id), false, true});
  }
  return added;
}

void mark_special(const JsonObject& config, const std::vector<std::string>& tokens, std::vector<AddedToken>& added) {
  for (const char* key : {"additional_special_tokens", "extra_special_tokens"}) {
    if (!config.has(key) || !config.value()[key].is_array()) continue;
    for (const Json& entry : config.value()[key]) {
      const std::string name = entry.is_object()   ? JsonObject(entry, config.source()).get_string("content", "")
                               : entry.is_string() ? entry.get<std::string>()
                                                   : "";
      const auto found = std::ranges::find(tokens, name);
      if (name.empty() || found == tokens.end()) continue;
      const auto known = std::ranges::find(added, name, &AddedToken::content);
      if (known == added.end()) {
        added.push_back({name, static_cast<int32_t>(found - tokens.begin()), true, false});
      } else {
        known->special = true;
        known->normalized = false;
      }
    }
  }
}

}  // namespace roformer
