#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/utf8.h"
#include "text/added_tokens.h"
#include "text/char_tokenizer.h"
#include "text/jieba/find_dictionary.h"
#include "text/jieba/jieba_tokenizer.h"
#include "text/sentencepiece/tokenizer.h"
#include "text/tokenizer_config.h"
#include "text/tokenizer_settings.h"
#include "text/unicode.h"
#include "text/wordpiece/tokenizer_json.h"

namespace roformer {

namespace {

SpecialTokens read_special_tokens(const JsonObject& config, SpecialTokens names) {
  names.pad = read_token_name(config, "pad_token", names.pad);
  names.unk = read_token_name(config, "unk_token", names.unk);
  names.cls = read_token_name(config, "cls_token", names.cls);
  names.sep = read_token_name(config, "sep_token", names.sep);
  names.mask = read_token_name(config, "mask_token", names.mask);
  return names;
}

// From tokenizer_config.json, else special_tokens_map.json.
SpecialTokens read_special_tokens(const JsonObject& config, const std::string& directory) {
  const std::string path = join_path(directory, "special_tokens_map.json");
  SpecialTokens names;
  if (exists(path)) names = read_special_tokens(JsonObject::read(path), names);
  return read_special_tokens(config, names);
}

// Lengths of 10^12 and more are how the ecosystem writes "none".
int64_t read_model_max_length(const JsonObject& config) {
  const double length = config.get_double("model_max_length", 0);
  return length >= 1 && length < 1e12 ? static_cast<int64_t>(length) : 0;
}

// bert4keras uses the first whitespace-separated field of a line, other programs the whole line.
void keep_first_field(std::string& token) {
  constexpr std::string_view kBlanks = " \t\r\f\v";
  const size_t begin = token.find_first_not_of(kBlanks);
  if (begin == token.npos) return;
  token = token.substr(begin, token.find_first_of(kBlanks, begin) - begin);
}

struct Content {
  Vocabulary vocabulary;
  std::vector<AddedToken> added;
  WordPieceOptions options;
  std::string path;  // of the vocabulary
};

Content read_content(const JsonObject& config, const std::string& directory, bool first_field_only) {
  const std::string list = join_path(directory, "vocab.txt"), fast = join_path(directory, "tokenizer.json");
  const bool from_fast = !exists(list) && exists(fast);
  FastTokenizer content;
  if (from_fast) {
    content = read_fast_tokenizer(fast);
  } else {
    content.tokens = Vocabulary::read_tokens(list);
    if (first_field_only) std::ranges::for_each(content.tokens, keep_first_field);
    content.added_tokens = read_added_tokens(config, directory);
    content.added = append_added_tokens(content.tokens, content.added_tokens, directory);
  }
  mark_special(config, content.tokens, content.added_tokens);
  WordPieceOptions options = content.options;
  options.lowercase = config.get_bool("do_lower_case", options.lowercase);
  if (config.has("strip_accents")) options.strip_accents = config.get_bool("strip_accents", false);
  options.separate_cjk = config.get_bool("tokenize_chinese_chars", options.separate_cjk);
  const std::string& path = from_fast ? fast : list;
  return {Vocabulary(std::move(content.tokens), path, content.added), std::move(content.added_tokens), options, path};
}

JiebaMode choose_mode(const JsonObject& config, const LoadOptions& options) {
  if (options.mode) return *options.mode;
  const auto mode = parse_jieba_mode(config.get_string("tokenizer_mode", "fast"));
  if (!mode) config.reject("tokenizer_mode", "fast, slow or bert4keras");
  return *mode;
}

std::unique_ptr<Tokenizer> make_jieba(Content& content, const JsonObject& config, const std::string& directory,
                                      const LoadOptions& options) {
  content.options.separate_cjk = config.get_bool("tokenize_chinese_chars", true);  // tokenizer.json differs
  const DictionaryFile file = find_dictionary(options.jieba_dictionary, directory);
  return std::make_unique<JiebaTokenizer>(std::move(content.vocabulary), read_special_tokens(config, directory),
                                          content.options, choose_mode(config, options),
                                          JiebaDictionary::open(file.path), file.own ? file.path : "", content.path);
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

JsonObject read_model_config(const std::string& directory) {
  const std::string path = join_path(directory, "config.json");
  return exists(path) ? JsonObject::read(path) : JsonObject(Json::object(), path);
}

// "tokenizer_class" of tokenizer_config.json, else of config.json; empty where neither says one.
std::string named_class(const JsonObject& config, const std::string& directory) {
  if (config.has("tokenizer_class")) return config.get_string("tokenizer_class", "");
  return read_model_config(directory).get_string("tokenizer_class", "");
}

// The same, or the class implied by options or model type; "?" if it depends on the vocabulary.
std::string read_class(const JsonObject& config, const std::string& directory, const LoadOptions& options) {
  std::string named = named_class(config, directory);
  if (!named.empty() || config.has("tokenizer_class")) return named;
  if (options.mode) return std::string(kRoFormerTokenizerClass);
  const JsonObject model = read_model_config(directory);
  return model.get_string("model_type", "") == "roformer" ? "?" : std::string(kBertTokenizerClass);
}

std::unique_ptr<Tokenizer> make_tokenizer(const std::string& kind, const JsonObject& config,
                                          const std::string& directory, const LoadOptions& options) {
  const std::string list = join_path(directory, "vocab.txt");
  if (kind == kCharTokenizerClass) {
    return std::make_unique<CharTokenizer>(Vocabulary::load(list), read_special_tokens(config, directory),
                                           config.get_bool("do_lower_case", false), list);
  }
  if (kind == kByteTokenizerClass) {
    return std::make_unique<ByteTokenizer>(Vocabulary::load(list), read_special_tokens(config, directory), list);
  }
  const bool any = kind == "PreTrainedTokenizerFast" || kind == "TokenizersBackend";  // defined by tokenizer.json
  const bool bert = any || kind == kBertTokenizerClass || kind == "BertTokenizerFast";
  const bool jieba = kind == kRoFormerTokenizerClass || kind == "RoFormerTokenizerFast";
  if (!bert && !jieba && kind != "?") {
    throw DataError("{}: '{}' is {}, expected {}, {}, {} or {}", FilePath(config.source()), KeyName("tokenizer_class"),
                    quote(kind), kBertTokenizerClass, kRoFormerTokenizerClass, kCharTokenizerClass,
                    kByteTokenizerClass);
  }
  const bool bert4keras = !bert && choose_mode(config, options) == JiebaMode::bert4keras;
  Content content = read_content(config, directory, bert4keras);
  std::unique_ptr<Tokenizer> tokenizer;
  if (jieba || (!bert && has_words_of_ideographs(content.vocabulary))) {
    tokenizer = make_jieba(content, config, directory, options);
  } else {
    tokenizer = std::make_unique<WordPieceTokenizer>(
        std::move(content.vocabulary), read_special_tokens(config, directory), content.options, content.path);
  }
  tokenizer->add_tokens(std::move(content.added));
  return tokenizer;
}

}  // namespace

std::unique_ptr<Tokenizer> load_tokenizer(const std::string& directory, const LoadOptions& options) {
  if (!is_directory(directory)) {
    throw FileError("{}: no such directory, expected one with a vocab.txt or tokenizer.model{}", FilePath(directory),
                    download_hint(directory));
  }
  const std::string path = join_path(directory, "tokenizer_config.json");
  const JsonObject config = exists(path) ? JsonObject::read(path) : JsonObject(Json::object(), path);
  auto tokenizer = has_sentencepiece(directory)
                       ? load_sentencepiece(directory, named_class(config, directory), config)
                       : make_tokenizer(read_class(config, directory, options), config, directory, options);
  if ((options.mode || !options.jieba_dictionary.empty()) &&
      dynamic_cast<JiebaTokenizer*>(tokenizer.get()) == nullptr) {
    throw UsageError("{}: its tokenizer is {}, which has neither a mode nor a dictionary, expected {}",
                     FilePath(directory), tokenizer->tokenizer_class(), kRoFormerTokenizerClass);
  }
  tokenizer->set_model_max_length(read_model_max_length(config));
  return tokenizer;
}

}  // namespace roformer
