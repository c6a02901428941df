#include "text/pipeline/load.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "text/added_tokens.h"
#include "text/pipeline/byte_bpe.h"
#include "text/pipeline/load_merges.h"
#include "text/pipeline/tokenizer.h"
#include "text/sentencepiece/json.h"
#include "text/sentencepiece/tokenizer.h"
#include "text/tokenizer_settings.h"
#include "text/wordpiece/wordpiece.h"

namespace roformer {

namespace {

constexpr const char* kJsonFile = "tokenizer.json";

// Classes whose tokenizer.json says what they do.
bool is_byte_level_class(std::string_view name) {
  constexpr std::string_view kFast = "Fast";
  if (name.ends_with(kFast)) name.remove_suffix(kFast.size());
  return std::ranges::find(kByteLevelClasses, name) != kByteLevelClasses.end();
}

class JsonTokenizerLoader {
 public:
  JsonTokenizerLoader(const std::string& tokenizer_class, const TokenSettings& settings, const JsonObject& file)
      : class_(tokenizer_class),
        settings_(settings),
        file_(file),
        model_(read_pipeline_model(file)),
        vocabulary_(std::move(model_.tokens), file.source(), std::move(model_.holes)),
        added_(settings.add_to(vocabulary_, {.pad = "", .unk = "", .cls = "", .sep = "", .mask = ""}, file.source())),
        templates_(read_own_templates()) {
    name_specials();
  }

  std::unique_ptr<Tokenizer> load(std::string content) {
    std::unique_ptr<Tokenizer> tokenizer;
    if (const auto options = bert_options()) {
      tokenizer = std::make_unique<WordPieceTokenizer>(std::move(vocabulary_), specials_, *options, file_.source());
    } else {
      const std::optional<ByteLevelRules> byte_level = read_byte_level_rules();
      PipelineDecoder decoder(file_, vocabulary_.model_tokens());
      PipelineNormalizer normalizer(file_);
      std::map<int32_t, std::string> normalized;
      for (const AddedToken& token : added_) {
        if (token.normalized) normalized.emplace(token.id, normalizer.apply(token.content));
      }
      tokenizer = std::make_unique<PipelineTokenizer>(
          std::move(vocabulary_),
          PipelineParts{.normalizer = std::move(normalizer),
                        .pre_tokenizer = PipelinePreTokenizer(file_),
                        .model = std::move(model_.model),
                        .templates = std::move(templates_),
                        .decoder = std::move(decoder),
                        .specials = specials_,
                        .tokenizer_class = class_.empty() ? "PreTrainedTokenizerFast" : class_,
                        .file = std::move(content),
                        .normalized = std::move(normalized),
                        .config = settings_.config(),
                        .byte_level = byte_level},
          file_.source());
    }
    tokenizer->add_tokens(std::move(added_));
    return tokenizer;
  }

 private:
  const AddedToken* added(const std::string& name) const {
    const auto found = std::ranges::find(added_, name, &AddedToken::content);
    return found == added_.end() || name.empty() ? nullptr : &*found;
  }

  // "add_bos_token" and "add_eos_token" overrule the post-processor.
  PipelineTemplates read_own_templates() const {
    const JsonObject& config = settings_.config();
    if (!config.value().contains("add_bos_token") && !config.value().contains("add_eos_token")) {
      return read_templates(file_, vocabulary_.size());
    }
    const auto name = [&](const char* key, const char* token) {
      return config.get_bool(key, false) ? settings_.name(token, "") : std::string();
    };
    return make_templates(vocabulary_, name("add_bos_token", "bos_token"), name("add_eos_token", "eos_token"));
  }

  // The first of some names that is an added token; "" if none is.
  std::string first_of(std::initializer_list<std::string> candidates) const {
    for (const std::string& name : candidates) {
      if (added(name) != nullptr) return name;
    }
    return "";
  }

  void name_specials() {
    const SpecialTokens bert;
    std::string cls =
        first_of({settings_.name("cls_token", ""), settings_.name("bos_token", ""), templates_.begin, bert.cls});
    std::string sep =
        first_of({settings_.name("sep_token", ""), settings_.name("eos_token", ""), templates_.end, bert.sep});
    if (cls.empty()) cls = sep;
    if (sep.empty()) sep = cls;
    specials_ = {.pad = first_of({settings_.name("pad_token", ""), bert.pad, sep}),
                 .unk = first_of({settings_.name("unk_token", ""), model_.model->unknown_token(), bert.unk}),
                 .cls = cls,
                 .sep = sep,
                 .mask = first_of({settings_.name("mask_token", ""), bert.mask})};
  }

  // The rules of byte-level BPE, if the file has a model of bytes and words of a known pattern.
  std::optional<ByteLevelRules> read_byte_level_rules() const {
    if (model_.model->byte_bpe() == nullptr) return std::nullopt;
    const auto steps = read_pipeline_parts(file_, "pre_tokenizer", "pretokenizers", "pre-tokenizer");
    const JsonObject& bytes = steps.back().json();
    const bool own_words = bytes.get_bool("use_regex", true), prefix = bytes.get_bool("add_prefix_space", true);
    std::optional<BytePattern> pattern;
    if (steps.size() == 1 && own_words) pattern = BytePattern::gpt2;
    if (steps.size() == 2 && !prefix) pattern = read_pattern_of(steps.front(), own_words);
    if (!pattern) return std::nullopt;
    ByteLevelRules rules{.words = ByteWords(*pattern), .adds_prefix_space = prefix};
    const auto normalizers = read_pipeline_parts(file_, "normalizer", "normalizers", "normalizer");
    if (!normalizers.empty()) {
      const bool nfc = normalizers.size() == 1 && normalizers.front().type() == "NFC";
      rules.normalizer = nfc ? ByteLevelRules::Normalizer::nfc : ByteLevelRules::Normalizer::other;
    }
    return rules;
  }

