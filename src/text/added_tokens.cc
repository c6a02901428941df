#include "text/added_tokens.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace roformer {

AddedToken read_added_token(const JsonObject& entry, int64_t id) {
  for (const char* key : {"lstrip", "rstrip", "single_word"}) {
    if (entry.get_bool(key, false)) entry.reject(key, "false: nothing else is supported");
  }
  const bool special = entry.get_bool("special", false);
  return {entry.get_string("content", std::nullopt), static_cast<int32_t>(id), special,
          entry.get_bool("normalized", !special)};
}

nlohmann::ordered_json write_added_token(const AddedToken& token) {
  return {{"content", token.content}, {"single_word", false},           {"lstrip", false},
          {"rstrip", false},          {"normalized", token.normalized}, {"special", token.special}};
}

size_t append_added_tokens(std::vector<std::string>& tokens, const std::vector<AddedToken>& added,
                           const std::string& where) {
  std::vector<const AddedToken*> sorted;
  sorted.reserve(added.size());
  for (const AddedToken& token : added) sorted.push_back(&token);
  std::ranges::sort(sorted, {}, &AddedToken::id);
  const size_t before = tokens.size();
  for (const AddedToken* token : sorted) {
    const auto id = static_cast<size_t>(token->id);
    if (id > tokens.size()) {
      throw DataError("{}: the added token {} has the id {}, expected at most {}, the next one", FilePath(where),
                      quote(token->content), id, tokens.size());
    }
    if (id == tokens.size()) {
      tokens.push_back(token->content);
    } else if (tokens[id] != token->content) {
      throw DataError("{}: the added token {} has the id {} of {}", FilePath(where), quote(token->content), id,
                      quote(tokens[id]));
    }
  }
  return tokens.size() - before;
}

std::vector<std::string> read_vocabulary_object(const JsonObject& model) {
  const JsonObject vocabulary = model.get_object("vocab");
  const size_t count = vocabulary.value().size();
  std::vector<std::string> tokens(count);
  std::vector<bool> seen(count);
  for (const auto& [token, id] : vocabulary.value().items()) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() >= count || seen[id.get<uint64_t>()]) {
      throw DataError("{}: the {} ids of '{}' must be 0, 1, 2, ...; the one of {} is {}", model.source(), count,
                      KeyName("vocab"), quote(token), quote(dump_json(id)));
    }
    seen[id.get<uint64_t>()] = true;
    tokens[id.get<uint64_t>()] = token;
  }
  if (tokens.empty()) throw DataError("{}: no tokens", model.source());
  return tokens;
}

std::pair<std::string, std::string> read_merge(const Json& entry, const FilePath& where) {
  if (entry.is_array() && entry.size() == 2 && entry[0].is_string() && entry[1].is_string()) {
    return {entry[0].get<std::string>(), entry[1].get<std::string>()};
  }
  const std::string text = entry.is_string() ? entry.get<std::string>() : "";
  const size_t space = text.find(' ');
  if (space == text.npos || text.find(' ', space + 1) != text.npos) {
    throw DataError("{}: {} is not a merge, expected two pieces", where, show_json(entry));
  }
  return {text.substr(0, space), text.substr(space + 1)};
}

std::vector<AddedToken> read_added_token_list(const JsonObject& file) {
  std::vector<AddedToken> tokens;
  if (!file.has("added_tokens")) return tokens;
  const Json& added = file.value()["added_tokens"];
  if (!added.is_array()) file.reject("added_tokens", "an array");
  for (const auto& token : added) {
    const JsonObject entry(token, file.source() + ": 'added_tokens'");
    tokens.push_back(
        read_added_token(entry, entry.get_int("id", std::nullopt, 0, static_cast<int64_t>(kMaxTokens) - 1)));
  }
  return tokens;
}

}  // namespace roformer
