#include "formats/gguf_tokenizer.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/error.h"
#include "text/pipeline/byte_bpe_json.h"
#include "text/sentencepiece/model.h"
#include "text/vocabulary.h"

namespace roformer {

namespace {

// The first name with the same rules is the one that is written.
constexpr GgufWords kWords[] = {
    {"gpt-2", BytePattern::gpt2},
    {"olmo", BytePattern::gpt2},
    {"phi-2", BytePattern::gpt2},
    {"smollm", BytePattern::smollm},
    {"starcoder", BytePattern::smollm},
    {"refact", BytePattern::smollm},
    {"command-r", BytePattern::smollm},
    {"llama-bpe", BytePattern::llama3, false, true, true},
    {"llama3", BytePattern::llama3, false, true, true},
    {"llama-v3", BytePattern::llama3, false, true, true},
    {"qwen2", BytePattern::qwen2, true},
    {"deepseek-r1-qwen", BytePattern::qwen2, true},
};

class GgufTokenizerReader {
 public:
  explicit GgufTokenizerReader(const GgufFile& file) : metadata_(file.metadata()) {
    tokens_ = texts("tokens");
    if (tokens_.empty() || tokens_.size() > kMaxTokens) {
      metadata_.reject(key("tokens"), fmt::format("1 to {} tokens", kMaxTokens));
    }
    read_types();
    size_t used = tokens_.size();
    const auto fills = [&](size_t id) {
      return is(id, GgufToken::unused) && tokens_[id] == fmt::format("[PAD{}]", id);
    };
    while (used > 1 && fills(used - 1)) --used;  // rows without a token
    used_ = used;
  }

  std::map<std::string, std::string> sentencepiece() {
    SentencePieceModel model;
    model.kind = SentencePieceModel::Kind::bpe;
    model.pieces.assign(tokens_.begin(), tokens_.begin() + static_cast<int64_t>(used_));
    for (size_t id = 0; id < used_; ++id) model.types.push_back(static_cast<SentencePieceModel::Type>(types_[id]));
    read_scores(model);
    model.byte_fallback = std::ranges::count(types_, static_cast<int>(GgufToken::byte)) > 0;
    model.unknown = id_of("unknown");
    using Type = SentencePieceModel::Type;
    const bool marked = std::ranges::count(model.types, Type::unknown) > 0;  // in some files it is a control token
    if (!marked && model.unknown >= 0) model.types[static_cast<size_t>(model.unknown)] = Type::unknown;
    model.begin = id_of("bos");
    model.end = id_of("eos");
    model.pad = id_of("padding");
    model.add_dummy_prefix = metadata_.get_bool(key("add_space_prefix"), true);
    model.remove_extra_whitespaces = metadata_.get_bool(key("remove_extra_whitespaces"), false);
    Json config = settings("LlamaTokenizer", true);
    config["legacy"] = true;
    Json added = Json::object();
    for (size_t id = 0; id < used_; ++id) {
      if (is(id, GgufToken::control)) added[std::to_string(id)] = added_token(id);
    }
    if (!added.empty()) config["added_tokens_decoder"] = added;
    return {{"tokenizer.model", write_sentencepiece_model(model)}, {"tokenizer_config.json", config.dump(2) + "\n"}};
  }

  std::map<std::string, std::string> byte_level_bpe() {
    const GgufWords* words = find_gguf_words(metadata_.get_string(key("pre"), std::nullopt));
    if (words == nullptr) metadata_.reject(key("pre"), known_words());
    Json vocabulary = Json::object(), added = Json::array();
    for (size_t id = 0; id < used_; ++id) {
      if (!vocabulary.emplace(tokens_[id], id).second) {
        throw DataError("{}: the token {} occurs twice", FilePath(metadata_.source()), quote(tokens_[id]));
      }
      if (is(id, GgufToken::control) || is(id, GgufToken::user_defined) || is(id, GgufToken::unknown)) {
        Json token = added_token(id);
        token["id"] = id;
        added.push_back(token);
      }
    }
    Json file = byte_level_json({.pattern = words->pattern, .composes = words->composed});
    file["added_tokens"] = std::move(added);
    file["model"]["ignore_merges"] = words->whole_tokens;
    file["model"]["vocab"] = std::move(vocabulary);
    file["model"]["merges"] = texts("merges");
    return {{"tokenizer.json", file.dump()},
            {"tokenizer_config.json", settings("PreTrainedTokenizerFast", words->begins).dump(2) + "\n"}};
  }

 private:
  static std::string key(const std::string& name) { return "tokenizer.ggml." + name; }
  static std::string known_words() {
    std::string names;
    for (const GgufWords& one : kWords) names += (names.empty() ? "" : ", ") + std::string(one.name);
    return names;
  }

  std::vector<std::string> texts(const char* name) const { return metadata_.get_strings(key(name), std::nullopt); }
  bool is(size_t id, GgufToken type) const { return types_[id] == static_cast<int>(type); }

