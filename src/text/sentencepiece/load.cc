#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "text/sentencepiece/json.h"
#include "text/sentencepiece/tokenizer.h"
#include "text/tokenizer_settings.h"

namespace roformer {

namespace {

constexpr const char* kModelFiles[] = {"tokenizer.model", "spiece.model"};

// "LlamaTokenizer" is of the kind "LlamaTokenizer", and so is "LlamaTokenizerFast".
bool is_class_of(std::string_view kind, const std::string& tokenizer_class) {
  return tokenizer_class == kind || tokenizer_class == std::string(kind) + "Fast";
}

std::string name_of(const SentencePieceModel& model, int32_t id) {
  return id < 0 ? "" : model.pieces[static_cast<size_t>(id)];
}

SpecialTokens name_specials(const TokenSettings& tokens, const SentencePieceModel& model, bool own,
                            const std::string& where) {
  const std::string begin = tokens.name("bos_token", name_of(model, model.begin));
  const std::string end = tokens.name("eos_token", name_of(model, model.end));
  SpecialTokens specials;
  specials.unk = tokens.name("unk_token", name_of(model, model.unknown));
  specials.cls = own ? tokens.name("cls_token", begin) : begin;
  specials.sep = own ? tokens.name("sep_token", end) : end;
  if (specials.cls.empty() && specials.sep.empty()) {
    throw DataError(
        "{}: the model has no begin or end token, expected <s> or </s>, or their names in tokenizer_config.json",
        FilePath(where));
  }
  if (specials.cls.empty()) specials.cls = specials.sep;
  if (specials.sep.empty()) specials.sep = specials.cls;
  const std::string pad = name_of(model, model.pad);
  specials.pad = tokens.name("pad_token", pad.empty() ? specials.sep : pad);
  specials.mask = tokens.name("mask_token", "");
  return specials;
}

// DataError for a class with other rules than SentencePiece's.
void check_class(const std::string& tokenizer_class, const JsonObject& config) {
  for (const std::string_view kind : {kLlamaTokenizerClass, kT5TokenizerClass, kSentencePieceTokenizerClass}) {
    if (is_class_of(kind, tokenizer_class)) return;
  }
  throw DataError("{}: '{}' is {}, expected {}, {} or {} for a SentencePiece model", FilePath(config.source()),
                  KeyName("tokenizer_class"), quote(tokenizer_class), kLlamaTokenizerClass, kT5TokenizerClass,
                  kSentencePieceTokenizerClass);
}

SentencePieceSettings read_settings(const std::string& tokenizer_class, const TokenSettings& tokens,
                                    const SentencePieceModel& model, const std::string& where) {
  const JsonObject& config = tokens.config();
  const bool own = tokenizer_class == kSentencePieceTokenizerClass;
  // Without a class, depends on the model's pieces.
  const bool t5 = tokenizer_class.empty() ? model.begin < 0 : tokenizer_class.starts_with(kT5TokenizerClass);
  const std::string_view kind = own ? kSentencePieceTokenizerClass : t5 ? kT5TokenizerClass : kLlamaTokenizerClass;
  SentencePieceSettings settings;
  settings.tokenizer_class = tokenizer_class.empty() ? std::string(kind) : tokenizer_class;
  settings.specials = name_specials(tokens, model, own, where);
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
SentencePieceSettings read_settings(const std::string& tokenizer_class, const TokenSettings& tokens,
                                    const FastSentencePiece& fast, const std::string& where) {
  const JsonObject& config = tokens.config();
  SentencePieceSettings settings;
  if (!leaves_rules_to_json(tokenizer_class)) {
    settings = read_settings(tokenizer_class, tokens, fast.model, where);
  } else {
    settings.tokenizer_class = tokenizer_class.empty() ? "PreTrainedTokenizerFast" : tokenizer_class;
    settings.specials = name_specials(tokens, fast.model, false, where);
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

bool has_fast_file(const std::string& directory) {
  const std::string path = join_path(directory, kFastFile);
  return exists(path) && is_fast_sentencepiece(JsonObject::read(path, kMaxVocabularyBytes));
}

std::unique_ptr<Tokenizer> make(SentencePieceModel model, SentencePieceFile file, const TokenSettings& tokens,
                                SentencePieceSettings settings, const std::string& where) {
  Vocabulary vocabulary(model.pieces, where);
  auto added = tokens.add_to(vocabulary, settings.specials, where);
  auto tokenizer = std::make_unique<SentencePieceTokenizer>(std::move(model), std::move(file), std::move(vocabulary),
                                                            std::move(settings), where);
  tokenizer->add_tokens(std::move(added));
  return tokenizer;
}

std::unique_ptr<Tokenizer> make_fast(const JsonObject& file, std::string content, const std::string& tokenizer_class,
                                     const TokenSettings& tokens) {
  FastSentencePiece fast = read_fast_sentencepiece(file);
  auto settings = read_settings(tokenizer_class, tokens, fast, file.source());
  return make(std::move(fast.model), {std::move(content), kFastFile}, tokens, std::move(settings), file.source());
}

}  // namespace

bool leaves_rules_to_json(const std::string& tokenizer_class) {
  return tokenizer_class.empty() || tokenizer_class == "PreTrainedTokenizerFast" ||
         tokenizer_class == "TokenizersBackend";
}

std::unique_ptr<Tokenizer> load_if_sentencepiece(const JsonObject& file, const std::string& content,
                                                 const std::string& tokenizer_class, const TokenSettings& tokens) {
  if (!is_fast_sentencepiece(file)) return nullptr;
  try {
    return make_fast(file, content, tokenizer_class, tokens);
  } catch (const DataError&) {
    return nullptr;  // other rules, or a fault that whoever reads it as a pipeline meets too
  }
}

bool has_sentencepiece(const std::string& directory) {
  if (exists(join_path(directory, "vocab.txt"))) return false;
  return !model_file(directory).empty() || has_fast_file(directory);
}

bool has_only_fast_sentencepiece(const std::string& directory, const std::string& tokenizer_class) {
  const bool own_rules =
      is_class_of(kLlamaTokenizerClass, tokenizer_class) || is_class_of(kT5TokenizerClass, tokenizer_class);
  return own_rules && model_file(directory).empty() && has_fast_file(directory);
}

std::unique_ptr<Tokenizer> load_sentencepiece(const std::string& directory, const std::string& tokenizer_class,
                                              const JsonObject& config) {
  const std::string path = model_file(directory);
  if (!tokenizer_class.empty()) check_class(tokenizer_class, config);
  const std::string fast_path = join_path(directory, kFastFile);
  std::string fast_file = exists(fast_path) ? read_file(fast_path, kMaxVocabularyBytes) : "";
  std::optional<JsonObject> fast;
  if (!fast_file.empty()) fast.emplace(parse_json(fast_file, fast_path, {}, fast_path), fast_path);
  const TokenSettings tokens(config, directory, fast ? &*fast : nullptr);
  if (!path.empty()) {
    std::string file = read_file(path, kMaxSentencePieceBytes);
    SentencePieceModel model = parse_sentencepiece_model(file, path);
    auto settings = read_settings(tokenizer_class, tokens, model, path);
    return make(std::move(model), {.content = std::move(file)}, tokens, std::move(settings), path);
  }
  return make_fast(*fast, std::move(fast_file), tokenizer_class, tokens);
}

}  // namespace roformer
