#include "text/added_tokens.h"

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace roformer {

AddedToken read_added_token(const JsonObject& entry, int64_t id) {
  const bool special = entry.get_bool("special", false);
  return {.content = entry.get_string("content", std::nullopt),
          .id = static_cast<int32_t>(id),
          .special = special,
          .normalized = entry.get_bool("normalized", !special),
          .single_word = entry.get_bool("single_word", false),
          .lstrip = entry.get_bool("lstrip", false),
          .rstrip = entry.get_bool("rstrip", false)};
}

nlohmann::ordered_json write_added_token(const AddedToken& token) {
  return {{"content", token.content}, {"single_word", token.single_word}, {"lstrip", token.lstrip},
          {"rstrip", token.rstrip},   {"normalized", token.normalized},   {"special", token.special}};
}

namespace {

// `key` is that of `vocabulary` in the file `source`; empty: the whole file.
VocabularyObject read_ids(const Json& vocabulary, const std::string& source, const std::string& key) {
  constexpr size_t kMaxHoles = 1024;  // besides one for each token
  const size_t count = vocabulary.size(), limit = 2 * count + kMaxHoles;
  VocabularyObject result;
  std::vector<bool> seen;
  for (const auto& [token, id] : vocabulary.items()) {
    const bool valid = id.is_number_integer() && id.get<int64_t>() >= 0 && id.get<uint64_t>() < limit;
    const size_t index = valid ? id.get<size_t>() : 0;
    if (valid && index >= seen.size()) {
      seen.resize(index + 1);
      result.tokens.resize(index + 1);
    }
    if (!valid || seen[index]) {
      const std::string fault = fmt::format("must be distinct numbers below {}; the one of {} is {}", limit,
                                            quote(token), quote(dump_json(id)));
      if (key.empty()) throw DataError("{}: the {} ids {}", FilePath(source), count, fault);
      throw DataError("{}: the {} ids of '{}' {}", source, count, KeyName(key), fault);
    }
    seen[index] = true;
    result.tokens[index] = token;
  }
  if (result.tokens.empty()) throw DataError("{}: no tokens", source);
  for (size_t id = 0; id < seen.size(); ++id) {
    if (!seen[id]) result.holes.push_back(static_cast<int32_t>(id));
  }
  return result;
}

}  // namespace

VocabularyObject read_vocabulary_object(const JsonObject& model) {
  return read_ids(model.get_object("vocab").value(), model.source(), "vocab");
}

VocabularyObject read_vocabulary_file(const JsonObject& file) { return read_ids(file.value(), file.source(), ""); }

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
