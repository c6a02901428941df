// Normalized text as code points, and added tokens in it.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/utf8.h"
#include "text/added_token_matcher.h"
#include "text/normalizer.h"

namespace roformer {

struct NormalizedLetters {
  std::vector<char32_t> code_points;
  std::vector<int64_t> origins;  // index of the input code point that each came from

  NormalizedLetters(std::string_view text, int64_t first, const Normalization& normalization) {
    auto sink = [&](char32_t c, int64_t origin) {
      code_points.push_back(c);
      origins.push_back(origin);
    };
    Normalizer<decltype(sink)>(normalization, sink).run(text, first);
  }
};

inline std::string normalized_text(std::string_view text, const Normalization& normalization) {
  std::string normal;
  for (const char32_t c : NormalizedLetters(text, 0, normalization).code_points) append_utf8(normal, c);
  return normal;
}

// The offset of a token made of code points with these origins, of which there is at least one.
inline std::array<int64_t, 2> offset_of(std::span<const int64_t> origins) {
  const auto [low, high] = std::ranges::minmax_element(origins);
  return {*low, *high + 1};
}

// Appends the tokens that occur in the letters, and calls on_text(begin, end) for those between, in order. Without
// `offsets`, which may be null, `origins` is not used.
template <class OnText>
void append_normalized(const AddedTokenMatcher& tokens, std::span<const char32_t> letters,
                       std::span<const int64_t> origins, std::vector<int32_t>& ids,
                       std::vector<std::array<int64_t, 2>>* offsets, const OnText& on_text) {
  std::string text;
  for (const char32_t c : letters) append_utf8(text, c);
  CodePointPositions positions(text);
  const auto at = [&](size_t byte) { return static_cast<size_t>(positions.at(byte)); };
  tokens.split(
      text,
      [&](size_t begin_byte, size_t end_byte) {
        const size_t begin = at(begin_byte);
        on_text(begin, at(end_byte));
      },
      [&](const AddedTokenMatcher::Match& match) {
        ids.push_back(match.token->id);
        if (!offsets) return;
        const size_t begin = at(match.begin);
        offsets->push_back(offset_of(origins.subspan(begin, at(match.end) - begin)));
      });
}

}  // namespace roformer
