// Text to tokens and back, for programs that need no model. A tokenizer directory holds vocab.txt (or a BERT
// tokenizer.json) and, where present, tokenizer_config.json; a model directory is one, too.
// Texts are UTF-8. All const functions may be called from many threads at once.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "roformer/error.h"
#include "roformer/export.h"

namespace roformer {
inline namespace v0 {

// A text as a model takes it: [CLS] text [SEP], or [CLS] text [SEP] pair [SEP]. All vectors are of one length.
struct TokenizedText {
  std::vector<std::string> tokens;
  std::vector<int32_t> ids;
  std::vector<int32_t> segment_ids;             // 0 for the text, 1 for the pair and its [SEP]
  std::vector<std::array<int64_t, 2>> offsets;  // [begin, end) in code points of the text; [0, 0) for special tokens
};

// The files of a directory by their names in it: "config.json", "1_Pooling/config.json". The bytes are not copied.
using MemoryFiles = std::map<std::string, std::string_view>;

struct TokenizeOptions {
  std::optional<std::string_view> pair = std::nullopt;  // a second text
  int64_t max_length = 0;  // truncate to this many tokens, the longer text first; 0 = no limit
};

class ROFORMER_EXPORT TextTokenizer {
 public:
  // Error naming the file where the directory is not as above.
  static TextTokenizer open(const std::string& directory);
  // The same of a directory's files in memory, which are not needed afterwards. Errors name the directory "memory:N".
  static TextTokenizer open_memory(const MemoryFiles& files);

  TextTokenizer(TextTokenizer&&) noexcept;
  TextTokenizer& operator=(TextTokenizer&&) noexcept;
  ~TextTokenizer();

  // A special token written in a text ("[MASK]") is that token. Error for text that is not UTF-8 (with its location)
  // and for a max_length too short for the special tokens.
  TokenizedText tokenize(std::string_view text, const TokenizeOptions& options = {}) const;

  // Text again; special tokens are left out unless `keep_special`. Error for an id that is not a token.
  std::string decode(std::span<const int32_t> ids, bool keep_special = false) const;

  int64_t vocabulary_size() const;
  const std::string& token(int32_t id) const;  // Error for an id that is not a token
  std::optional<int32_t> id(std::string_view token) const;
  const std::string& mask_token() const;  // "[MASK]", or as the tokenizer writes it; Error if it has none

 private:
  friend class TextModel;
  struct Implementation;
  explicit TextTokenizer(std::unique_ptr<const Implementation> implementation);
  std::unique_ptr<const Implementation> implementation_;
};

}  // namespace v0
}  // namespace roformer
