#include "text/vocabulary.h"

#include "base/error.h"
#include "base/json.h"
#include "base/utf8.h"
#include "text/text_file.h"

namespace roformer {

Vocabulary::Vocabulary(std::vector<std::string> tokens, std::string_view where, size_t added)
    : tokens_(std::move(tokens)), added_(added) {
  if (tokens_.empty()) throw DataError("{}: no tokens", FilePath(where));
  if (tokens_.size() > kMaxTokens) throw DataError("{}: more than {} tokens", FilePath(where), kMaxTokens);
  ids_.reserve(tokens_.size());
  for (size_t i = 0; i < tokens_.size(); ++i) {
    const auto [entry, is_new] = ids_.emplace(tokens_[i], static_cast<int32_t>(i));
    if (!is_new)
      throw DataError("{}: lines {} and {} both hold the token {}", FilePath(where), entry->second + 1,
                      LineNumber(static_cast<int64_t>(i) + 1), quote(tokens_[i]));
  }
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
  return tokens_[static_cast<size_t>(id)];
}

std::optional<int32_t> Vocabulary::id(std::string_view token) const {
  const auto entry = ids_.find(token);
  if (entry == ids_.end()) return std::nullopt;
  return entry->second;
}

std::string Vocabulary::file() const {
  constexpr std::string_view kBreaks("\n\0", 2);
  std::string content;
  for (const auto& token : model_tokens()) {
    const bool fits = token.find_first_of(kBreaks) == token.npos && !token.ends_with('\r') &&
                      !(content.empty() && token.starts_with(kByteOrderMark));
    if (!fits) throw DataError("the token {} cannot be a line of vocab.txt", quote(token));
    content.append(token).push_back('\n');
  }
  return content;
}

}  // namespace roformer
