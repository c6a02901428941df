#include "text/added_token_matcher.h"

#include <algorithm>
#include <unordered_set>

#include "base/utf8.h"
#include "text/unicode.h"

namespace roformer {

namespace {

std::vector<AddedToken> distinct(std::vector<AddedToken> tokens) {
  std::unordered_set<std::string> seen;
  std::erase_if(tokens,
                [&](const AddedToken& token) { return token.content.empty() || !seen.insert(token.content).second; });
  return tokens;
}

std::vector<std::string> contents(const std::vector<AddedToken>& tokens) {
  std::vector<std::string> texts;
  texts.reserve(tokens.size());
  for (const AddedToken& token : tokens) texts.push_back(token.content);
  return texts;
}

// The start of the code point that ends at `end` > 0.
size_t previous(std::string_view text, size_t end) {
  do --end;
  while (!begins_code_point(text[end]));
  return end;
}

bool is_word_before(std::string_view text, size_t i) {
  return i > 0 && is_word_character(decode_utf8(text.data() + previous(text, i)).value);
}

bool is_word_at(std::string_view text, size_t i) {
  return i < text.size() && is_word_character(decode_utf8(text.data() + i).value);
}

size_t skip_space_back(std::string_view text, size_t low, size_t i) {
  while (i > low) {
    const size_t before = previous(text, i);
    if (!is_whitespace(decode_utf8(text.data() + before).value)) break;
    i = before;
  }
  return i;
}

size_t skip_space(std::string_view text, size_t i) {
  while (i < text.size()) {
    const CodePoint c = decode_utf8(text.data() + i);
    if (!is_whitespace(c.value)) break;
    i += static_cast<size_t>(c.length);
  }
  return i;
}

}  // namespace

AddedTokenMatcher::AddedTokenMatcher(std::vector<AddedToken> tokens)
    : tokens_(distinct(std::move(tokens))), trie_(contents(tokens_)) {
  for (const AddedToken& token : tokens_) starts_[static_cast<unsigned char>(token.content[0])] = true;
  if (std::ranges::count(starts_, true) == 1) only_start_ = tokens_[0].content[0];
}

size_t AddedTokenMatcher::next_start(std::string_view text, size_t begin) const {
  if (only_start_ != 0) return std::min(text.size(), text.find(only_start_, begin));
  while (begin < text.size() && !starts_[static_cast<unsigned char>(text[begin])]) ++begin;
  return begin;
}

bool AddedTokenMatcher::next(std::string_view text, size_t done, size_t& from, Match& match) const {
  if (tokens_.empty()) return false;
  while ((from = next_start(text, from)) < text.size()) {
    const TokenTrie::Match found = trie_.longest(TokenTrie::kRoot, text.substr(from));
    if (found.token == TokenTrie::kNone) {
      ++from;
      continue;
    }
    const AddedToken& token = tokens_[static_cast<size_t>(found.token)];
    const size_t begin = from, end = from + found.length;
    from = end;
    if (token.single_word && (is_word_before(text, begin) || is_word_at(text, end))) continue;
    match = {token.lstrip ? std::max(done, skip_space_back(text, done, begin)) : begin,
             token.rstrip ? skip_space(text, end) : end, &token};
    if (match.begin < match.end) return true;  // else the token before absorbed all of it
  }
  return false;
}

}  // namespace roformer