  // Of a step before ByteLevel, which itself splits words or does not.
  static std::optional<BytePattern> read_pattern_of(const PipelinePart& step, bool byte_level_splits) {
    const JsonObject& json = step.json();
    if (byte_level_splits) {
      const bool digits = step.type() == "Digits" && json.get_bool("individual_digits", false);
      return digits ? std::optional(BytePattern::smollm) : std::nullopt;
    }
    if (step.type() != "Split" || json.get_string("behavior", "") != "Isolated" || json.get_bool("invert", false)) {
      return std::nullopt;
    }
    return pattern_of_expression(json.get_object("pattern").get_string("Regex", ""));
  }

  // The one part under a key; nothing if there are none or several.
  std::optional<PipelinePart> single_part(const char* key, const char* list, const char* type) const {
    const auto parts = read_pipeline_parts(file_, key, list, key);
    if (parts.size() != 1 || parts[0].type() != type) return std::nullopt;
    return parts[0];
  }

  // The options of BERT's tokenizer, if the file means that.
  std::optional<WordPieceOptions> bert_options() const {
    const auto normalizer = single_part("normalizer", "normalizers", "BertNormalizer");
    if (!normalizer || !single_part("pre_tokenizer", "pretokenizers", "BertPreTokenizer") ||
        !single_part("decoder", "decoders", "WordPiece")) {
      return std::nullopt;
    }
    const JsonObject model = file_.get_object("model");
    const auto all = specials_.all();
    if (model_.model->type() != "wordpiece" || !normalizer->json().get_bool("clean_text", true) ||
        model.get_string("continuing_subword_prefix", std::string(kContinuationPrefix)) != kContinuationPrefix ||
        model.get_int("max_input_chars_per_word", kMaxWordCodePoints) != kMaxWordCodePoints ||
        std::ranges::any_of(all, &std::string::empty) || model_.model->unknown_token() != specials_.unk ||
        !has_bert_templates()) {
      return std::nullopt;
    }
    WordPieceOptions options;
    options.lowercase = normalizer->json().get_bool("lowercase", true);
    if (normalizer->json().has("strip_accents")) {
      options.strip_accents = normalizer->json().get_bool("strip_accents", false);
    }
    options.separate_cjk = normalizer->json().get_bool("handle_chinese_chars", true);
    if (class_.empty()) {  // transformers then takes a class by the model's type, whose settings are the config's
      const JsonObject& config = settings_.config();
      options.lowercase = config.get_bool("do_lower_case", options.lowercase);
      if (config.has("strip_accents")) options.strip_accents = config.get_bool("strip_accents", false);
      options.separate_cjk = config.get_bool("tokenize_chinese_chars", options.separate_cjk);
    }
    return options;
  }

  bool has_bert_templates() const {
    using Kind = TemplatePart::Kind;
    const int32_t cls = added(specials_.cls)->id, sep = added(specials_.sep)->id;
    const EncodingTemplate single = {{Kind::special, cls, 0}, {Kind::text, -1, 0}, {Kind::special, sep, 0}};
    EncodingTemplate pair = single;
    pair.push_back({Kind::pair, -1, 1});
    pair.push_back({Kind::special, sep, 1});
    return templates_.single == single && templates_.pair == pair;
  }

  std::string class_;
  const TokenSettings& settings_;
  const JsonObject& file_;
  ReadPipelineModel model_;  // without its tokens
  Vocabulary vocabulary_;
  std::vector<AddedToken> added_;
  PipelineTemplates templates_;
  SpecialTokens specials_;
};

}  // namespace

bool is_defined_by_json(const std::string& directory, const std::string& tokenizer_class) {
  const bool has_file = exists(join_path(directory, kJsonFile));
  if (is_byte_level_class(tokenizer_class)) return has_file || has_merges(directory);
  if (!leaves_rules_to_json(tokenizer_class)) return has_only_fast_sentencepiece(directory, tokenizer_class);
  return has_file || (has_merges(directory) && !exists(join_path(directory, "vocab.txt")));
}

std::unique_ptr<Tokenizer> load_tokenizer_json(const Json& content, const JsonObject& config, const std::string& where,
                                               const std::string& directory) {
  const JsonObject file(content, where);
  const TokenSettings settings(config, directory, &file);
  return JsonTokenizerLoader(config.get_string("tokenizer_class", ""), settings, file).load(content.dump() + "\n");
}

std::unique_ptr<Tokenizer> load_json_tokenizer(const std::string& directory, const std::string& tokenizer_class,
                                               const JsonObject& config) {
  const std::string path = join_path(directory, kJsonFile);
  if (!exists(path)) return load_merges(directory, tokenizer_class, config);
  std::string content = read_file(path, kMaxVocabularyBytes);
  const JsonObject file(parse_json(content, path, {}, path), path);
  const TokenSettings settings(config, directory, &file);
  if (auto tokenizer = load_if_sentencepiece(file, content, tokenizer_class, settings)) return tokenizer;
  return JsonTokenizerLoader(tokenizer_class, settings, file).load(std::move(content));
}

}  // namespace roformer
