// A vocabulary: tokens with ids from 0, as in vocab.txt (one per line; the line number is the id).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace roformer {

inline constexpr int64_t kMaxVocabularyBytes = int64_t{1} << 28;  // of a vocabulary file
inline constexpr size_t kMaxTokens = size_t{1} << 24;

class Vocabulary {
 public:
  // DataError if a token occurs twice or there are none; `where` names the vocabulary in the message.
  // The last `added` tokens are not the model's own: segmentation does not use them, and vocab.txt does not list them.
  Vocabulary(std::vector<std::string> tokens, std::string_view where, size_t added = 0);
  // FileError, or DataError naming the line (not UTF-8) or both lines (a token twice).
  static Vocabulary load(const std::string& path) { return Vocabulary(read_tokens(path), path); }
  static std::vector<std::string> read_tokens(const std::string& path);  // same errors, except for duplicates

  Vocabulary(Vocabulary&&) = default;
  Vocabulary& operator=(Vocabulary&&) = default;

  int32_t size() const { return static_cast<int32_t>(tokens_.size()); }
  const std::string& token(int32_t id) const;  // DataError for an invalid id
  std::optional<int32_t> id(std::string_view token) const;
  const std::vector<std::string>& tokens() const { return tokens_; }
  std::span<const std::string> model_tokens() const { return std::span(tokens_).first(tokens_.size() - added_); }
  // The content of vocab.txt. DataError for a token that does not round-trip, such as one with a line end.
  std::string file() const;

 private:
  std::vector<std::string> tokens_;
  size_t added_;
  std::unordered_map<std::string_view, int32_t> ids_;  // views into tokens_, whose strings never move
};

}  // namespace roformer
