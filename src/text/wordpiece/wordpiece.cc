#include "text/wordpiece/wordpiece.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "text/normalized_text.h"
#include "text/wordpiece/tokenizer_json.h"

namespace roformer {

namespace {

bool is_cjk_text(char32_t c) {
  return is_cjk_ideograph(c) || (c >= 0x3000 && c <= 0x30FF) || (c >= 0xFF00 && c <= 0xFF60);
}

// Whether a space belongs between two tokens with these last and first characters.
bool space_between(char32_t left, char32_t right) {
  static constexpr std::u32string_view kNoneBefore = U".,!?;:%)]}'’”", kNoneAfter = U"([{'’“";
  if (is_cjk_text(left) || is_cjk_text(right)) return false;
  return kNoneBefore.find(right) == kNoneBefore.npos && kNoneAfter.find(left) == kNoneAfter.npos;
}

char32_t last_code_point(std::string_view text) {
  size_t start = text.size() - 1;
  while (start > 0 && (static_cast<unsigned char>(text[start]) & 0xC0) == 0x80) --start;
  return decode_utf8(text.data() + start).value;
}

}  // namespace

WordPieceTokenizer::WordPieceTokenizer(Vocabulary vocabulary, SpecialTokens special_tokens,
                                       const WordPieceOptions& options, std::string_view where)
    : Tokenizer(std::move(vocabulary), std::move(special_tokens), where),
      options_(options),
      pieces_(this->vocabulary().model_tokens(), unk_id()) {
  for (size_t c = 0; c < ascii_ids_.size(); ++c) {
    ascii_ids_[c] = id(std::string(1, static_cast<char>(c))).value_or(unk_id());
  }
}

bool WordPieceTokenizer::is_continuation(int32_t id) const {
  const auto& text = token(id);
  return text.size() > kContinuationPrefix.size() && text.starts_with(kContinuationPrefix);
}

size_t WordPieceTokenizer::end_of_stretch(std::string_view text, size_t begin) const {
  size_t i = begin;
  for (; i < text.size(); ++i) {
    const AsciiKind kind = ascii_kind(text[i]);
    if (kind == AsciiKind::space || kind == AsciiKind::punctuation) break;
    if (options_.separate_cjk && is_common_ideograph(text.data() + i)) break;
  }
  return i;
}

std::string WordPieceTokenizer::normalize_token(const std::string& content) const {
  return normalized_text(content, normalization());
}

// As append(), but matching added tokens in the normalized text, which must be complete for that.
void WordPieceTokenizer::append_part(std::string_view text, int64_t first, std::vector<int32_t>& ids,
                                     Offsets* offsets) const {
  if (normalized_tokens().empty()) return append(text, first, ids, offsets);
  const NormalizedLetters normal(text, first, normalization());
  WordSplitter splitter(offsets != nullptr,
                        [&](const Word& word) { pieces_.append(word, kMaxWordCodePoints, ids, offsets); });
  append_normalized(normalized_tokens(), normal.code_points, normal.origins, ids, offsets,
                    [&](size_t begin, size_t end) {
                      for (size_t i = begin; i < end; ++i) splitter(normal.code_points[i], normal.origins[i]);
                      splitter.finish();
                    });
}

// Fast path for ASCII and ideographs; other stretches go through the Normalizer.
void WordPieceTokenizer::append(std::string_view text, int64_t first, std::vector<int32_t>& ids,
                                Offsets* offsets) const {
  const Normalization normalization = options_.normalization();
  WordSplitter splitter(offsets != nullptr,
                        [&](const Word& word) { pieces_.append(word, kMaxWordCodePoints, ids, offsets); });
  Normalizer<decltype(splitter)> normalizer(normalization, splitter);
  std::array<char, kMaxWordCodePoints> word;
  int64_t origin = first;  // code points before text[i]
  const auto push = [&](int32_t id, int64_t length) {
    ids.push_back(id);
    if (offsets) offsets->push_back({origin, origin + length});
  };
  for (size_t i = 0; i < text.size();) {
    size_t length = 0;
    AsciiKind next = AsciiKind::space;  // kind of the character after the word
    while (i + length < text.size() && (next = ascii_kind(text[i + length])) == AsciiKind::letter) {
      const char c = text[i + length];
      if (length < word.size())
        word[length] = normalization.lowercase && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
      ++length;
    }
    if (i + length == text.size()) next = AsciiKind::space;
    if (next == AsciiKind::other && !(normalization.separate_cjk && is_common_ideograph(text.data() + i + length))) {
      const size_t end = end_of_stretch(text, i + length);
      const std::string_view stretch = text.substr(i, end - i);
      normalizer.run(stretch, origin);
      splitter.finish();
      origin += count_code_points(stretch);
      i = end;
      continue;
    }
    if (length > word.size()) {
      push(unk_id(), static_cast<int64_t>(length));
    } else if (length > 0) {
      pieces_.append_ascii({word.data(), length}, origin, ids, offsets);
    }
    i += length;
    origin += static_cast<int64_t>(length);
    if (i == text.size()) break;
    if (next == AsciiKind::punctuation) push(ascii_ids_[static_cast<unsigned char>(text[i])], 1);
    if (next == AsciiKind::other) {
      const int32_t ideograph = pieces_.whole(text.substr(i, 3));
      push(ideograph == TokenTrie::kNone ? unk_id() : ideograph, 1);
      i += 2;
    }
    ++i;
    ++origin;
  }
}

void WordPieceTokenizer::append_text(int32_t id, DecodeState& state, std::string& bytes) const {
  std::string_view piece = token(id);
  if (piece.empty()) return;
  if (is_continuation(id) && !state.at_start) {
    piece.remove_prefix(kContinuationPrefix.size());
  } else if (!state.at_start && space_between(state.last, decode_utf8(piece.data()).value)) {
    bytes += ' ';
  }
  bytes += piece;
  state = {.at_start = false, .last = last_code_point(piece)};
}

std::map<std::string, std::string> WordPieceTokenizer::files() const {
  auto files = Tokenizer::files();
  files["tokenizer.json"] = write_fast_tokenizer(vocabulary(), special_tokens(), added_tokens(), saved_options());
  return files;
}

nlohmann::ordered_json WordPieceTokenizer::config() const {
  return {{"do_lower_case", options_.lowercase},
          {"strip_accents", options_.strip_accents ? nlohmann::json(*options_.strip_accents) : nlohmann::json(nullptr)},
          {"tokenize_chinese_chars", options_.separate_cjk}};
}

}  // namespace roformer
