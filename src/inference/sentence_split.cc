#include "inference/sentence_split.h"

#include <algorithm>
#include <utility>

#include "base/utf8.h"

namespace roformer {

namespace {

constexpr std::u32string_view kEnds = U".!?…", kWideEnds = U"。！？", kClosing = U"\"')]}»”’」』）";

bool is_space(char32_t c) { return c == U' ' || c == U'\t' || c == U'\u3000' || c == U'\u00a0'; }

struct Character {
  char32_t code;
  size_t begin;
};

std::vector<Character> characters_of(std::string_view text) {
  std::vector<Character> characters;
  for (size_t at = 0; at < text.size();) {
    const auto [code, bytes] = decode_utf8(text.data() + at);
    characters.push_back({code, at});
    at += static_cast<size_t>(bytes);
  }
  return characters;
}

std::string_view trimmed(std::string_view text) {
  const auto characters = characters_of(text);
  size_t first = 0, last = characters.size();
  while (first < last && is_space(characters[first].code)) ++first;
  while (last > first && is_space(characters[last - 1].code)) --last;
  if (first == last) return {};
  const size_t begin = characters[first].begin;
  const size_t end = last == characters.size() ? text.size() : characters[last].begin;
  return text.substr(begin, end - begin);
}

// Byte offsets at which words begin, or all characters of a text without white space.
std::vector<size_t> word_starts(std::string_view text) {
  std::vector<size_t> starts{0}, all{0};
  bool space = false;
  for (const auto& [code, begin] : characters_of(text)) {
    if (space && !is_space(code)) starts.push_back(begin);
    if (begin > 0) all.push_back(begin);
    space = is_space(code);
  }
  return starts.size() > 1 ? starts : all;
}

// Joins pieces, which begin at `starts`, to parts of at most `limit` tokens; what is longer alone goes to `divide`.
void join_pieces(std::string_view text, const std::vector<size_t>& starts, int64_t limit,
                 const std::function<int64_t(std::string_view)>& tokens,
                 const std::function<void(std::string_view)>& divide, std::vector<std::string_view>& parts) {
  const auto piece = [&](size_t first, size_t last) {
    const size_t end = last < starts.size() ? starts[last] : text.size();
    return trimmed(text.substr(starts[first], end - starts[first]));
  };
  for (size_t first = 0; first < starts.size();) {
    // The most that fit: doubling, then by halves, as tokens are counted anew each time.
    size_t fits = 0, step = 1;
    while (first + step <= starts.size() && tokens(piece(first, first + step)) <= limit)
      fits = std::exchange(step, 2 * step);
    size_t low = fits, high = std::min(step, starts.size() - first + 1);
    while (low + 1 < high) {
      const size_t middle = (low + high) / 2;
      (tokens(piece(first, first + middle)) <= limit ? low : high) = middle;
    }
    if (low == 0) {
      divide(piece(first, first + 1));
      low = 1;
    } else if (const std::string_view part = piece(first, first + low); !part.empty()) {
      parts.push_back(part);
    }
    first += low;
  }
}

}  // namespace

std::vector<size_t> sentence_starts(std::string_view text) {
  std::vector<size_t> starts{0};
  const auto characters = characters_of(text);
  const auto is_in = [](std::u32string_view set, char32_t c) { return set.find(c) != set.npos; };
  for (size_t i = 0; i < characters.size(); ++i) {
    const bool wide = is_in(kWideEnds, characters[i].code);
    if (!wide && !is_in(kEnds, characters[i].code)) continue;
    size_t next = i + 1;
    while (next < characters.size() && is_in(kClosing, characters[next].code)) ++next;
    const size_t behind = next;
    while (next < characters.size() && is_space(characters[next].code)) ++next;
    if (next == characters.size() || (!wide && next == behind)) continue;
    starts.push_back(characters[next].begin);
    i = next - 1;
  }
  return starts;
}

std::vector<std::string_view> split_text(std::string_view text, int64_t limit,
                                         const std::function<int64_t(std::string_view)>& tokens) {
  std::vector<std::string_view> parts;
  const auto whole = [&](std::string_view part) { parts.push_back(part); };
  const auto by_characters = [&](std::string_view word) {
    std::vector<size_t> starts;
    for (const Character& one : characters_of(word)) starts.push_back(one.begin);
    join_pieces(word, starts, limit, tokens, whole, parts);
  };
  const auto by_words = [&](std::string_view sentence) {
    join_pieces(sentence, word_starts(sentence), limit, tokens, by_characters, parts);
  };
  join_pieces(text, sentence_starts(text), limit, tokens, by_words, parts);
  return parts;
}

}  // namespace roformer
