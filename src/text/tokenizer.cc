#include "text/tokenizer.h"

#include <algorithm>

#include "base/error.h"
#include "base/json.h"
#include "text/unicode.h"

namespace roformer {

Tokenizer::Tokenizer(Vocabulary vocabulary, SpecialTokens special_tokens, std::string_view where)
    : vocabulary_(std::move(vocabulary)),
      special_tokens_(std::move(special_tokens)),
      special_texts_(special_tokens_.all()) {
  std::string missing;
  for (size_t i = 0; i < special_texts_.size(); ++i) {
    const auto id = vocabulary_.id(special_texts_[i]);
    if (id && !special_texts_[i].empty()) {
      special_ids_[i] = *id;
      starts_special_[static_cast<unsigned char>(special_texts_[i][0])] = true;
    } else {
      missing += (missing.empty() ? "" : ", ") + quote(special_texts_[i]);
    }
  }
  if (!missing.empty()) throw DataError("{}: special tokens missing from the vocabulary: {}", where, missing);
}

bool Tokenizer::is_special(int32_t id) const {
  return std::find(special_ids_.begin(), special_ids_.end(), id) != special_ids_.end();
}

int Tokenizer::special_at(std::string_view text) const {
  int best = -1;
  for (int i = 0; i < 5; ++i) {
    const auto& special = special_texts_[static_cast<size_t>(i)];
    if (!text.starts_with(special)) continue;
    if (best < 0 || special.size() > special_texts_[static_cast<size_t>(best)].size()) best = i;
  }
  return best;
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
  while (i < text.size()) {
    const int special = starts_special_[static_cast<unsigned char>(text[i])] ? special_at(text.substr(i)) : -1;
    if (special < 0) {
      ++i;
      continue;
    }
    append_until(i);
    const auto& token = special_texts_[static_cast<size_t>(special)];
    ids.push_back(special_ids_[static_cast<size_t>(special)]);
    if (offsets) {
      const int64_t length = count_code_points(token);
      offsets->push_back({code_point, code_point + length});
      code_point += length;
    }
    i += token.size();
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
  return {{"vocab.txt", vocabulary_.file()}, {"tokenizer_config.json", all.dump(2) + "\n"}};
}

}  // namespace roformer
