// SentencePiece's normalization before segmentation: rules (NFKC, case folding, ...), then white space.
//
// The rules are a table in the model: 4 bytes, the size of a trie, the trie, and the NUL-terminated replacements. The
// trie is a double array as written by darts-clone: 32-bit units, in which the child of unit `i` for a byte is `i ^
// offset ^ byte` if its label is the byte; bit 8 says that unit `i ^ offset` holds a value, the offset of a
// replacement. Every access is bounds-checked, as tables are untrusted.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/sentencepiece/model.h"
#include "text/token_trie.h"

namespace roformer {

// Normalized UTF-8 with the origin of each byte.
struct NormalizedText {
  std::string text;
  std::vector<int32_t> origins;  // input code point of each byte, and one for the end; empty if not requested
};

class SentencePieceNormalizer {
 public:
  // DataError for an inconsistent table.
  SentencePieceNormalizer(const SentencePieceModel& model, std::string_view where);
  SentencePieceNormalizer(const SentencePieceNormalizer&) = delete;
  SentencePieceNormalizer& operator=(const SentencePieceNormalizer&) = delete;

  // `text` is valid UTF-8; origins count from 0. `prefix`: whether to add the model's dummy prefix, if it has one.
  // DataError for out-of-bounds accesses of the table.
  NormalizedText normalize(std::string_view text, bool prefix, bool with_origins) const;

  // Length in bytes of the user-defined piece that `text` starts with; 0 if none.
  size_t user_defined(std::string_view text) const { return user_defined_.longest(TokenTrie::kRoot, text).length; }

 private:
  struct Piece {
    std::string_view text;  // replacement
    size_t length;          // bytes of input consumed
  };
  class Writer;
  Piece next(std::string_view text) const;
  uint32_t unit(size_t index) const;
  std::string_view replacement(uint32_t offset) const;
  [[noreturn]] void fail() const;

  std::string where_, rules_;
  std::string_view trie_, texts_;  // parts of rules_
  bool add_dummy_prefix_, prefix_before_space_, remove_extra_whitespaces_, escape_whitespaces_;
  TokenTrie user_defined_;  // pieces exempt from normalization
};

}  // namespace roformer
