#include "text/pipeline/load.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "text/added_tokens.h"
#include "text/pipeline/tokenizer.h"
#include "text/sentencepiece/json.h"
#include "text/sentencepiece/tokenizer.h"
#include "text/tokenizer_settings.h"
#include "text/wordpiece/wordpiece.h"

namespace roformer {

namespace {

constexpr const char* kJsonFile = "tokenizer.json";

// The name of a special token that a directory's settings have; "" if none.
class SpecialNames {
 public:
  SpecialNames(const JsonObject& config, const std::string& directory)
      : config_(config), map_(JsonObject(Json::object(), "")) {
    const std::string path = join_path(directory, "special_tokens_map.json");
    if (exists(path)) map_ = JsonObject::read(path);
  }

  std::string get(const char* key) const { return read_token_name(config_, key, read_token_name(map_, key, "")); }

 private:
  const JsonObject& config_;
  JsonObject map_;
};

class JsonTokenizerLoader {
 public:
  JsonTokenizerLoader(const std::string& directory, const std::string& tokenizer_class, const JsonObject& config,
                      const JsonObject& file)
      : directory_(directory),
        class_(tokenizer_class),
        config_(config),
        file_(file),
        names_(config, directory),
        model_(read_pipeline_model(file)),
        tokens_(std::move(model_.tokens)),
        model_size_(tokens_.size()) {
    read_added();
    const PipelineTemplates templates = read_own_templates();
    name_specials(templates);
  }

  std::unique_ptr<Tokenizer> load(std::string content) {
    std::unique_ptr<Tokenizer> tokenizer;
    if (const auto options = bert_options()) {
      tokenizer = std::make_unique<WordPieceTokenizer>(make_vocabulary(), specials_, *options, file_.source());
    } else {
      PipelineDecoder decoder(file_, tokens_);
      PipelineTemplates templates = read_own_templates();
      tokenizer = std::make_unique<PipelineTokenizer>(
          make_vocabulary(),
          PipelineParts{PipelineNormalizer(file_), PipelinePreTokenizer(file_), std::move(model_.model),
                        std::move(templates), std::move(decoder), specials_,
                        class_.empty() ? "PreTrainedTokenizerFast" : class_, std::move(content), config_},
          file_.source());
    }
    tokenizer->add_tokens(std::move(added_));
    return tokenizer;
  }

 private:
  Vocabulary make_vocabulary() { return Vocabulary(tokens_, file_.source(), tokens_.size() - model_size_); }

  const AddedToken* added(const std::string& name) const {
    const auto found = std::ranges::find(added_, name, &AddedToken::content);
    return found == added_.end() || name.empty() ? nullptr : &*found;
  }

  // Adds a token that tokenizer.json does not: with the id that its text has, or the next one.
  void add(AddedToken token) {
    if (token.content.empty() || added(token.content) != nullptr) return;
    const auto found = std::ranges::find(tokens_, token.content);
    token.id = static_cast<int32_t>(found - tokens_.begin());
    if (found == tokens_.end()) tokens_.push_back(token.content);
    added_.push_back(std::move(token));
  }

  void read_added() {
    added_ = read_added_token_list(file_);
    append_added_tokens(tokens_, added_, file_.source());
    std::vector<AddedToken> more = read_added_tokens(config_, directory_);
    std::ranges::sort(more, {}, &AddedToken::id);
    for (AddedToken& token : more) add(std::move(token));
    for (const char* key :
         {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"}) {
      add({.content = names_.get(key), .special = true});
    }
    for (const char* key : {"additional_special_tokens", "extra_special_tokens"}) {
      if (!config_.has(key) || !config_.value()[key].is_array()) continue;
      for (const Json& entry : config_.value()[key]) {
        add({.content = read_token_name(JsonObject({{key, entry}}, config_.source()), key, ""), .special = true});
      }
    }
    mark_special(config_, tokens_, added_);
  }

  // "add_bos_token" and "add_eos_token" overrule the post-processor.
  PipelineTemplates read_own_templates() const {
    const Json& config = config_.value();
    if (!config.contains("add_bos_token") && !config.contains("add_eos_token")) {
      return read_templates(file_, static_cast<int32_t>(tokens_.size()));
    }
    const auto name = [&](const char* key, const char* token) {
      return config_.get_bool(key, false) ? names_.get(token) : std::string();
    };
    return make_templates(Vocabulary(tokens_, file_.source()), name("add_bos_token", "bos_token"),
                          name("add_eos_token", "eos_token"));
  }

  // The first of some names that is an added token; "" if none is.
  std::string first_of(std::initializer_list<std::string> candidates) const {
    for (const std::string& name : candidates) {
      if (added(name) != nullptr) return name;
    }
    return "";
  }

  void name_specials(const PipelineTemplates& templates) {
    const SpecialTokens bert;
    std::string cls = first_of({names_.get("cls_token"), names_.get("bos_token"), templates.begin, bert.cls});
    std::string sep = first_of({names_.get("sep_token"), names_.get("eos_token"), templates.end, bert.sep});
    if (cls.empty()) cls = sep;
    if (sep.empty()) sep = cls;
    specials_ = {.pad = first_of({names_.get("pad_token"), bert.pad, sep}),
                 .unk = first_of({names_.get("unk_token"), model_.model->unknown_token(), bert.unk}),
                 .cls = cls,
                 .sep = sep,
                 .mask = first_of({names_.get("mask_token"), bert.mask})};
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
      options.lowercase = config_.get_bool("do_lower_case", options.lowercase);
      if (config_.has("strip_accents")) options.strip_accents = config_.get_bool("strip_accents", false);
      options.separate_cjk = config_.get_bool("tokenize_chinese_chars", options.separate_cjk);
    }
    return options;
  }

  bool has_bert_templates() const {
    using Kind = TemplatePart::Kind;
    const PipelineTemplates templates = read_own_templates();
    const int32_t cls = added(specials_.cls)->id, sep = added(specials_.sep)->id;
    const EncodingTemplate single = {{Kind::special, cls, 0}, {Kind::text, -1, 0}, {Kind::special, sep, 0}};
    EncodingTemplate pair = single;
    pair.push_back({Kind::pair, -1, 1});
    pair.push_back({Kind::special, sep, 1});
    return templates.single == single && templates.pair == pair;
  }

  const std::string& directory_;
  const std::string& class_;
  const JsonObject& config_;
  const JsonObject& file_;
  SpecialNames names_;
  ReadPipelineModel model_;
  std::vector<std::string> tokens_;  // by id
  size_t model_size_;                // how many of them are the model's
  std::vector<AddedToken> added_;
  SpecialTokens specials_;
};

}  // namespace

bool is_defined_by_json(const std::string& directory, const std::string& tokenizer_class) {
  return leaves_rules_to_json(tokenizer_class) && exists(join_path(directory, kJsonFile));
}

std::unique_ptr<Tokenizer> load_json_tokenizer(const std::string& directory, const std::string& tokenizer_class,
                                               const JsonObject& config) {
  const std::string path = join_path(directory, kJsonFile);
  std::string content = read_file(path, kMaxVocabularyBytes);
  const JsonObject file(parse_json(content, path, {}, path), path);
  if (auto tokenizer = load_if_sentencepiece(file, content, directory, tokenizer_class, config)) return tokenizer;
  return JsonTokenizerLoader(directory, tokenizer_class, config, file).load(std::move(content));
}

}  // namespace roformer
