#include "text/vocabulary.h"

#include <algorithm>

#include "base/error.h"
#include "base/json.h"
#include "base/utf8.h"
#include "text/text_file.h"

namespace roformer {

Vocabulary::Vocabulary(std::vector<std::string> tokens, std::string_view where, std::vector<int32_t> holes)
    : tokens_(std::move(tokens)), holes_(std::move(holes)), size_(static_cast<int32_t>(tokens_.size())) {
  if (tokens_.empty()) throw DataError("{}: no tokens", FilePath(where));
  if (tokens_.size() > kMaxTokens) throw DataError("{}: more than {} tokens", FilePath(where), kMaxTokens);
  ids_.reserve(tokens_.size());
  std::vector<int32_t> repeated;
  for (int32_t id = size_ - 1; id >= 0; --id) {
    std::string& token = tokens_[static_cast<size_t>(id)];
    if (std::ranges::binary_search(holes_, id) || ids_.emplace(token, id).second) continue;
    token.clear();
    repeated.push_back(id);
  }
  holes_.insert(holes_.end(), repeated.begin(), repeated.end());
  std::ranges::sort(holes_);
  distinct_ = static_cast<int32_t>(ids_.size());
}

int32_t Vocabulary::add(const std::string& token, std::string_view where) {
  const auto known = id(token);
  const int32_t next = known ? *known : std::max(distinct_, last_added_ + 1);
  last_added_ = std::max(last_added_, next);
  if (known) return *known;
  if (static_cast<size_t>(next) >= kMaxTokens) {
    throw DataError("{}: more than {} tokens", FilePath(where), kMaxTokens);
  }
  ids_.emplace(added_.emplace(next, token).first->second, next);
  size_ = std::max(size_, next + 1);
  return next;
}

std::vector<std::string> Vocabulary::read_tokens(const std::string& path) {
  TextFile file(path);
  int64_t bytes = 0;
  file.observe([&](std::string_view block) {
    bytes += static_cast<int64_t>(block.size());
    if (bytes > kMaxVocabularyBytes) throw DataError("{}: larger than {} bytes", FilePath(path), kMaxVocabularyBytes);
  });
  std::vector<std::string> tokens;
  for (std::string_view line; file.next_line(line);) tokens.emplace_back(line);
  return tokens;
}

const std::string& Vocabulary::token(int32_t id) const {
  if (id < 0 || id >= size()) throw DataError("token id {} is outside the vocabulary of {}", id, size());
  if (const auto added = added_.find(id); added != added_.end()) return added->second;
  return tokens_[static_cast<size_t>(id)];
}

std::optional<int32_t> Vocabulary::id(std::string_view token) const {
  const auto entry = ids_.find(token);
  if (entry == ids_.end()) return std::nullopt;
  return entry->second;
}

bool Vocabulary::holds(int32_t id) const { return !std::ranges::binary_search(holes_, id); }

std::string Vocabulary::file() const {
  constexpr std::string_view kBreaks("\n\0", 2);
  std::string content;
  for (int32_t id = 0; id < std::ssize(tokens_); ++id) {
    const std::string& token = holds(id) ? tokens_[static_cast<size_t>(id)] : tokens_.back();
    const bool fits = token.find_first_of(kBreaks) == token.npos && !token.ends_with('\r') &&
                      !(content.empty() && token.starts_with(kByteOrderMark));
    if (!fits) throw DataError("the token {} cannot be a line of vocab.txt", quote(token));
    content.append(token).push_back('\n');
  }
  return content;
}

}  // namespace roformer
