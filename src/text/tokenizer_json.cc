#include "text/tokenizer_json.h"

#include <algorithm>

#include "base/error.h"

namespace roformer {

namespace {

using OrderedJson = nlohmann::ordered_json;

JsonObject read_part(const JsonObject& file, const char* name, const std::string& type) {
  JsonObject part = file.get_object(name);
  if (part.get_string("type", "") != type) part.reject("type", fmt::format("\"{}\"", type));
  return part;
}

OrderedJson template_part(const char* kind, const std::string& id, int type) {
  return {{kind, {{"id", id}, {"type_id", type}}}};
}

OrderedJson post_processor(const Vocabulary& vocabulary, const SpecialTokens& specials) {
  const auto special = [&](const std::string& token, int type) { return template_part("SpecialToken", token, type); };
  const auto entry = [&](const std::string& token) {
    return OrderedJson{{"id", token},
                       {"ids", OrderedJson::array({vocabulary.id(token).value_or(0)})},
                       {"tokens", OrderedJson::array({token})}};
  };
  const auto a = template_part("Sequence", "A", 0), b = template_part("Sequence", "B", 1);
  return {{"type", "TemplateProcessing"},
          {"single", OrderedJson::array({special(specials.cls, 0), a, special(specials.sep, 0)})},
          {"pair",
           OrderedJson::array({special(specials.cls, 0), a, special(specials.sep, 0), b, special(specials.sep, 1)})},
          {"special_tokens", {{specials.cls, entry(specials.cls)}, {specials.sep, entry(specials.sep)}}}};
}

std::vector<AddedToken> sorted_added_tokens(const Vocabulary& vocabulary, const SpecialTokens& specials,
                                            std::vector<AddedToken> added) {
  for (const std::string& token : specials.all()) {
    const int32_t id = vocabulary.id(token).value_or(0);
    if (std::ranges::find(added, id, &AddedToken::id) == added.end()) added.push_back({token, id, true, false});
  }
  std::ranges::sort(added, {}, &AddedToken::id);
  return added;
}

}  // namespace

AddedToken read_added_token(const JsonObject& entry, int64_t id) {
  for (const char* key : {"lstrip", "rstrip", "single_word"}) {
    if (entry.get_bool(key, false)) entry.reject(key, "false: nothing else is supported");
  }
  const bool special = entry.get_bool("special", false);
  return {entry.get_string("content", std::nullopt), static_cast<int32_t>(id), special,
          entry.get_bool("normalized", !special)};
}

OrderedJson write_added_token(const AddedToken& token) {
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
      throw DataError("{}: the added token {} has the id {}, which is that of {}", FilePath(where),
                      quote(token->content), id, quote(tokens[id]));
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

FastTokenizer read_fast_tokenizer(const std::string& path) {
  const JsonObject file = JsonObject::read(path, kMaxVocabularyBytes);
  const JsonObject model = read_part(file, "model", "WordPiece");
  const JsonObject normalizer = read_part(file, "normalizer", "BertNormalizer");
  read_part(file, "pre_tokenizer", "BertPreTokenizer");
  if (model.get_string("continuing_subword_prefix", "##") != kContinuationPrefix) {
    model.reject("continuing_subword_prefix", "\"##\"");
  }
  if (model.get_int("max_input_chars_per_word", kMaxWordCodePoints) != kMaxWordCodePoints) {
    model.reject("max_input_chars_per_word", fmt::format("{}", kMaxWordCodePoints));
  }
  if (!normalizer.get_bool("clean_text", true)) normalizer.reject("clean_text", "true");
  FastTokenizer result{.tokens = read_vocabulary_object(model), .added = 0, .added_tokens = {}, .options = {}};
  result.options.lowercase = normalizer.get_bool("lowercase", true);
  if (normalizer.has("strip_accents")) result.options.strip_accents = normalizer.get_bool("strip_accents", false);
  result.options.separate_cjk = normalizer.get_bool("handle_chinese_chars", true);
  result.added_tokens = read_added_token_list(file);
  result.added = append_added_tokens(result.tokens, result.added_tokens, path);
  return result;
}

std::string write_fast_tokenizer(const Vocabulary& vocabulary, const SpecialTokens& specials,
                                 const std::vector<AddedToken>& added, const WordPieceOptions& options) {
  OrderedJson added_tokens = OrderedJson::array();
  for (const AddedToken& token : sorted_added_tokens(vocabulary, specials, added)) {
    OrderedJson entry = {{"id", token.id}};
    entry.update(write_added_token(token));
    added_tokens.push_back(std::move(entry));
  }
  Json strip_accents = nullptr;
  if (options.strip_accents) strip_accents = *options.strip_accents;
  const OrderedJson head = {{"version", "1.0"},
                            {"truncation", nullptr},
                            {"padding", nullptr},
                            {"added_tokens", added_tokens},
                            {"normalizer",
                             {{"type", "BertNormalizer"},
                              {"clean_text", true},
                              {"handle_chinese_chars", options.separate_cjk},
                              {"strip_accents", strip_accents},
                              {"lowercase", options.lowercase}}},
                            {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
                            {"post_processor", post_processor(vocabulary, specials)},
                            {"decoder", {{"type", "WordPiece"}, {"prefix", kContinuationPrefix}, {"cleanup", true}}}};
  // The vocabulary is written by hand: an ordered JSON object looks through all of its keys before it takes one more.
  std::string text = head.dump(2);
  text.resize(text.rfind('\n'));
  text += fmt::format(
      ",\n  \"model\": {{\n    \"type\": \"WordPiece\",\n    \"unk_token\": {},\n"
      "    \"continuing_subword_prefix\": \"{}\",\n    \"max_input_chars_per_word\": {},\n    \"vocab\": {{",
      dump_json(specials.unk), kContinuationPrefix, kMaxWordCodePoints);
  const char* separator = "\n";
  int32_t id = 0;
  for (const std::string& token : vocabulary.model_tokens()) {
    text.append(separator).append("      ").append(dump_json(token)).append(": ").append(std::to_string(id++));
    separator = ",\n";
  }
  return text + "\n    }\n  }\n}\n";
}

}  // namespace roformer
