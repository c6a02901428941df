#include "text/tokenizer.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"
#include "base/utf8.h"
#include "text/added_tokens.h"
#include "text/unicode.h"

namespace roformer {

namespace {

constexpr std::array<SpecialToken, 5> kSpecialTokens = {SpecialToken::pad, SpecialToken::unk, SpecialToken::cls,
                                                        SpecialToken::sep, SpecialToken::mask};
constexpr std::array<std::string_view, 5> kSpecialNames = {"pad", "unk", "cls", "sep", "mask"};

// Appends the tokens of `text` that `tokens` finds, and has append_text(text, first) append those between.
template <class AppendText>
void append_split(const AddedTokenMatcher& tokens, std::string_view text, int64_t first, std::vector<int32_t>& ids,
                  std::vector<std::array<int64_t, 2>>* offsets, const AppendText& append_text) {
  CodePointPositions code_points(text, first);
  tokens.split(
      text, [&](size_t begin, size_t end) { append_text(text.substr(begin, end - begin), code_points.at(begin)); },
      [&](const AddedTokenMatcher::Match& match) {
        ids.push_back(match.token->id);
        if (!offsets) return;
        const int64_t begin = code_points.at(match.begin);
        offsets->push_back({begin, code_points.at(match.end)});
      });
}

}  // namespace

Tokenizer::Tokenizer(Vocabulary vocabulary, SpecialTokens special_tokens, std::string_view where,
                     std::initializer_list<SpecialToken> optional)
    : vocabulary_(std::move(vocabulary)), special_tokens_(std::move(special_tokens)) {
  std::string missing;
  const auto names = special_tokens_.all();
  for (size_t i = 0; i < names.size(); ++i) {
    const bool absent = names[i].empty() && std::ranges::find(optional, kSpecialTokens[i]) != optional.end();
    const auto id = names[i].empty() ? std::nullopt : vocabulary_.id(names[i]);
    special_ids_[i] = id.value_or(-1);
    if (!id && !absent) missing += (missing.empty() ? "" : ", ") + quote(names[i]);
  }
  if (!missing.empty()) throw DataError("{}: special tokens missing from the vocabulary: {}", FilePath(where), missing);
  match_tokens();
  if (has(SpecialToken::cls) && has(SpecialToken::sep)) set_special_template({});
}

void Tokenizer::set_special_template(const SpecialTokenTemplate& around) {
  using Kind = TemplatePart::Kind;
  EncodingTemplate single;
  if (around.cls) single.push_back({Kind::special, cls_id(), 0});
  single.push_back({Kind::text, -1, 0});
  if (around.sep) single.push_back({Kind::special, sep_id(), 0});
  EncodingTemplate pair = single;
  if (around.cls && around.repeat_cls) pair.push_back({Kind::special, cls_id(), 1});
  pair.push_back({Kind::pair, -1, 1});
  if (around.sep) pair.push_back({Kind::special, sep_id(), 1});
  set_templates(std::move(single), std::move(pair));
}

void Tokenizer::set_templates(EncodingTemplate single, EncodingTemplate pair) {
  single_template_ = std::move(single);
  pair_template_ = std::move(pair);
}

void Tokenizer::refuse_absent(SpecialToken token) const {
  const std::string_view name = kSpecialNames[static_cast<size_t>(token)];
  throw DataError("the tokenizer has no {} token, which is needed here; '{}' of tokenizer_config.json names it", name,
                  KeyName(fmt::format("{}_token", name)));
}

AddedToken Tokenizer::plain_special(SpecialToken token) const {
  const auto i = static_cast<size_t>(token);
  return {.content = special_tokens_.all()[i],
          .id = special_ids_[i],
          .special = true,
          .lstrip = token == SpecialToken::mask && mask_takes_space_};
}

void Tokenizer::set_mask_takes_space() {
  mask_takes_space_ = true;
  match_tokens();
}

void Tokenizer::add_tokens(std::vector<AddedToken> tokens) {
  const auto known = [&](const AddedToken& token) {  // nothing to say about it in the files
    return token.id < std::ssize(vocabulary_.model_tokens()) &&
           std::ranges::any_of(kSpecialTokens, [&](SpecialToken special) {
             AddedToken plain = plain_special(special);
             plain.lstrip = token.lstrip && plain.lstrip;
             return token == plain;
           });
  };
  for (AddedToken& token : tokens) {
    if (token.content.empty() || known(token)) continue;
    if (token.special) added_special_ids_.push_back(token.id);
    added_tokens_.push_back(std::move(token));
  }
  std::ranges::sort(added_special_ids_);
  match_tokens();
}

void Tokenizer::match_tokens() {
  std::vector<AddedToken> raw, normalized;
  const auto put = [&](AddedToken token) {
    if (token.normalized) {
      token.content = normalize_token(token.content);
      normalized.push_back(std::move(token));
    } else {
      raw.push_back(std::move(token));
    }
  };
  for (const SpecialToken special : kSpecialTokens) {
    const AddedToken plain = plain_special(special);
    if (has(special) && std::ranges::find(added_tokens_, plain.id, &AddedToken::id) == added_tokens_.end()) put(plain);
  }
  for (const bool special : {true, false}) {  // of tokens that are equal when normalized the first counts
    for (const AddedToken& token : added_tokens_) {
      if (token.special == special) put(token);
    }
  }
  raw_tokens_ = AddedTokenMatcher(std::move(raw));
  normalized_tokens_ = AddedTokenMatcher(std::move(normalized));
}

void Tokenizer::mark_special(std::vector<int32_t> ids) {
  added_special_ids_.insert(added_special_ids_.end(), ids.begin(), ids.end());
  std::ranges::sort(added_special_ids_);
}

bool Tokenizer::is_special(int32_t id) const {
  return std::ranges::find(special_ids_, id) != special_ids_.end() ||
         std::ranges::binary_search(added_special_ids_, id);
}

void Tokenizer::append_part(std::string_view text, int64_t first, std::vector<int32_t>& ids, Offsets* offsets) const {
  append_split(normalized_tokens_, text, first, ids, offsets,
               [&](std::string_view part, int64_t at) { append(part, at, ids, offsets); });
}

void Tokenizer::append_input(std::string_view text, std::vector<int32_t>& ids, Offsets* offsets) const {
  append_split(raw_tokens_, text, 0, ids, offsets,
               [&](std::string_view part, int64_t at) { append_part(part, at, ids, offsets); });
  if (offsets) adjust_offsets(text, ids, *offsets);
}

std::vector<int32_t> Tokenizer::encode_plain(std::string_view text) const {
  require_utf8(text, "text");
  std::vector<int32_t> ids;
  ids.reserve(text.size() / 4 + 1);
  append_input(text, ids, nullptr);
  return ids;
}

std::vector<int32_t> Tokenizer::with_specials(std::vector<int32_t> ids) const {
  size_t at = 0;
  for (const TemplatePart& part : single_template_) {
    if (part.kind == TemplatePart::Kind::special) {
      ids.insert(ids.begin() + static_cast<std::ptrdiff_t>(at++), part.id);
    } else {
      at = ids.size();
    }
  }
  return ids;
}

Encoding Tokenizer::encode(std::string_view text, std::optional<std::string_view> pair, int64_t max_length) const {
  const EncodingTemplate& parts = pair ? pair_template_ : single_template_;
  const int64_t specials = std::ranges::count(parts, TemplatePart::Kind::special, &TemplatePart::kind);
  if (max_length < 0 || (max_length > 0 && max_length < specials)) {
    throw UsageError("{} {} cannot hold the {} special tokens of an input", FieldName("max_length"), max_length,
                     specials);
  }
  std::array<std::vector<int32_t>, 2> ids;
  std::array<Offsets, 2> offsets;
  require_utf8(text, "text");
  append_input(text, ids[0], &offsets[0]);
  if (pair) {
    require_utf8(*pair, "second text");
    append_input(*pair, ids[1], &offsets[1]);
  }
  std::array<int64_t, 2> lengths = {static_cast<int64_t>(ids[0].size()), static_cast<int64_t>(ids[1].size())};
  if (max_length > 0 && lengths[0] + lengths[1] > max_length - specials) {
    const int64_t budget = max_length - specials;
    const size_t longer = lengths[0] > lengths[1] ? 0 : 1, shorter = 1 - longer;
    lengths[shorter] = std::min(lengths[shorter], budget / 2);
    lengths[longer] = budget - lengths[shorter];
  }
  Encoding result;
  result.cut = std::ssize(ids[0]) + std::ssize(ids[1]) - lengths[0] - lengths[1];
  const auto push = [&](int32_t id, int32_t segment, std::array<int64_t, 2> offset) {
    result.ids.push_back(id);
    result.segment_ids.push_back(segment);
    result.offsets.push_back(offset);
  };
  for (const TemplatePart& part : parts) {
    if (part.kind == TemplatePart::Kind::special) {
      push(part.id, part.segment, {0, 0});
      continue;
    }
    const size_t which = part.kind == TemplatePart::Kind::text ? 0 : 1, begin = result.ids.size();
    const size_t kept = static_cast<size_t>(lengths[which]), first = truncates_left_ ? ids[which].size() - kept : 0;
    for (size_t i = first; i < first + kept; ++i) {
      push(ids[which][i], part.segment, offsets[which][i]);
    }
    if (which == 1) result.pair = {begin, result.ids.size()};
  }
  return result;
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool keep_special) const {
  DecodeState state;
  std::string text;
  for (const int32_t id : ids) {
    vocabulary_.token(id);  // throws for an invalid id
    if (keep_special || !is_special(id)) append_text(id, state, text);
  }
  text = replace_invalid_utf8(std::move(text));
  return strips_decoded() ? std::string(strip_whitespace(text)) : text;
}

std::string Tokenizer::config_file(const nlohmann::ordered_json& specials) const {
  nlohmann::ordered_json all = {{"tokenizer_class", tokenizer_class()}};
  all.update(specials);
  if (model_max_length_ > 0) all["model_max_length"] = model_max_length_;
  if (truncates_left_) all["truncation_side"] = "left";
  all.update(config());
  if (!added_tokens_.empty()) {
    auto& decoder = all["added_tokens_decoder"] = nlohmann::ordered_json::object();
    for (const AddedToken& token : added_tokens_) decoder[std::to_string(token.id)] = write_added_token(token);
  }
  return all.dump(2) + "\n";
}

std::map<std::string, std::string> Tokenizer::files() const {
  return {{"vocab.txt", vocabulary_.file()},
          {"tokenizer_config.json", config_file({{"pad_token", special_tokens_.pad},
                                                 {"unk_token", special_tokens_.unk},
                                                 {"cls_token", special_tokens_.cls},
                                                 {"sep_token", special_tokens_.sep},
                                                 {"mask_token", special_tokens_.mask}})}};
}

}  // namespace roformer
