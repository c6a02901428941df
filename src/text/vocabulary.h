// A vocabulary: tokens numbered from 0, as kept in vocab.txt (one token a line, the line number is the id).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace roformer {

inline constexpr int64_t kMaxVocabularyBytes = int64_t{1} << 28;  // of a vocabulary file
inline constexpr size_t kMaxTokens = size_t{1} << 24;

class Vocabulary {
 public:
  // DataError when a token occurs twice or there are none; `where` names the vocabulary in the message.
  Vocabulary(std::vector<std::string> tokens, std::string_view where);
  // FileError, or DataError naming the line (not UTF-8) or both lines (a token twice).
  static Vocabulary load(const std::string& path);

  Vocabulary(Vocabulary&&) = default;
  Vocabulary& operator=(Vocabulary&&) = default;

  int32_t size() const { return static_cast<int32_t>(tokens_.size()); }
  const std::string& token(int32_t id) const;  // DataError when there is no such id
  std::optional<int32_t> id(std::string_view token) const;
  const std::vector<std::string>& tokens() const { return tokens_; }
  // The content of vocab.txt. DataError for a token that would not come back: one with a line end (a tokenizer.json may
  // hold any text).
  std::string file() const;

 private:
  std::vector<std::string> tokens_;
  std::unordered_map<std::string_view, int32_t> ids_;  // views into tokens_, whose strings never move
};

}  // namespace roformer