  // An array of numbers, one per token.
  const Json& numbers(const char* name) const {
    const auto found = metadata_.value().find(key(name));
    if (found == metadata_.value().end() || !found->is_array() || found->size() != tokens_.size()) {
      throw DataError("{}: '{}' is not an array of {} numbers, one per token", FilePath(metadata_.source()),
                      KeyName(key(name)), tokens_.size());
    }
    return *found;
  }

  void read_types() {
    types_.assign(tokens_.size(), static_cast<int>(GgufToken::normal));
    if (!metadata_.has(key("token_type"))) return;
    const Json& all = numbers("token_type");
    for (size_t id = 0; id < types_.size(); ++id) {
      if (!all[id].is_number_integer() || all[id] < 1 || all[id] > 6) {
        throw DataError("{}: '{}' says that token {} is of type {}, expected 1 to 6", FilePath(metadata_.source()),
                        KeyName(key("token_type")), id, show_json(all[id]));
      }
      types_[id] = all[id].get<int>();
    }
  }

  void read_scores(SentencePieceModel& model) const {
    for (const Json& score : numbers("scores")) {
      if (!score.is_number()) metadata_.reject(key("scores"), "numbers");
      model.scores.push_back(score.get<float>());
    }
    model.scores.resize(used_);
  }

  // −1 if there is none.
  int32_t id_of(const std::string& name) const {
    const std::string of = key(name + "_token_id");
    if (!metadata_.has(of)) return -1;
    return static_cast<int32_t>(metadata_.get_int(of, std::nullopt, 0, static_cast<int64_t>(used_) - 1));
  }

  Json added_token(size_t id) const {
    return {{"content", tokens_[id]}, {"lstrip", false},      {"normalized", false},
            {"rstrip", false},        {"single_word", false}, {"special", !is(id, GgufToken::user_defined)}};
  }

  // tokenizer_config.json.
  Json settings(const char* tokenizer_class, bool begins) const {
    Json config = {{"tokenizer_class", tokenizer_class},
                   {"add_bos_token", metadata_.get_bool(key("add_bos_token"), begins)},
                   {"add_eos_token", metadata_.get_bool(key("add_eos_token"), false)},
                   {"clean_up_tokenization_spaces", false}};
    for (const auto& [name, ours] : {std::pair{"bos", "bos_token"}, std::pair{"eos", "eos_token"},
                                     std::pair{"unknown", "unk_token"}, std::pair{"padding", "pad_token"}}) {
      if (const int32_t id = id_of(name); id >= 0) config[ours] = tokens_[static_cast<size_t>(id)];
    }
    for (const char* of : {"add_bos_token", "add_eos_token"}) {
      const char* token = of == std::string_view("add_bos_token") ? "bos_token" : "eos_token";
      if (config[of] == true && !config.contains(token)) config[of] = false;
    }
    constexpr const char* kTemplate = "tokenizer.chat_template";
    if (metadata_.has(kTemplate)) config["chat_template"] = metadata_.get_string(kTemplate, std::nullopt);
    const std::string length = metadata_.get_string("general.architecture", "") + ".context_length";
    if (metadata_.has(length)) config["model_max_length"] = metadata_.get_int(length, std::nullopt, 1);
    return config;
  }

  const JsonObject& metadata_;
  std::vector<std::string> tokens_;
  std::vector<int> types_;
  size_t used_ = 0;  // tokens up to the last that is one
};

}  // namespace

const GgufWords* find_gguf_words(std::string_view name) {
  const auto* const found =
      std::ranges::find(kWords, name, [](const GgufWords& one) { return std::string_view(one.name); });
  return found == std::end(kWords) ? nullptr : found;
}

const GgufWords* gguf_words_of(const JsonObject& tokenizer) {
  if (!tokenizer.has("pre_tokenizer")) return nullptr;
  const auto plain = [](Json part) {  // without what does not change the words, and with defaults
    const auto complete = [](Json& one) {
      one.erase("trim_offsets");
      if (one.value("type", "") == "ByteLevel" && !one.contains("use_regex")) one["use_regex"] = true;
    };
    complete(part);
    if (part.contains("pretokenizers")) std::ranges::for_each(part["pretokenizers"], complete);
    return part;
  };
  const Json theirs = plain(tokenizer.value()["pre_tokenizer"]);
  const bool whole = tokenizer.get_object("model").get_bool("ignore_merges", false);
  for (const GgufWords& words : kWords) {
    if (words.whole_tokens == whole && plain(byte_level_json({.pattern = words.pattern})["pre_tokenizer"]) == theirs)
      return &words;
  }
  return nullptr;
}

std::map<std::string, std::string> gguf_tokenizer_files(const GgufFile& file) {
  constexpr const char* kModel = "tokenizer.ggml.model";
  if (!file.metadata().has(kModel)) return {};
  const std::string model = file.metadata().get_string(kModel, std::nullopt);
  if (model == "llama") return GgufTokenizerReader(file).sentencepiece();
  if (model == "gpt2") return GgufTokenizerReader(file).byte_level_bpe();
  file.metadata().reject(kModel, "gpt2 or llama");
}

}  // namespace roformer
