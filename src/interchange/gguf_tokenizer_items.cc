#include "interchange/gguf_tokenizer_items.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "base/json.h"
#include "base/memory_files.h"
#include "formats/gguf_tokenizer.h"
#include "text/sentencepiece/model.h"
#include "text/tokenizer.h"

namespace roformer {

namespace {

using Files = std::map<std::string, std::string>;

std::string ggml(const std::string& name) { return "tokenizer.ggml." + name; }

std::optional<JsonObject> json_file(const Files& files, const char* name) {
  const auto found = files.find(name);
  if (found == files.end()) return std::nullopt;
  return JsonObject(parse_json(found->second, name), name);
}

class GgufTokenizerItems {
 public:
  GgufTokenizerItems(const Files& files, const Json& config, int64_t rows)
      : files_(files), config_(config), rows_(static_cast<size_t>(rows)) {}

  GgufItems build() {
    if (files_.contains("tokenizer.model")) {
      add_sentencepiece();
    } else if (const auto fast = json_file(files_, "tokenizer.json")) {
      add_byte_level(*fast);
    } else if (files_.contains("vocab.txt") || files_.contains("source.spm") || files_.contains("spiece.model")) {
      throw DataError(
          "GGUF: the tokenizer is neither a byte-level BPE (tokenizer.json) nor SentencePiece's BPE "
          "(tokenizer.model), as GGUF has them for decoders");
    } else {
      return {};
    }
    add_settings();
    return std::move(items_);
  }

 private:
  template <class Value>
  void add(const std::string& name, Value value) {
    items_.emplace_back(ggml(name), GgufItem(std::move(value)));
  }

  void place(size_t id, const std::string& token, GgufToken type) {
    constexpr size_t kMost = 10'000'000;
    if (id >= kMost) throw DataError("GGUF: the token {} has the id {}", quote(token), id);
    if (tokens_.size() <= id) {
      tokens_.resize(id + 1);
      types_.resize(id + 1, 0);
    }
    tokens_[id] = token;
    types_[id] = static_cast<int32_t>(type);
  }

  // An id without a token gets one that occurs in no text.
  void fill_holes() {
    if (tokens_.size() > rows_) {
      throw DataError("GGUF: the tokenizer has {} tokens, expected at most {}, the rows of the word embeddings",
                      tokens_.size(), rows_);
    }
    tokens_.resize(rows_);
    types_.resize(rows_, 0);
    for (size_t id = 0; id < rows_; ++id) {
      if (types_[id] != 0) continue;
      tokens_[id] = fmt::format("[PAD{}]", id);
      types_[id] = static_cast<int32_t>(GgufToken::unused);
    }
  }

  void add_sentencepiece() {
    SentencePieceModel model = parse_sentencepiece_model(files_.at("tokenizer.model"), "tokenizer.model");
    if (model.kind != SentencePieceModel::Kind::bpe || !model.rules.empty()) {
      throw DataError("GGUF: tokenizer.model {}, expected BPE without normalization",
                      model.rules.empty() ? "is a unigram model" : "normalizes texts by rules");
    }
    for (size_t id = 0; id < model.pieces.size(); ++id) {
      place(id, model.pieces[id], static_cast<GgufToken>(model.types[id]));
    }
    if (const auto config = json_file(files_, "tokenizer_config.json")) {
      const JsonObject added = config->get_object("added_tokens_decoder");
      for (const auto& [id, token] : added.value().items()) {
        const bool special = token.value("special", false);
        const size_t at = std::stoul(id);
        const bool plain = at >= types_.size() || types_[at] == static_cast<int32_t>(GgufToken::normal);
        if (plain) place(at, token.at("content"), special ? GgufToken::control : GgufToken::user_defined);
      }
    }
    fill_holes();
    model.scores.resize(rows_, -1000);
    add("model", std::string("llama"));
    add("pre", std::string("default"));
    add("tokens", tokens_);
    add("scores", model.scores);
    add("token_type", types_);
    add("add_space_prefix", model.add_dummy_prefix);
    add("remove_extra_whitespaces", model.remove_extra_whitespaces);
    add("unknown_token_id", static_cast<uint32_t>(model.unknown));
  }

