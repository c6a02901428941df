#include "text/pipeline/tokenizer.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/utf8.h"
#include "text/pipeline/byte_bpe.h"
#include "text/pipeline/byte_letters.h"
#include "text/pipeline/unicode.h"
#include "text/sentencepiece/model.h"
#include "text/unicode.h"

namespace roformer {

namespace {

// How many characters at the start, and at the end, are white space or the letter of a space.
std::array<int64_t, 2> count_end_spaces(std::string_view text) {
  const auto is_space = [](char32_t c) { return c == pipeline::letter_of_byte(' ') || is_whitespace(c); };
  std::array<int64_t, 2> counts{};
  bool leads = true;
  for_code_points(text, [&](char32_t c) {
    const bool space = is_space(c);
    leads = leads && space;
    counts[0] += leads ? 1 : 0;
    counts[1] = space ? counts[1] + 1 : 0;
  });
  return counts;
}

// Bytes of code points, of which each is mostly behind the one before.
class CodePointFinder {
 public:
  explicit CodePointFinder(std::string_view text) : text_(text) {}

  size_t byte_of(int64_t code_point) {
    if (code_point < code_point_) code_point_ = static_cast<int64_t>(byte_ = 0);
    for (; code_point_ < code_point; ++code_point_) {
      byte_ += static_cast<size_t>(decode_utf8(text_.data() + byte_).length);
    }
    return byte_;
  }

