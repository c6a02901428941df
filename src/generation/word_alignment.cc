#include "generation/word_alignment.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "text/stream_decoder.h"
#include "text/unicode.h"

namespace roformer {

namespace {

// Without the white space at both ends.
std::array<size_t, 2> inner_range(std::string_view text, size_t begin, size_t end) {
  const std::string_view inner = strip_whitespace(text.substr(begin, end - begin));
  const size_t first = inner.empty() ? end : static_cast<size_t>(inner.data() - text.data());
  return {first, first + inner.size()};
}

std::vector<size_t> word_begins(std::string_view text) {
  std::vector<size_t> begins;
  bool space = true;
  for (size_t at = 0; at < text.size();) {
    const auto [code, bytes] = decode_utf8(text.data() + at);
    const bool was_space = std::exchange(space, is_whitespace(code));
    if (was_space && !space) begins.push_back(at);
    at += static_cast<size_t>(bytes);
  }
  return begins;
}

// Of the word that byte `at` is in; −1 before the first.
int64_t word_at(const std::vector<size_t>& begins, size_t at) {
  return std::ranges::upper_bound(begins, at) - begins.begin() - 1;
}

}  // namespace

std::vector<std::array<size_t, 2>> decoded_ranges(const Tokenizer& tokenizer, std::span<const int32_t> ids) {
  StreamDecoder decoder(tokenizer);
  std::string text;
  std::vector<size_t> ends;
  for (const int32_t id : ids) {
    text += decoder.push(id);
    ends.push_back(text.size());
  }
  text += decoder.finish();
  if (!ends.empty()) ends.back() = text.size();
  std::vector<std::array<size_t, 2>> ranges;
  size_t begin = 0;
  for (const size_t end : ends) ranges.push_back(inner_range(text, std::exchange(begin, end), end));
  return ranges;
}

bool is_translated(const Tokenizer& tokenizer, int32_t id) {
  const std::string& token = tokenizer.token(id);
  const bool is_code = token.starts_with(">>") && token.ends_with("<<");
  const bool is_unknown = tokenizer.has(SpecialToken::unk) && id == tokenizer.unk_id();
  return is_unknown || (!tokenizer.is_special(id) && !is_code);
}

std::vector<AlignedToken> aligned_tokens(std::string_view source, std::span<const std::array<int64_t, 2>> offsets,
                                         const Tokenizer& target, std::span<const int32_t> ids,
                                         std::span<const int32_t> links, size_t first) {
  std::vector<size_t> bytes;  // of code points
  for (size_t at = 0; at < source.size(); ++at) {
    if (begins_code_point(source[at])) bytes.push_back(at);
  }
  bytes.push_back(source.size());
  const std::vector<std::array<size_t, 2>> ranges = decoded_ranges(target, ids);
  std::vector<AlignedToken> tokens;
  for (size_t t = 0; t < ids.size(); ++t) {
    AlignedToken token{.begin = first + ranges[t][0], .end = first + ranges[t][1]};
    if (links[t] >= 0) {
      const auto [begin, end] = offsets[static_cast<size_t>(links[t])];
      const auto inner = inner_range(source, bytes.at(static_cast<size_t>(begin)), bytes.at(static_cast<size_t>(end)));
      token.is_aligned = inner[0] < inner[1];
      token.source_begin = inner[0];
      token.source_end = inner[1];
    }
    tokens.push_back(token);
  }
  return tokens;
}

WordPairs word_pairs(std::string_view source, std::string_view target, std::span<const AlignedToken> tokens) {
  const std::vector<size_t> source_words = word_begins(source), target_words = word_begins(target);
  WordPairs pairs;
  for (const AlignedToken& token : tokens) {
    if (!token.is_aligned || token.begin == token.end) continue;
    pairs.push_back({word_at(source_words, token.source_begin), word_at(target_words, token.begin)});
  }
  std::ranges::sort(pairs);
  pairs.erase(std::unique(pairs.begin(), pairs.end()), pairs.end());
  return pairs;
}

std::string pharaoh(const WordPairs& pairs) {
  std::string text;
  for (const auto& [i, j] : pairs) text += fmt::format("{}{}-{}", text.empty() ? "" : " ", i, j);
  return text;
}

}  // namespace roformer
