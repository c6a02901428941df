#include "text/wordpiece/tokenizer_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

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
    if (std::ranges::find(added, id, &AddedToken::id) == added.end())
      added.push_back({.content = token, .id = id, .special = true});
  }
  std::ranges::sort(added, {}, &AddedToken::id);
  return added;
}

}  // namespace

VocabularyObject read_fast_vocabulary(const JsonObject& file) {
  const JsonObject model = file.get_object("model");
  // Old files do not name the type.
  const bool untyped = !model.has("type") && model.has("max_input_chars_per_word");
  if (!untyped && model.get_string("type", "") != "WordPiece") model.reject("type", "\"WordPiece\"");
  return read_vocabulary_object(model);
}

WordPieceOptions read_fast_options(const JsonObject& file) {
  const JsonObject model = file.get_object("model");
  const JsonObject normalizer = read_part(file, "normalizer", "BertNormalizer");
  read_part(file, "pre_tokenizer", "BertPreTokenizer");
  if (model.get_string("continuing_subword_prefix", "##") != kContinuationPrefix) {
    model.reject("continuing_subword_prefix", "\"##\"");
  }
  if (model.get_int("max_input_chars_per_word", kMaxWordCodePoints) != kMaxWordCodePoints) {
    model.reject("max_input_chars_per_word", fmt::format("{}", kMaxWordCodePoints));
  }
  if (!normalizer.get_bool("clean_text", true)) normalizer.reject("clean_text", "true");
  WordPieceOptions options;
  options.lowercase = normalizer.get_bool("lowercase", true);
  if (normalizer.has("strip_accents")) options.strip_accents = normalizer.get_bool("strip_accents", false);
  options.separate_cjk = normalizer.get_bool("handle_chinese_chars", true);
  return options;
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
  // The vocabulary is written by hand: inserting into an ordered JSON object is linear in its size.
  std::string text = head.dump(2);
  text.resize(text.rfind('\n'));
  text += fmt::format(
      ",\n  \"model\": {{\n    \"type\": \"WordPiece\",\n    \"unk_token\": {},\n"
      "    \"continuing_subword_prefix\": \"{}\",\n    \"max_input_chars_per_word\": {},\n    \"vocab\": {{",
      dump_json(specials.unk), kContinuationPrefix, kMaxWordCodePoints);
  const char* separator = "\n";
  const auto tokens = vocabulary.model_tokens();
  for (int32_t id = 0; id < std::ssize(tokens); ++id) {
    if (!vocabulary.holds(id)) continue;
    text.append(separator).append("      ").append(dump_json(tokens[static_cast<size_t>(id)]));
    text.append(": ").append(std::to_string(id));
    separator = ",\n";
  }
  return text + "\n    }\n  }\n}\n";
}

}  // namespace roformer
