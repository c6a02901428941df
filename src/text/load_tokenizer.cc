#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "text/char_tokenizer.h"
#include "text/tokenizer_config.h"
#include "text/wordpiece.h"

namespace roformer {

namespace {

bool exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

// A switch with three positions: true, false, and nothing where the key is absent or null.
std::optional<bool> read_switch(const JsonObject& object, const char* key) {
  if (!object.has(key)) return std::nullopt;
  return object.get_bool(key, std::nullopt);
}

// What a tokenizer.json of Hugging Face's tokenizers says, if it is a BERT tokenizer.
struct FastTokenizer {
  Vocabulary vocabulary;
  WordPieceOptions options;
};

Vocabulary read_vocabulary(const JsonObject& model) {
  const JsonObject vocabulary = model.get_object("vocab");
  const size_t count = vocabulary.value().size();
  std::vector<std::string> tokens(count);
  std::vector<bool> seen(count);
  for (const auto& [token, id] : vocabulary.value().items()) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() >= count || seen[id.get<uint64_t>()]) {
      throw DataError("{}: the {} ids of 'vocab' must be 0, 1, 2, ...; the one of {} is {}", model.source(), count,
                      quote(token), quote(dump_json(id)));
    }
    seen[id.get<uint64_t>()] = true;
    tokens[id.get<uint64_t>()] = token;
  }
  return Vocabulary(std::move(tokens), model.source());
}

JsonObject read_part(const JsonObject& file, const char* name, const std::string& type) {
  JsonObject part = file.get_object(name);
  if (part.get_string("type", "") != type) part.reject("type", fmt::format("\"{}\"", type));
  return part;
}

FastTokenizer read_fast_tokenizer(const std::string& path) {
  const JsonObject file = JsonObject::read(path, kMaxVocabularyBytes);
  const JsonObject model = read_part(file, "model", "WordPiece");
  const JsonObject normalizer = read_part(file, "normalizer", "BertNormalizer");
  read_part(file, "pre_tokenizer", "BertPreTokenizer");
  if (model.get_string("continuing_subword_prefix", "##") != kContinuationPrefix) {
    model.reject("continuing_subword_prefix", "\"##\"");
  }
  FastTokenizer result{read_vocabulary(model), {}};
  result.options.lowercase = normalizer.get_bool("lowercase", true);
  result.options.strip_accents = read_switch(normalizer, "strip_accents");
  result.options.separate_cjk = normalizer.get_bool("handle_chinese_chars", true);
  if (!file.has("added_tokens")) return result;
  const Json& added = file.value()["added_tokens"];
  if (!added.is_array()) file.reject("added_tokens", "an array");
  for (const auto& token : added) {
    const std::string content = JsonObject(token, path + ": 'added_tokens'").get_string("content", std::nullopt);
    if (!result.vocabulary.id(content)) {
      throw DataError("{}: the added token {} is not in the vocabulary, which is not supported", path, quote(content));
    }
  }
  return result;
}

// A token is written as its text or as {"content": text, ...}.
std::string read_token(const JsonObject& config, const char* key, const std::string& fallback) {
  if (config.has(key) && config.value()[key].is_object()) return config.get_object(key).get_string("content", {});
  return config.get_string(key, fallback);
}

SpecialTokens read_special_tokens(const JsonObject& config) {
  SpecialTokens names;
  names.pad = read_token(config, "pad_token", names.pad);
  names.unk = read_token(config, "unk_token", names.unk);
  names.cls = read_token(config, "cls_token", names.cls);
  names.sep = read_token(config, "sep_token", names.sep);
  names.mask = read_token(config, "mask_token", names.mask);
  return names;
}

// Lengths of 10^12 and more are how the ecosystem writes "none".
int64_t read_model_max_length(const JsonObject& config) {
  const double length = config.get_double("model_max_length", 0);
  return length >= 1 && length < 1e12 ? static_cast<int64_t>(length) : 0;
}

std::unique_ptr<Tokenizer> make_wordpiece(const JsonObject& config, const std::string& directory) {
  const std::string list = join_path(directory, "vocab.txt"), fast = join_path(directory, "tokenizer.json");
  const SpecialTokens specials = read_special_tokens(config);
  if (!exists(list) && exists(fast)) {
    auto [vocabulary, options] = read_fast_tokenizer(fast);
    return std::make_unique<WordPieceTokenizer>(std::move(vocabulary), specials, options, fast);
  }
  WordPieceOptions options;
  options.lowercase = config.get_bool("do_lower_case", true);
  options.strip_accents = read_switch(config, "strip_accents");
  options.separate_cjk = config.get_bool("tokenize_chinese_chars", true);
  return std::make_unique<WordPieceTokenizer>(Vocabulary::load(list), specials, options, list);
}

}  // namespace

nlohmann::ordered_json common_config(std::string_view tokenizer_class, const SpecialTokens& special_tokens,
                                     int64_t model_max_length) {
  nlohmann::ordered_json config = {{"tokenizer_class", tokenizer_class}, {"pad_token", special_tokens.pad},
                                   {"unk_token", special_tokens.unk},    {"cls_token", special_tokens.cls},
                                   {"sep_token", special_tokens.sep},    {"mask_token", special_tokens.mask}};
  if (model_max_length > 0) config["model_max_length"] = model_max_length;
  return config;
}

std::unique_ptr<Tokenizer> load_tokenizer(const std::string& directory) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(directory, ignored)) {
    throw FileError("{}: no such directory, expected one with a vocab.txt", directory);
  }
  const std::string path = join_path(directory, "tokenizer_config.json"), list = join_path(directory, "vocab.txt");
  const JsonObject config = exists(path) ? JsonObject::read(path) : JsonObject(Json::object(), path);
  const std::string kind = config.get_string("tokenizer_class", "BertTokenizer");
  std::unique_ptr<Tokenizer> tokenizer;
  if (kind == "BertTokenizer" || kind == "BertTokenizerFast") {
    tokenizer = make_wordpiece(config, directory);
  } else if (kind == kCharTokenizerClass) {
    tokenizer = std::make_unique<CharTokenizer>(Vocabulary::load(list), read_special_tokens(config),
                                                config.get_bool("do_lower_case", false), list);
  } else if (kind == kByteTokenizerClass) {
    tokenizer = std::make_unique<ByteTokenizer>(Vocabulary::load(list), read_special_tokens(config), list);
  } else {
    config.reject("tokenizer_class", fmt::format("BertTokenizer, {} or {}", kCharTokenizerClass, kByteTokenizerClass));
  }
  tokenizer->set_model_max_length(read_model_max_length(config));
  return tokenizer;
}

}  // namespace roformer
