#include "generation/target_prefix.h"

#include <algorithm>

#include "text/unicode.h"

namespace roformer {

namespace {

bool ends_in_space(std::string_view text) {
  const std::string_view inner = strip_whitespace(text);
  return inner.data() + inner.size() != text.data() + text.size();
}

}  // namespace

template <class Condition>
std::vector<int32_t> TargetPrefix::tokens_with(const Condition& condition) const {
  std::vector<int32_t> ids;
  for (int32_t id = 0; id < tokenizer_.vocabulary_size(); ++id) {
    if (condition(id)) ids.push_back(id);
  }
  return ids;
}

TargetPrefix::TargetPrefix(const Tokenizer& tokenizer, std::string_view text) : tokenizer_(tokenizer) {
  require_utf8(text, "prefix");
  if (is_blank(text)) return;
  forced_ = tokenizer.encode_plain(text);
  tokens_ = forced_.size();
  word_ends_ = ends_in_space(text);
  if (word_ends_ || forced_.empty()) return;
  auto word = forced_.end() - 1;
  while (word != forced_.begin() && tokenizer.is_continuation(*word)) --word;
  // Unknown characters and single bytes can be written in one way only.
  const bool plain = std::all_of(word, forced_.end(), [&](int32_t id) {
    return !tokenizer.is_special(id) && !tokenizer.token(id).starts_with("<0x");
  });
  if (!plain) return;
  for (auto id = word; id != forced_.end(); ++id) open_ += tokenizer.token(*id);
  forced_.erase(word, forced_.end());
  // From the end: how much of the word may be left for tokens to spell the rest.
  spelled_.assign(open_.size() + 1, false);
  spelled_.back() = true;
  for (size_t begin = open_.size(); begin-- > 0;) spelled_[begin] = !tokens_spelling(begin).empty();
}

// Tokens that may come where the word is written up to `begin`.
std::vector<int32_t> TargetPrefix::tokens_spelling(size_t begin) const {
  const std::string_view rest = std::string_view(open_).substr(begin);
  return tokens_with([&](int32_t id) {
    const std::string_view token = tokenizer_.token(id);
    if (token.empty() || tokenizer_.is_special(id)) return false;
    return token.starts_with(rest) || (rest.starts_with(token) && spelled_[begin + token.size()]);
  });
}

std::optional<std::vector<int32_t>> TargetPrefix::allowed(std::span<const int32_t> generated,
                                                          std::span<const int32_t> end_ids) const {
  if (generated.size() < forced_.size()) return std::vector{forced_[generated.size()]};
  if (generated.size() > forced_.size() + open_.size()) return std::nullopt;
  size_t written = 0;
  for (const int32_t id : generated.subspan(forced_.size())) written += tokenizer_.token(id).size();
  if (written < open_.size()) return tokens_spelling(written);
  if (!word_ends_ || generated.size() > forced_.size()) return std::nullopt;
  return tokens_with([&](int32_t id) {
    if (tokenizer_.is_special(id)) return std::ranges::find(end_ids, id) != end_ids.end();
    return !tokenizer_.is_continuation(id);
  });
}

}  // namespace roformer
