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

std::string_view without_space_at_end(std::string_view text) {
  while (!text.empty() && ascii_kind(text.back()) == AsciiKind::space) text.remove_suffix(1);
  return text;
}

}  // namespace

Tokenizer::Tokenizer(Vocabulary vocabulary, SpecialTokens special_tokens, std::string_view where,
                     bool mask_may_be_absent)
    : vocabulary_(std::move(vocabulary)), special_tokens_(std::move(special_tokens)) {
  std::string missing;
  const auto names = special_tokens_.all();
  for (size_t i = 0; i < names.size(); ++i) {
    if (i == 4 && mask_may_be_absent && names[i].empty()) {
      special_ids_[i] = -1;
      continue;
    }
    const auto id = vocabulary_.id(names[i]);
    if (id && !names[i].empty()) {
      special_ids_[i] = *id;
      find_token(names[i], *id);
    } else {
      missing += (missing.empty() ? "" : ", ") + quote(names[i]);
    }
  }
  if (!missing.empty()) throw DataError("{}: special tokens missing from the vocabulary: {}", FilePath(where), missing);
}

void Tokenizer::find_token(const std::string& text, int32_t id) {
  auto& found = found_by_byte_[static_cast<unsigned char>(text[0])];
  if (std::ranges::any_of(found, [&](const Found& other) { return other.text == text; })) return;
  if (found.empty()) first_bytes_ += text[0];
  const auto position =
      std::ranges::find_if(found, [&](const Found& other) { return other.text.size() < text.size(); });
  found.insert(position, {text, id});
}

void Tokenizer::add_tokens(std::vector<AddedToken> tokens) {
  for (AddedToken& token : tokens) {
    if (token.content.empty()) continue;
    if (std::ranges::find(special_ids_, token.id) != special_ids_.end()) {
      // Matched already; recorded if the vocabulary file does not hold it.
      if (static_cast<size_t>(token.id) >= vocabulary_.model_tokens().size()) added_tokens_.push_back(std::move(token));
      continue;
    }
    if (!token.normalized) find_token(token.content, token.id);
    if (token.special) added_special_ids_.push_back(token.id);
    added_tokens_.push_back(std::move(token));
  }
  std::ranges::sort(added_special_ids_);
}

int32_t Tokenizer::mask_id() const {
  if (!has_mask()) throw DataError("the tokenizer has no mask token, which masking needs");
  return special_ids_[4];
}

void Tokenizer::mark_special(std::vector<int32_t> ids) {
  added_special_ids_.insert(added_special_ids_.end(), ids.begin(), ids.end());
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
  while ((i = next_start(text, i)) < text.size()) {
    const Found* found = found_at(text.substr(i));
    if (!found) {
      ++i;
      continue;
    }
    const auto part = text.substr(begin, i - begin);
    const bool takes_space = mask_takes_space_ && found->id == special_ids_[4];
    if (const auto rest = takes_space ? without_space_at_end(part) : part; !rest.empty()) {
      append(rest, code_point, ids, offsets);
    }
    ids.push_back(found->id);
    code_point += count_code_points(part);
    const int64_t length = count_code_points(found->text);
    if (offsets) offsets->push_back({code_point, code_point + length});
    code_point += length;
    i += found->text.size();
    begin = i;
  }
  if (begin < text.size()) append(text.substr(begin), code_point, ids, offsets);
}

std::vector<int32_t> Tokenizer::encode_plain(std::string_view text) const {
  require_utf8(text, "text");
  std::vector<int32_t> ids;
  ids.reserve(text.size() / 4 + 1);
  append_with_specials(text, ids, nullptr);
  return ids;
}

Encoding Tokenizer::encode(std::string_view text, std::optional<std::string_view> pair, int64_t max_length) const {
  const int64_t specials = special_template_.size(pair.has_value());
  if (max_length < 0 || (max_length > 0 && max_length < specials)) {
    throw UsageError("{} {} cannot hold the {} special tokens of an input", FieldName("max_length"), max_length,
                     specials);
  }
  std::array<std::vector<int32_t>, 2> ids;
  std::array<Offsets, 2> offsets;
  require_utf8(text, "text");
  append_with_specials(text, ids[0], &offsets[0]);
  if (pair) {
    require_utf8(*pair, "second text");
    append_with_specials(*pair, ids[1], &offsets[1]);
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
  if (special_template_.cls) push(cls_id(), 0, {0, 0});
  for (size_t part = 0; part < (pair ? 2u : 1u); ++part) {
    const auto segment = static_cast<int32_t>(part);
    if (part == 1 && special_template_.cls && special_template_.repeat_cls) push(cls_id(), segment, {0, 0});
    for (size_t i = 0; i < static_cast<size_t>(lengths[part]); ++i) push(ids[part][i], segment, offsets[part][i]);
    if (special_template_.sep) push(sep_id(), segment, {0, 0});
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
  return replace_invalid_utf8(std::move(text));
}

std::string Tokenizer::config_file(const nlohmann::ordered_json& specials) const {
  nlohmann::ordered_json all = {{"tokenizer_class", tokenizer_class()}};
  all.update(specials);
  if (model_max_length_ > 0) all["model_max_length"] = model_max_length_;
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
