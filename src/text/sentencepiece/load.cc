#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "text/added_tokens.h"
#include "text/sentencepiece/json.h"
#include "text/sentencepiece/tokenizer.h"
#include "text/tokenizer_settings.h"

namespace roformer {

namespace {

constexpr const char* kModelFiles[] = {"tokenizer.model", "spiece.model"};

std::string name_of(const SentencePieceModel& model, int32_t id) {
  return id < 0 ? "" : model.pieces[static_cast<size_t>(id)];
}

// Special-token names: from the config, else special_tokens_map.json, else the model.
class Names {
 public:
  Names(const JsonObject& config, const std::string& directory) : config_(config), map_(read_map(directory)) {}

  std::string get(const char* key, const std::string& fallback) const {
    return read_token_name(config_, key, read_token_name(map_, key, fallback));
  }

 private:
  static JsonObject read_map(const std::string& directory) {
    const std::string path = join_path(directory, "special_tokens_map.json");
    return exists(path) ? JsonObject::read(path) : JsonObject(Json::object(), path);
  }

  const JsonObject& config_;
  JsonObject map_;
};

SpecialTokens name_specials(const Names& names, const SentencePieceModel& model, bool own, const std::string& where) {
  const std::string begin = names.get("bos_token", name_of(model, model.begin));
  const std::string end = names.get("eos_token", name_of(model, model.end));
  SpecialTokens specials;
  specials.unk = names.get("unk_token", name_of(model, model.unknown));
  specials.cls = own ? names.get("cls_token", begin) : begin;
  specials.sep = own ? names.get("sep_token", end) : end;
  if (specials.cls.empty() && specials.sep.empty()) {
    throw DataError(
        "{}: the model has no begin or end token, expected <s> or </s>, or their names in tokenizer_config.json",
        FilePath(where));
  }
  if (specials.cls.empty()) specials.cls = specials.sep;
  if (specials.sep.empty()) specials.sep = specials.cls;
  const std::string pad = name_of(model, model.pad);
  specials.pad = names.get("pad_token", pad.empty() ? specials.sep : pad);
  specials.mask = names.get("mask_token", "");
  return specials;
}

SentencePieceSettings read_settings(const std::string& tokenizer_class, const JsonObject& config,
                                    const std::string& directory, const SentencePieceModel& model,
                                    const std::string& where) {
  const bool own = tokenizer_class == kSentencePieceTokenizerClass;
  // Without a class, depends on the model's pieces.
  const bool t5 = tokenizer_class.empty() ? model.begin < 0 : tokenizer_class.starts_with(kT5TokenizerClass);
  const std::string_view kind = own ? kSentencePieceTokenizerClass : t5 ? kT5TokenizerClass : kLlamaTokenizerClass;
  if (!tokenizer_class.empty() && tokenizer_class != kind && tokenizer_class != std::string(kind) + "Fast") {
    throw DataError("{}: '{}' is {}, expected {}, {} or {} for a SentencePiece model", FilePath(config.source()),
                    KeyName("tokenizer_class"), quote(tokenizer_class), kLlamaTokenizerClass, kT5TokenizerClass,
                    kSentencePieceTokenizerClass);
  }
  SentencePieceSettings settings;
  settings.tokenizer_class = tokenizer_class.empty() ? std::string(kind) : tokenizer_class;
  settings.specials = name_specials(Names(config, directory), model, own, where);
  if (own) {
    settings.mask_takes_space = true;
  } else {
    settings.legacy = config.get_bool("legacy", true);
    settings.special_template.cls = !t5 && config.get_bool("add_bos_token", true);
    settings.special_template.sep = t5 || config.get_bool("add_eos_token", false);
    settings.special_template.repeat_cls = settings.special_template.cls;
  }
  return settings;
}

// The settings for a model from a tokenizer.json, which defines spaces and, unless the config does, the special tokens
// around a text.
SentencePieceSettings read_settings(const std::string& tokenizer_class, const JsonObject& config,
                                    const std::string& directory, const FastSentencePiece& fast,
                                    const std::string& where) {
  SentencePieceSettings settings;
  if (!leaves_rules_to_json(tokenizer_class)) {
    settings = read_settings(tokenizer_class, config, directory, fast.model, where);
  } else {
    settings.tokenizer_class = tokenizer_class.empty() ? "PreTrainedTokenizerFast" : tokenizer_class;
    settings.specials = name_specials(Names(config, directory), fast.model, false, where);
  }
  if (!fast.begin.empty()) settings.specials.cls = fast.begin;
  if (!fast.end.empty()) settings.specials.sep = fast.end;
  settings.special_template = fast.special_template;
  if (config.has("add_bos_token"))
    settings.special_template.cls = settings.special_template.repeat_cls = config.get_bool("add_bos_token", {});
  if (config.has("add_eos_token")) settings.special_template.sep = config.get_bool("add_eos_token", {});
  settings.legacy = fast.legacy;
  return settings;
}

// tokenizer.model or spiece.model; empty where there is none.
std::string model_file(const std::string& directory) {
  for (const char* name : kModelFiles) {
    if (exists(join_path(directory, name))) return join_path(directory, name);
  }
  return "";
}

constexpr const char* kFastFile = "tokenizer.json";

std::unique_ptr<Tokenizer> make(SentencePieceModel model, SentencePieceFile file, std::vector<AddedToken> added,
                                SentencePieceSettings settings, const JsonObject& config, const std::string& directory,
                                const std::string& where) {
  std::vector<std::string> tokens = model.pieces;
  const size_t beyond = append_added_tokens(tokens, added, directory);
  mark_special(config, tokens, added);
  for (AddedToken& token : added) token.normalized = false;  // matched in the raw text
  auto tokenizer = std::make_unique<SentencePieceTokenizer>(std::move(model), std::move(file), std::move(tokens),
                                                            beyond, std::move(settings), where);
  tokenizer->add_tokens(std::move(added));
  return tokenizer;
}

std::unique_ptr<Tokenizer> make_fast(const JsonObject& file, std::string content, const std::string& directory,
                                     const std::string& tokenizer_class, const JsonObject& config) {
  FastSentencePiece fast = read_fast_sentencepiece(file);
  auto settings = read_settings(tokenizer_class, config, directory, fast, file.source());
  return make(std::move(fast.model), {std::move(content), kFastFile}, std::move(fast.added), std::move(settings),
              config, directory, file.source());
}

}  // namespace

bool leaves_rules_to_json(const std::string& tokenizer_class) {
  return tokenizer_class.empty() || tokenizer_class == "PreTrainedTokenizerFast" ||
         tokenizer_class == "TokenizersBackend";
}

std::unique_ptr<Tokenizer> load_if_sentencepiece(const JsonObject& file, const std::string& content,
                                                 const std::string& directory, const std::string& tokenizer_class,
                                                 const JsonObject& config) {
  if (!is_fast_sentencepiece(file)) return nullptr;
  try {
    return make_fast(file, content, directory, tokenizer_class, config);
  } catch (const DataError&) {
    return nullptr;  // other rules, or a fault that whoever reads it as a pipeline meets too
  }
}

bool has_sentencepiece(const std::string& directory) {
  if (exists(join_path(directory, "vocab.txt"))) return false;
  const std::string fast = join_path(directory, kFastFile);
  return !model_file(directory).empty() ||
         (exists(fast) && is_fast_sentencepiece(JsonObject::read(fast, kMaxVocabularyBytes)));
}

std::unique_ptr<Tokenizer> load_sentencepiece(const std::string& directory, const std::string& tokenizer_class,
                                              const JsonObject& config) {
  std::string path = model_file(directory);
  if (!path.empty()) {
    std::string file = read_file(path, kMaxSentencePieceBytes);
    SentencePieceModel model = parse_sentencepiece_model(file, path);
    auto settings = read_settings(tokenizer_class, config, directory, model, path);
    return make(std::move(model), {.content = std::move(file)}, read_added_tokens(config, directory),
                std::move(settings), config, directory, path);
  }
  path = join_path(directory, kFastFile);
  std::string file = read_file(path, kMaxVocabularyBytes);
  const JsonObject json(parse_json(file, path, {}, path), path);
  return make_fast(json, std::move(file), directory, tokenizer_class, config);
}

}  // namespace roformer
