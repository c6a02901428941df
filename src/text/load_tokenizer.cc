#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "text/char_tokenizer.h"
#include "text/jieba_tokenizer.h"
#include "text/tokenizer_config.h"
#include "text/unicode.h"

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

// Debian's python3-jieba.
constexpr const char* kSystemDictionary = "/usr/lib/python3/dist-packages/jieba/dict.txt";

struct DictionaryFile {
  std::string path;
  bool own;  // goes with the tokenizer
};

DictionaryFile find_dictionary(const std::string& directory, const LoadOptions& options) {
  const char* variable = std::getenv("ROFORMER_JIEBA_DICTIONARY");
  std::string path = options.jieba_dictionary;
  if (path.empty() && variable != nullptr) path = variable;
  if (path.empty()) path = join_path(directory, kJiebaDictionaryFile);
  if (exists(path) || !options.jieba_dictionary.empty() || (variable != nullptr && variable[0] != '\0')) {
    std::error_code ignored;
    return {path, !std::filesystem::equivalent(path, kSystemDictionary, ignored)};
  }
  if (exists(kSystemDictionary)) return {kSystemDictionary, false};
  throw FileError(
      "{}: its tokenizer needs jieba's dictionary, and none was found: install Debian's python3-jieba, or name a "
      "dict.txt with --jieba-dictionary or ROFORMER_JIEBA_DICTIONARY, or put one into the directory as {}",
      directory, kJiebaDictionaryFile);
}

struct Content {
  Vocabulary vocabulary;
  WordPieceOptions options;
  std::string path;  // of the vocabulary
};

Content read_content(const JsonObject& config, const std::string& directory) {
  const std::string list = join_path(directory, "vocab.txt"), fast = join_path(directory, "tokenizer.json");
  if (!exists(list) && exists(fast)) {
    auto [vocabulary, options] = read_fast_tokenizer(fast);
    return {std::move(vocabulary), options, fast};
  }
  WordPieceOptions options;
  options.lowercase = config.get_bool("do_lower_case", true);
  options.strip_accents = read_switch(config, "strip_accents");
  options.separate_cjk = config.get_bool("tokenize_chinese_chars", true);
  return {Vocabulary::load(list), options, list};
}

JiebaMode read_mode(const JsonObject& config) {
  const auto mode = parse_jieba_mode(config.get_string("tokenizer_mode", "fast"));
  if (!mode) config.reject("tokenizer_mode", "fast, slow or bert4keras");
  return *mode;
}

std::unique_ptr<Tokenizer> make_jieba(Content content, const JsonObject& config, const std::string& directory,
                                      const LoadOptions& options) {
  const JiebaMode mode = options.mode ? *options.mode : read_mode(config);
  const DictionaryFile file = find_dictionary(directory, options);
  return std::make_unique<JiebaTokenizer>(std::move(content.vocabulary), read_special_tokens(config), content.options,
                                          mode, JiebaDictionary::open(file.path), file.own ? file.path : "",
                                          content.path);
}

// A token of two or more characters, all of them ideographs.
bool has_words_of_ideographs(const Vocabulary& vocabulary) {
  return std::ranges::any_of(vocabulary.tokens(), [](const std::string& token) {
    size_t count = 0, i = 0;
    while (i < token.size()) {
      const CodePoint c = decode_utf8(token.data() + i);
      if (!is_cjk_ideograph(c.value)) return false;
      i += static_cast<size_t>(c.length);
      ++count;
    }
    return count > 1;
  });
}

// "tokenizer_class" of tokenizer_config.json, else of config.json; "?" where it is for the vocabulary to say.
std::string read_class(const JsonObject& config, const std::string& directory, const LoadOptions& options) {
  if (config.has("tokenizer_class")) return config.get_string("tokenizer_class", "");
  const std::string path = join_path(directory, "config.json");
  const JsonObject model = exists(path) ? JsonObject::read(path) : JsonObject(Json::object(), path);
  const std::string named = model.get_string("tokenizer_class", "");
  if (!named.empty()) return named;
  if (options.mode) return std::string(kRoFormerTokenizerClass);
  return model.get_string("model_type", "") == "roformer" ? "?" : std::string(kBertTokenizerClass);
}

std::unique_ptr<Tokenizer> make_tokenizer(const std::string& kind, const JsonObject& config,
                                          const std::string& directory, const LoadOptions& options) {
  const std::string list = join_path(directory, "vocab.txt");
  if (kind == kCharTokenizerClass) {
    return std::make_unique<CharTokenizer>(Vocabulary::load(list), read_special_tokens(config),
                                           config.get_bool("do_lower_case", false), list);
  }
  if (kind == kByteTokenizerClass) {
    return std::make_unique<ByteTokenizer>(Vocabulary::load(list), read_special_tokens(config), list);
  }
  const bool bert = kind == kBertTokenizerClass || kind == "BertTokenizerFast";
  const bool jieba = kind == kRoFormerTokenizerClass || kind == "RoFormerTokenizerFast";
  if (!bert && !jieba && kind != "?") {
    config.reject("tokenizer_class", fmt::format("{}, {}, {} or {}", kBertTokenizerClass, kRoFormerTokenizerClass,
                                                 kCharTokenizerClass, kByteTokenizerClass));
  }
  Content content = read_content(config, directory);
  if (jieba || (!bert && has_words_of_ideographs(content.vocabulary))) {
    return make_jieba(std::move(content), config, directory, options);
  }
  return std::make_unique<WordPieceTokenizer>(std::move(content.vocabulary), read_special_tokens(config),
                                              content.options, content.path);
}

}  // namespace

std::unique_ptr<Tokenizer> load_tokenizer(const std::string& directory, const LoadOptions& options) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(directory, ignored)) {
    throw FileError("{}: no such directory, expected one with a vocab.txt", directory);
  }
  const std::string path = join_path(directory, "tokenizer_config.json");
  const JsonObject config = exists(path) ? JsonObject::read(path) : JsonObject(Json::object(), path);
  auto tokenizer = make_tokenizer(read_class(config, directory, options), config, directory, options);
  if ((options.mode || !options.jieba_dictionary.empty()) &&
      dynamic_cast<JiebaTokenizer*>(tokenizer.get()) == nullptr) {
    throw UsageError("{}: its tokenizer is {}, which has neither a mode nor a dictionary, expected {}", directory,
                     tokenizer->tokenizer_class(), kRoFormerTokenizerClass);
  }
  tokenizer->set_model_max_length(read_model_max_length(config));
  return tokenizer;
}

}  // namespace roformer
