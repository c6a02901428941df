#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/inapplicable_error.h"
#include "base/json.h"
#include "base/utf8.h"
#include "text/added_tokens.h"
#include "text/char_tokenizer.h"
#include "text/jieba/find_dictionary.h"
#include "text/jieba/jieba_tokenizer.h"
#include "text/pipeline/load.h"
#include "text/sentencepiece/tokenizer.h"
#include "text/tokenizer_config.h"
#include "text/tokenizer_settings.h"
#include "text/translation_tokenizers.h"
#include "text/unicode.h"
#include "text/wordpiece/tokenizer_json.h"

namespace roformer {

namespace {

// bert4keras uses the first whitespace-separated field of a line, other programs the whole line.
void keep_first_field(std::string& token) {
  constexpr std::string_view kBlanks = " \t\r\f\v";
  const size_t begin = token.find_first_not_of(kBlanks);
  if (begin == token.npos) return;
  token = token.substr(begin, token.find_first_of(kBlanks, begin) - begin);
}

// A tokenizer.json, if the directory has one.
std::optional<JsonObject> read_fast_file(const std::string& directory) {
  const std::string path = join_path(directory, "tokenizer.json");
  if (!exists(path)) return std::nullopt;
  return JsonObject::read(path, kMaxVocabularyBytes);
}

// What all kinds need. The parts refer to each other in this order.
struct Content {
  Vocabulary vocabulary;
  SpecialTokens specials;
  std::vector<AddedToken> added;
  std::string path;  // of the vocabulary
};

Content make_content(Vocabulary vocabulary, const TokenSettings& tokens, const std::string& path) {
  SpecialTokens specials = tokens.names();
  auto added = tokens.add_to(vocabulary, specials, path);
  return {std::move(vocabulary), std::move(specials), std::move(added), path};
}

// The tokenizers library drops white space at the end of a line.
void trim_end(std::string& token) {
  while (!token.empty()) {
    size_t last = token.size();
    do --last;
    while (!begins_code_point(token[last]));
    if (!is_whitespace(decode_utf8(token.data() + last).value)) return;
    token.resize(last);
  }
}

std::vector<std::string> read_list(const std::string& path, void (*edit)(std::string&)) {
  std::vector<std::string> tokens = Vocabulary::read_tokens(path);
  std::ranges::for_each(tokens, edit);
  return tokens;
}

JiebaMode choose_mode(const JsonObject& config, const LoadOptions& options) {
  if (options.mode) return *options.mode;
  const auto mode = parse_jieba_mode(config.get_string("tokenizer_mode", "fast"));
  if (!mode) config.reject("tokenizer_mode", "fast, slow or bert4keras");
  return *mode;
}

// A token of two or more characters, all of them ideographs.
bool has_words_of_ideographs(const Vocabulary& vocabulary) {
  return std::ranges::any_of(vocabulary.model_tokens(), [](const std::string& token) {
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

constexpr const char* kUndecided = "?";

// The same, or the class implied by options or model type; kUndecided if it depends on the vocabulary.
std::string read_class(const JsonObject& config, const std::string& directory, const LoadOptions& options) {
  std::string named = named_tokenizer_class(config, directory);
  if (!named.empty() || config.has("tokenizer_class")) return named;
  const std::string model = read_model_config(directory).get_string("model_type", "");
  const bool roformer = model == "roformer";
  if (options.mode && (roformer || model.empty())) return std::string(kRoFormerTokenizerClass);
  return roformer ? kUndecided : std::string(kBertTokenizerClass);
}

// For WordPiece: from tokenizer.json if there is one, else vocab.txt. bert4keras knows vocab.txt alone.
Vocabulary read_vocabulary(const std::string& directory, const JsonObject* fast, bool jieba, bool bert4keras,
                           std::string& path) {
  path = join_path(directory, "vocab.txt");
  if (fast != nullptr && !(bert4keras && exists(path))) {
    path = fast->source();
    VocabularyObject vocabulary = read_fast_vocabulary(*fast);
    return {std::move(vocabulary.tokens), path, std::move(vocabulary.holes)};
  }
  return {read_list(path, bert4keras ? keep_first_field : jieba ? [](std::string&) {} : trim_end), path};
}

// Classes of transformers leave only the vocabulary and the added tokens to a tokenizer.json.
WordPieceOptions read_options(const JsonObject& config, const JsonObject* fast, bool by_class) {
  WordPieceOptions options;
  if (fast != nullptr && !by_class) options = read_fast_options(*fast);
  options.lowercase = config.get_bool("do_lower_case", options.lowercase);
  if (config.has("strip_accents")) options.strip_accents = config.get_bool("strip_accents", false);
  options.separate_cjk = config.get_bool("tokenize_chinese_chars", options.separate_cjk);
  return options;
}

std::unique_ptr<Tokenizer> make_wordpiece(const std::string& kind, const JsonObject& config,
                                          const std::string& directory, const LoadOptions& options) {
  const bool bert = follows_bert(kind) || leaves_rules_to_json(kind);  // the latter without a tokenizer.json
  const bool jieba = kind == kRoFormerTokenizerClass || kind == "RoFormerTokenizerFast";
  if (!bert && !jieba && kind != kUndecided) {
    throw DataError("{}: '{}' is {}, expected {} or another class with its rules, {}, {} or {}",
                    FilePath(config.source()), KeyName("tokenizer_class"), quote(kind), kBertTokenizerClass,
                    kRoFormerTokenizerClass, kCharTokenizerClass, kByteTokenizerClass);
  }
  const std::optional<JsonObject> file = read_fast_file(directory);
  const JsonObject* fast = file ? &*file : nullptr;
  const bool bert4keras = !bert && choose_mode(config, options) == JiebaMode::bert4keras;
  std::string path;
  Vocabulary vocabulary = read_vocabulary(directory, fast, !bert, bert4keras, path);
  const bool by_jieba = jieba || (!bert && has_words_of_ideographs(vocabulary));
  Content content = make_content(std::move(vocabulary), TokenSettings(config, directory, fast), path);
  WordPieceOptions wordpiece = read_options(config, fast, !named_tokenizer_class(config, directory).empty());
  std::unique_ptr<Tokenizer> tokenizer;
  if (by_jieba) {
    wordpiece.separate_cjk = config.get_bool("tokenize_chinese_chars", true);  // tokenizer.json differs
    const DictionaryFile dictionary = find_dictionary(options.jieba_dictionary, directory);
    tokenizer = std::make_unique<JiebaTokenizer>(std::move(content.vocabulary), std::move(content.specials), wordpiece,
                                                 choose_mode(config, options), JiebaDictionary::open(dictionary.path),
                                                 dictionary.own ? dictionary.path : "", path);
  } else {
    tokenizer = std::make_unique<WordPieceTokenizer>(std::move(content.vocabulary), std::move(content.specials),
                                                     wordpiece, path);
  }
  tokenizer->add_tokens(std::move(content.added));
  return tokenizer;
}

// Of characters or bytes.
std::unique_ptr<Tokenizer> make_simple(const std::string& kind, const JsonObject& config,
                                       const std::string& directory) {
  const std::string path = join_path(directory, "vocab.txt");
  Content content = make_content(Vocabulary::load(path), TokenSettings(config, directory, nullptr), path);
  std::unique_ptr<Tokenizer> tokenizer;
  if (kind == kCharTokenizerClass) {
    tokenizer = std::make_unique<CharTokenizer>(std::move(content.vocabulary), std::move(content.specials),
                                                config.get_bool("do_lower_case", false), path);
  } else {
    tokenizer = std::make_unique<ByteTokenizer>(std::move(content.vocabulary), std::move(content.specials), path);
  }
  tokenizer->add_tokens(std::move(content.added));
  return tokenizer;
}

// Whether tokenizer.json has the say: the class leaves it to the file, or none is named and it is not jieba's.
bool is_pipeline(const JsonObject& config, const std::string& directory, const LoadOptions& options) {
  const std::string named = named_tokenizer_class(config, directory);
  if (!is_defined_by_json(directory, named)) return false;
  if (!named.empty()) return true;
  return !options.mode && options.jieba_dictionary.empty() &&
         read_model_config(directory).get_string("model_type", "") != "roformer";
}

std::unique_ptr<Tokenizer> make_tokenizer(const std::string& kind, const JsonObject& config,
                                          const std::string& directory, const LoadOptions& options) {
  if (kind == kCharTokenizerClass || kind == kByteTokenizerClass) return make_simple(kind, config, directory);
  return make_wordpiece(kind, config, directory, options);
}

}  // namespace

std::unique_ptr<Tokenizer> load_tokenizer(const std::string& directory, const LoadOptions& options) {
  if (!is_directory(directory)) {
    throw FileError("{}: no such directory, expected one with a vocab.txt or tokenizer.model{}", FilePath(directory),
                    download_hint(directory));
  }
  const std::string path = join_path(directory, "tokenizer_config.json");
  const JsonObject config = exists(path) ? JsonObject::read(path) : JsonObject(Json::object(), path);
  auto tokenizer = is_translator(directory, named_tokenizer_class(config, directory))
                       ? load_translation_tokenizers(directory).source
                   : is_pipeline(config, directory, options)
                       ? load_json_tokenizer(directory, named_tokenizer_class(config, directory), config)
                   : has_sentencepiece(directory)
                       ? load_sentencepiece(directory, named_tokenizer_class(config, directory), config)
                       : make_tokenizer(read_class(config, directory, options), config, directory, options);
  if (dynamic_cast<JiebaTokenizer*>(tokenizer.get()) == nullptr) {
    const auto refuse = [&](const char* field) {
      throw InapplicableError("{}: its tokenizer is {}, which takes no {}, expected {}", FilePath(directory),
                              tokenizer->tokenizer_class(), FieldName(field), kRoFormerTokenizerClass);
    };
    if (options.mode) refuse("tokenizer_mode");
    if (!options.jieba_dictionary.empty()) refuse("jieba_dictionary");
  }
  apply_length_settings(*tokenizer, config);
  return tokenizer;
}

}  // namespace roformer
