#include "text/tokenizer.h"

#include <algorithm>

#include "base/error.h"
#include "base/json.h"
#include "text/tokenizer_json.h"
#include "text/unicode.h"

namespace roformer {

Tokenizer::Tokenizer(Vocabulary vocabulary, SpecialTokens special_tokens, std::string_view where)
    : vocabulary_(std::move(vocabulary)), special_tokens_(std::move(special_tokens)) {
  std::string missing;
  const auto names = special_tokens_.all();
  for (size_t i = 0; i < names.size(); ++i) {
    const auto id = vocabulary_.id(names[i]);
    if (id && !names[i].empty()) {
      special_ids_[i] = *id;
      find_token(names[i], *id);
    } else {
      missing += (missing.empty() ? "" : ", ") + quote(names[i]);
    }
  }
  if (!missing.empty()) throw DataError("{}: special tokens missing from the vocabulary: {}", where, missing);
}

void Tokenizer::find_token(const std::string& text, int32_t id) {
  auto& found = found_by_byte_[static_cast<unsigned char>(text[0])];
  if (std::ranges::any_of(found, [&](const Found& other) { return other.text == text; })) return;
  if (found.empty()) first_bytes_ += text[0];
  const auto place = std::ranges::find_if(found, [&](const Found& other) { return other.text.size() < text.size(); });
  found.insert(place, {text, id});
}

void Tokenizer::add_tokens(std::vector<AddedToken> tokens) {
  for (AddedToken& token : tokens) {
    if (token.content.empty() || std::ranges::find(special_ids_, token.id) != special_ids_.end()) continue;
    if (!token.normalized) find_token(token.content, token.id);
    if (token.special) added_special_ids_.push_back(token.id);
    added_tokens_.push_back(std::move(token));
  }
  std::ranges::sort(added_special_ids_);
}

bool Tokenizer::is_special(int32_t id) const {
  return std::ranges::find(special_ids_, id) != special_ids_.end() ||
         std::ranges::binary_search(added_special_ids_, id);
}

const Tokenizer::Found* Tokenizer::found_at(std::string_view text) const {
  for (const Found& found : found_by_byte_[static_cast<unsigned char>(text[0])]) {
    if (text.starts_with(found.text)) return &found;
  }
  return nullptr;
}

void Tokenizer::append_with_specials(std::string_view text, std::vector<int32_t>& ids, Offsets* offsets) const {
  int64_t code_point = 0;
  size_t begin = 0, i = 0;
  const auto append_until = [&](size_t end) {
    const auto part = text.substr(begin, end - begin);
    if (part.empty()) return;
    append(part, code_point, ids, offsets);
    if (offsets) code_point += count_code_points(part);
  };
  while ((i = next_start(text, i)) < text.size()) {
    const Found* found = found_at(text.substr(i));
    if (!found) {
      ++i;
      continue;
    }
    append_until(i);
    ids.push_back(found->id);
    if (offsets) {
      const int64_t length = count_code_points(found->text);
      offsets->push_back({code_point, code_point + length});
      code_point += length;
    }
    i += found->text.size();
    begin = i;
  }
  append_until(text.size());
}

std::vector<int32_t> Tokenizer::encode_plain(std::string_view text) const {
  require_utf8(text, "text");
  std::vector<int32_t> ids;
  ids.reserve(text.size() / 4 + 1);
  append_with_specials(text, ids, nullptr);
  return ids;
}

Encoding Tokenizer::encode(std::string_view text, std::optional<std::string_view> pair, int64_t max_length) const {
  const int64_t specials = pair ? 3 : 2;
  if (max_length < 0 || (max_length > 0 && max_length < specials)) {
    throw UsageError("max_length {} cannot hold the {} special tokens of an input", max_length, specials);
  }
  std::array<std::vector<int32_t>, 2> ids;
  std::array<Offsets, 2> offsets;
  require_utf8(text, "text");
  append_with_specials(text, ids[0], &offsets[0]);
  if (pair) {
    require_utf8(*pair, "second text");
    append_with_specials(*pair, ids[1], &offsets[1]);
  }
  std::array<int64_t, 2> keep = {static_cast<int64_t>(ids[0].size()), static_cast<int64_t>(ids[1].size())};
  if (max_length > 0 && keep[0] + keep[1] > max_length - specials) {
    const int64_t room = max_length - specials;
    const size_t longer = keep[0] > keep[1] ? 0 : 1, shorter = 1 - longer;
    keep[shorter] = std::min(keep[shorter], room / 2);
    keep[longer] = room - keep[shorter];
  }
  Encoding result;
  const auto push = [&](int32_t id, int32_t segment, std::array<int64_t, 2> offset) {
    result.ids.push_back(id);
    result.segment_ids.push_back(segment);
    result.offsets.push_back(offset);
  };
  push(cls_id(), 0, {0, 0});
  for (size_t part = 0; part < (pair ? 2u : 1u); ++part) {
    const auto segment = static_cast<int32_t>(part);
    for (size_t i = 0; i < static_cast<size_t>(keep[part]); ++i) push(ids[part][i], segment, offsets[part][i]);
    push(sep_id(), segment, {0, 0});
  }
  return result;
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool keep_special) const {
  std::vector<int32_t> kept;
  kept.reserve(ids.size());
  for (const int32_t id : ids) {
    vocabulary_.token(id);  // throws when there is no such token
    if (keep_special || !is_special(id)) kept.push_back(id);
  }
  return join(kept);
}

std::map<std::string, std::string> Tokenizer::files() const {
  nlohmann::ordered_json all = {{"tokenizer_class", tokenizer_class()}, {"pad_token", special_tokens_.pad},
                                {"unk_token", special_tokens_.unk},     {"cls_token", special_tokens_.cls},
                                {"sep_token", special_tokens_.sep},     {"mask_token", special_tokens_.mask}};
  if (model_max_length_ > 0) all["model_max_length"] = model_max_length_;
  all.update(config());
  if (!added_tokens_.empty()) {
    auto& decoder = all["added_tokens_decoder"] = nlohmann::ordered_json::object();
    for (const AddedToken& token : added_tokens_) decoder[std::to_string(token.id)] = write_added_token(token);
  }
  return {{"vocab.txt", vocabulary_.file()}, {"tokenizer_config.json", all.dump(2) + "\n"}};
}

}  // namespace roformer
