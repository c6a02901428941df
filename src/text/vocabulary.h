// A vocabulary: tokens with ids from 0, as in vocab.txt (one per line; the line number is the id).
#pragma once

#include <cstdint>
#include <map>
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
  // The model's tokens. Of equal ones the last counts; the others become holes: ids without a token. `holes`,
  // ascending: ids of which that is known. DataError if there are none; `where` names the vocabulary in the message.
  Vocabulary(std::vector<std::string> tokens, std::string_view where, std::vector<int32_t> holes = {});
  // FileError, or DataError naming the line (not UTF-8).
  static Vocabulary load(const std::string& path) { return Vocabulary(read_tokens(path), path); }
  static std::vector<std::string> read_tokens(const std::string& path);  // same errors

  Vocabulary(Vocabulary&&) = default;
  Vocabulary& operator=(Vocabulary&&) = default;

  // The id of a token, which is added if need be: segmentation does not use it, and vocab.txt does not list it. Added
  // tokens are numbered as Hugging Face's tokenizers does: from the number of distinct tokens of the model on, without
  // gaps. After holes or repeated lines that may be the id of one of the model's tokens; then it is the id of both, and
  // token() is the added one, as there. DataError if there are too many.
  int32_t add(const std::string& token, std::string_view where);

  int32_t size() const { return size_; }
  const std::string& token(int32_t id) const;  // empty for a hole; DataError for an invalid id
  std::optional<int32_t> id(std::string_view token) const;
  std::span<const std::string> model_tokens() const { return tokens_; }
  // Whether a token of the model has this id: it is no hole.
  bool holds(int32_t id) const;
  // The content of vocab.txt. The line of a hole repeats the last one, and so does not count. DataError for a token
  // that does not round-trip, such as one with a line end.
  std::string file() const;

 private:
  std::vector<std::string> tokens_;  // the model's
  std::vector<int32_t> holes_;
  std::map<int32_t, std::string> added_;
  std::unordered_map<std::string_view, int32_t> ids_;  // views into tokens_ and added_, whose strings never move
  int32_t size_ = 0, distinct_ = 0;                    // of all ids; of the model's tokens
  int32_t last_added_ = -1;                            // the greatest id that add() returned
};

}  // namespace roformer