  void add_byte_level(const JsonObject& file) {
    const JsonObject model = file.get_object("model");
    const GgufWords* words = gguf_words_of(file);
    const auto is_nothing = [&](const char* key) { return !file.has(key); };
    const bool composes = !is_nothing("normalizer") && file.get_object("normalizer").get_string("type", "") == "NFC";
    if (model.get_string("type", "") != "BPE" || words == nullptr || (!is_nothing("normalizer") && !composes)) {
      throw DataError("GGUF: the words of tokenizer.json have no name in the format: its 'pre_tokenizer' is {}",
                      file.has("pre_tokenizer") ? show_json(file.value()["pre_tokenizer"]) : "none");
    }
    const JsonObject vocabulary = model.get_object("vocab");
    for (const auto& [token, id] : vocabulary.value().items()) {
      place(id.get<size_t>(), token, GgufToken::normal);
    }
    for (const Json& token : file.has("added_tokens") ? file.value()["added_tokens"] : Json::array()) {
      place(token.at("id").get<size_t>(), token.at("content"),
            token.value("special", false) ? GgufToken::control : GgufToken::user_defined);
    }
    fill_holes();
    std::vector<std::string> merges;
    for (const Json& merge : model.value().at("merges")) {
      merges.push_back(merge.is_string() ? merge.get<std::string>()
                                         : merge.at(0).get<std::string>() + " " + merge.at(1).get<std::string>());
    }
    add("model", std::string("gpt2"));
    add("pre", std::string(words->name));
    add("tokens", tokens_);
    add("token_type", types_);
    add("merges", merges);
  }

  // What stands around a text, found by encoding none.
  void add_settings() {
    const std::map<std::string, std::string_view> views(files_.begin(), files_.end());
    const MemoryDirectory directory(views);
    const std::vector<int32_t> around = load_tokenizer(directory.path())->encode("").ids;
    std::vector<int64_t> ends;
    if (config_.contains("eos_token_id")) {
      const Json& all = config_["eos_token_id"];
      if (all.is_array()) ends = all.get<std::vector<int64_t>>();
      if (all.is_number_integer()) ends = {all.get<int64_t>()};
    }
    constexpr const char* kEnds[] = {"eos_token_id", "eot_token_id", "eom_token_id"};
    if (ends.size() > std::size(kEnds))
      throw DataError("GGUF: {} end tokens, expected at most {}", ends.size(), std::size(kEnds));
    for (size_t i = 0; i < ends.size(); ++i) add(kEnds[i], static_cast<uint32_t>(ends[i]));
    const bool begins =
        config_.contains("bos_token_id") && !around.empty() && config_["bos_token_id"] == around.front();
    add("add_bos_token", begins);
    add("add_eos_token", !ends.empty() && around.size() > (begins ? 1U : 0U) && around.back() == ends.front());
    for (const auto& [ours, theirs] :
         {std::pair{"bos_token_id", "bos_token_id"}, std::pair{"pad_token_id", "padding_token_id"}}) {
      if (config_.contains(ours) && config_[ours].is_number_integer() && config_[ours] >= 0) {
        add(theirs, config_[ours].get<uint32_t>());
      }
    }
    const auto config = json_file(files_, "tokenizer_config.json");
    if (config && config->has("chat_template") && config->value()["chat_template"].is_string()) {
      items_.emplace_back("tokenizer.chat_template", config->get_string("chat_template", std::nullopt));
    }
  }

  const Files& files_;
  const Json& config_;
  size_t rows_;
  std::vector<std::string> tokens_;
  std::vector<int32_t> types_;
  GgufItems items_;
};

}  // namespace

GgufItems gguf_tokenizer_items(const Files& files, const Json& config, int64_t rows) {
  try {
    return GgufTokenizerItems(files, config, rows).build();
  } catch (const Json::exception& error) {
    throw DataError("GGUF: a tokenizer file is malformed: {}", error.what());
  }
}

}  // namespace roformer