 private:
  std::string_view text_;
  size_t byte_ = 0;
  int64_t code_point_ = 0;
};

}  // namespace

PipelineTokenizer::PipelineTokenizer(Vocabulary vocabulary, PipelineParts parts, std::string_view where)
    : Tokenizer(std::move(vocabulary), parts.specials, where,
                {SpecialToken::pad, SpecialToken::unk, SpecialToken::cls, SpecialToken::sep, SpecialToken::mask}),
      parts_(std::move(parts)) {
  set_templates(parts_.templates.single, parts_.templates.pair);
  marks_spaces_ = std::ranges::any_of(this->vocabulary().model_tokens(), [](const std::string& token) {
    return token.size() > kSentencePieceSpace.size() && token.starts_with(kSentencePieceSpace);
  });
  if (!parts_.templates.trims_offsets) return;
  for (const std::string& token : this->vocabulary().model_tokens()) end_spaces_.push_back(count_end_spaces(token));
}

bool PipelineTokenizer::is_continuation(int32_t id) const {
  if (is_special(id) || id >= std::ssize(vocabulary().model_tokens())) return false;
  const std::string& piece = token(id);
  return marks_spaces_ ? !piece.starts_with(kSentencePieceSpace) : parts_.model->is_continuation(piece);
}

void PipelineTokenizer::append_text(int32_t id, DecodeState& state, std::string& bytes) const {
  const auto normalized = parts_.normalized.find(id);
  parts_.decoder.append(normalized == parts_.normalized.end() ? token(id) : normalized->second, state, bytes);
}

// As ByteLevel of Hugging Face's tokenizers: tokens do not cover the spaces at their ends.
void PipelineTokenizer::adjust_offsets(std::string_view text, std::span<const int32_t> ids, Offsets& offsets) const {
  if (!parts_.templates.trims_offsets) return;
  std::vector<int32_t> absorbing;  // tokens that may cover white space besides themselves
  for (const AddedToken& token : added_tokens()) {
    if (token.lstrip || token.rstrip) absorbing.push_back(token.id);
  }
  CodePointFinder characters(text);
  for (size_t i = 0; i < ids.size(); ++i) {
    auto& [begin, end] = offsets[i];
    const auto id = static_cast<size_t>(ids[i]);
    std::array<int64_t, 2> spaces{};
    if (std::ranges::find(absorbing, ids[i]) != absorbing.end()) {
      const size_t from = characters.byte_of(begin);
      spaces = count_end_spaces(text.substr(from, characters.byte_of(end) - from));
    } else {
      spaces = id < end_spaces_.size() ? end_spaces_[id] : count_end_spaces(token(ids[i]));
    }
    const bool put_there = parts_.templates.keeps_first_space && spaces[0] == 1 && (i == 0 || begin == 0);
    if (!put_there) begin = std::min(begin + spaces[0], end);
    if (spaces[1] > 0 && end >= spaces[1]) end = std::max(end - spaces[1], begin);
  }
}

bool PipelineTokenizer::leaves_unchanged(std::string_view text) const {
  using Normalizer = ByteLevelRules::Normalizer;
  switch (parts_.byte_level->normalizer) {
    case Normalizer::none: return true;
    case Normalizer::nfc: return pipeline::is_surely_composed(text);
    case Normalizer::other: return false;
  }
  return false;
}

// Calls on_piece(id, begin, end) for the tokens of a word of bytes that has some without a token.
template <class OnPiece>
void PipelineTokenizer::cut_letters(std::string_view word, const OnPiece& on_piece) const {
  const std::string letters = pipeline::bytes_to_letters(word);
  std::vector<size_t> bytes;  // of the word, by byte of its letters
  for (const char letter : letters)
    bytes.push_back(bytes.empty() ? 0 : bytes.back() + (begins_code_point(letter) ? 1 : 0));
  std::vector<PipelineModel::Piece> pieces;
  parts_.model->cut(letters, pieces);
  for (const auto& [id, begin, end] : pieces) on_piece(id, bytes[begin], bytes[end - 1] + 1);
}

// Calls on_piece(id, begin, end) for the tokens of a text. Of a space put before it, the place is the first byte's.
template <class OnPiece>
void PipelineTokenizer::cut_bytes(std::string_view text, const OnPiece& on_piece) const {
  const ByteLevelRules& rules = *parts_.byte_level;
  const ByteBpe& bpe = *parts_.model->byte_bpe();
  std::string prefixed;
  const size_t shift = rules.adds_prefix_space && !text.starts_with(' ') ? 1 : 0;
  if (shift > 0) text = prefixed.append(" ").append(text);
  for (size_t begin = 0, end = 0; begin < text.size(); begin = end) {
    end = rules.words.end_of_word(text, begin);
    const std::string_view word = text.substr(begin, end - begin);
    const auto place = [&](int32_t id, size_t from, size_t to) {
      on_piece(id, std::max(begin + from, shift) - shift, std::max(begin + to, shift + 1) - shift);
    };
    bpe.has_bytes_of(word) ? bpe.cut(word, place) : cut_letters(word, place);
  }
}

void PipelineTokenizer::append_bytes(std::string_view text, int64_t first, std::vector<int32_t>& ids,
                                     Offsets* offsets) const {
  CodePointPositions code_points(text, first);
  cut_bytes(text, [&](int32_t id, size_t begin, size_t end) {
    ids.push_back(id);
    if (!offsets) return;
    // A token may start and end within a character, which it then covers whole.
    while (!begins_code_point(text[begin])) --begin;
    while (end < text.size() && !begins_code_point(text[end])) ++end;
    const int64_t from = code_points.at(begin);
    offsets->push_back({from, code_points.at(end)});
  });
}

void PipelineTokenizer::append(std::string_view text, int64_t first, std::vector<int32_t>& ids,
                               Offsets* offsets) const {
  if (!parts_.byte_level || !leaves_unchanged(text)) return append_normalized(text, first, ids, offsets);
  CodePointPositions code_points(text, first);
  normalized_tokens().split(
      text,
      [&](size_t begin, size_t end) {
        append_bytes(text.substr(begin, end - begin), code_points.at(begin), ids, offsets);
      },
      [&](const AddedTokenMatcher::Match& match) {
        ids.push_back(match.token->id);
        if (!offsets) return;
        const int64_t begin = code_points.at(match.begin);
        offsets->push_back({begin, code_points.at(match.end)});
      });
}

void PipelineTokenizer::append_normalized(std::string_view text, int64_t first, std::vector<int32_t>& ids,
                                          Offsets* offsets) const {
  SplitText split;
  split.aligned = AlignedText(text, first);
  parts_.normalizer.apply(split.aligned);
  normalized_tokens().split(
      split.aligned.text,
      [&](size_t begin, size_t end) {
        split.words.push_back({begin, end});
      },
      [&](const AddedTokenMatcher::Match& match) {
        split.words.push_back({match.begin, match.end, match.token->id});
      });
  if (!parts_.byte_level) parts_.pre_tokenizer.apply(split);

  const AlignedText& aligned = split.aligned;
  const auto push = [&](int32_t id, size_t begin, size_t end) {
    ids.push_back(id);
    if (offsets) offsets->push_back({aligned.origins[begin].begin, aligned.origins[end - 1].end});
  };
  std::vector<PipelineModel::Piece> pieces;
  for (const SplitText::Word& word : split.words) {
    if (word.added >= 0) {
      push(word.added, word.begin, word.end);
      continue;
    }
    const std::string_view content = std::string_view(aligned.text).substr(word.begin, word.end - word.begin);
    if (parts_.byte_level) {
      cut_bytes(content, [&](int32_t id, size_t begin, size_t end) { push(id, word.begin + begin, word.begin + end); });
      continue;
    }
    pieces.clear();
    parts_.model->cut(content, pieces);
    for (const auto& [id, begin, end] : pieces) push(id, word.begin + begin, word.begin + end);
  }
}

nlohmann::ordered_json PipelineTokenizer::config() const { return nlohmann::ordered_json::object(); }

std::map<std::string, std::string> PipelineTokenizer::files() const {
  const SpecialTokens& names = special_tokens();
  Json keys = parts_.config.value();
  for (const char* key : {"tokenizer_class", "model_max_length", "added_tokens_decoder"}) keys.erase(key);
  const auto add = [&](const char* key, const std::string& name) {
    if (!name.empty() && !parts_.config.has(key)) keys[key] = name;
  };
  add("pad_token", names.pad);
  add("unk_token", names.unk);
  add("cls_token", names.cls);
  add("sep_token", names.sep);
  add("mask_token", names.mask);
  return {{"tokenizer.json", parts_.file}, {"tokenizer_config.json", config_file(nlohmann::ordered_json(keys))}};
}

}  // namespace roformer
