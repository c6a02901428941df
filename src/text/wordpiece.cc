#include "text/wordpiece.h"

#include "text/tokenizer_config.h"

namespace roformer {

namespace {

bool is_cjk_text(char32_t c) {
  return is_cjk_ideograph(c) || (c >= 0x3000 && c <= 0x30FF) || (c >= 0xFF00 && c <= 0xFF60);
}

// Whether print sets a space between two tokens that end and start so.
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
      trie_(this->vocabulary().tokens()),
      continuation_root_(trie_.walk(TokenTrie::kRoot, kContinuationPrefix)) {}

bool WordPieceTokenizer::is_continuation(int32_t id) const {
  const auto& text = token(id);
  return text.size() > kContinuationPrefix.size() && text.starts_with(kContinuationPrefix);
}

void WordPieceTokenizer::append(std::string_view text, int64_t first, std::vector<int32_t>& ids,
                                Offsets* offsets) const {
  for_words(text, first, options_.normalization(), offsets != nullptr,
            [&](const Word& word) { append_word(word, ids, offsets); });
}

void WordPieceTokenizer::append_word(const Word& word, std::vector<int32_t>& ids, Offsets* offsets) const {
  const size_t old_size = ids.size();
  const std::string_view text = word.text;
  size_t begin = word.code_points > kMaxWordCodePoints ? text.size() + 1 : 0;  // beyond the end: unknown
  while (begin < text.size()) {
    const int32_t node = begin == 0 ? TokenTrie::kRoot : continuation_root_;
    const auto match =
        node == TokenTrie::kNone ? TokenTrie::Match{TokenTrie::kNone, 0} : trie_.longest(node, text.substr(begin));
    if (match.token == TokenTrie::kNone) {
      begin = text.size() + 1;
      break;
    }
    ids.push_back(match.token);
    if (offsets) {
      const auto origins = std::span(word.origins).subspan(begin, match.length);
      const auto [low, high] = std::minmax_element(origins.begin(), origins.end());
      offsets->push_back({*low, *high + 1});
    }
    begin += match.length;
  }
  if (begin > text.size()) {
    ids.resize(old_size);
    ids.push_back(unk_id());
    if (offsets) {
      offsets->resize(old_size);
      offsets->push_back({word.first, word.last + 1});
    }
  }
}

std::string WordPieceTokenizer::join(std::span<const int32_t> ids) const {
  std::string text;
  for (const int32_t id : ids) {
    std::string_view piece = token(id);
    if (piece.empty()) continue;
    if (is_continuation(id) && !text.empty()) {
      piece.remove_prefix(kContinuationPrefix.size());
    } else if (!text.empty() && space_between(last_code_point(text), decode_utf8(piece.data()).value)) {
      text += ' ';
    }
    text += piece;
  }
  return text;
}

std::string WordPieceTokenizer::config_file() const {
  auto config = common_config("BertTokenizer", special_tokens(), model_max_length());
  config["do_lower_case"] = options_.lowercase;
  config["strip_accents"] = options_.strip_accents ? nlohmann::json(*options_.strip_accents) : nlohmann::json(nullptr);
  config["tokenize_chinese_chars"] = options_.separate_cjk;
  return config.dump(2) + "\n";
}

}  // namespace roformer
