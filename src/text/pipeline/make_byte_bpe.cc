#include "text/pipeline/make_byte_bpe.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "text/added_tokens.h"
#include "text/pipeline/byte_bpe_json.h"
#include "text/pipeline/load.h"

namespace roformer {

namespace {

using Around = ByteBpeContent::Around;

class ContentWriter {
 public:
  ContentWriter(const ByteBpeContent& content, const std::string& where) : content_(content), where_(where) {}

  Json tokenizer() const {
    Json json = byte_level_json(
        {.pattern = content_.pattern, .composes = content_.composes, .adds_prefix_space = content_.adds_prefix_space});
    json["added_tokens"] = Json::array();
    for (const AddedToken& token : by_id()) {
      Json entry = Json::parse(write_added_token(token).dump());
      entry["id"] = token.id;
      json["added_tokens"].push_back(std::move(entry));
    }
    json["model"]["ignore_merges"] = content_.ignores_merges;
    json["model"]["vocab"] = vocabulary();
    json["model"]["merges"] = content_.merges;
    if (content_.around != Around::nothing) json["post_processor"] = templates(json["post_processor"]);
    return json;
  }

  Json config() const {
    Json json = {{"tokenizer_class", content_.tokenizer_class}, {"added_tokens_decoder", Json::object()}};
    for (const AddedToken& token : content_.added) {
      json["added_tokens_decoder"][std::to_string(token.id)] = Json::parse(write_added_token(token).dump());
    }
    const auto name = [&](const char* key, const std::string& token) {
      if (token.empty()) return;
      id_of(token, key);
      json[key] = token;
    };
    const SpecialTokens& specials = content_.specials;
    const bool bert = content_.around == Around::bert;
    name(bert ? "cls_token" : "bos_token", specials.cls);
    name(bert ? "sep_token" : "eos_token", specials.sep);
    name("unk_token", specials.unk);
    name("pad_token", specials.pad);
    name("mask_token", specials.mask);
    if (!content_.chat_template.empty()) json["chat_template"] = content_.chat_template;
    return json;
  }

 private:
  std::vector<AddedToken> by_id() const {
    std::vector<AddedToken> tokens = content_.added;
    std::ranges::stable_sort(tokens, {}, &AddedToken::id);
    return tokens;
  }

  int32_t id_of(const std::string& token, const char* what) const {
    const auto found = std::ranges::find(content_.added, token, &AddedToken::content);
    if (found == content_.added.end()) {
      throw DataError("{}: the {} {} is not among the added tokens", where_, what, quote(token));
    }
    return found->id;
  }

  Json vocabulary() const {
    Json ids = Json::object();
    int32_t id = 0;
    for (const std::string& token : content_.tokens) {
      if (!token.empty() && !ids.emplace(token, id).second) {
        throw DataError("{}: the tokens {} and {} are both {}", where_, ids[token].dump(), id, quote(token));
      }
      ++id;
    }
    return ids;
  }

  // <s> text </s>, behind what the file has.
  Json templates(Json before) const {
    Json single = Json::array(), pair = Json::array(), specials = Json::object();
    const Around around = content_.around;
    const bool begins = around == Around::cls || around == Around::both;
    const bool ends = around == Around::sep || around == Around::both || around == Around::bert;
    const auto special = [&](bool wanted, const std::string& token, int segment, Json& parts) {
      if (!wanted) return;
      specials[token] = {{"id", token},
                         {"ids", Json::array({static_cast<uint32_t>(id_of(token, "special token"))})},
                         {"tokens", Json::array({token})}};
      parts.push_back({{"SpecialToken", {{"id", token}, {"type_id", segment}}}});
    };
    const auto text = [&](const char* name, int segment, Json& parts) {
      special(begins || (around == Around::bert && segment == 0), content_.specials.cls, segment, parts);
      parts.push_back({{"Sequence", {{"id", name}, {"type_id", segment}}}});
      special(ends, content_.specials.sep, segment, parts);
    };
    text("A", 0, single);
    text("A", 0, pair);
    text("B", 1, pair);
    Json added = {{"type", "TemplateProcessing"}, {"single", single}, {"pair", pair}, {"special_tokens", specials}};
    return {{"type", "Sequence"}, {"processors", Json::array({std::move(before), std::move(added)})}};
  }

  const ByteBpeContent& content_;
  const std::string& where_;
};

}  // namespace

std::unique_ptr<Tokenizer> make_byte_bpe(const ByteBpeContent& content, const std::string& where) {
  const ContentWriter writer(content, where);
  return load_tokenizer_json(writer.tokenizer(), JsonObject(writer.config(), where), where, "");
}

}  // namespace roformer
