// How SentencePiece normalizes a text before it is cut: rules (NFKC, case folding, ...), then white space.
//
// The rules are a table in the model: 4 bytes, the size of a trie, the trie, and the texts that replace what it finds,
// each ended by a NUL byte. The trie is a double array as darts-clone writes it: units of 32 bits, where the child of
// unit `i` for a byte is `i ^ offset ^ byte`, if that one's label is the byte; bit 8 says that unit `i ^ offset` is a
// value, the place of a text. Every step is checked here: a table of somebody else may point anywhere.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/sentencepiece/model.h"
#include "text/token_trie.h"

namespace roformer {

// UTF-8, and for each byte the code point of the input it came from, and one more: where the next would come from.
struct NormalizedText {
  std::string text;
  std::vector<int32_t> origins;  // empty where they are not asked for
};

class SentencePieceNormalizer {
 public:
  // DataError for a table whose parts do not fit together.
  SentencePieceNormalizer(const SentencePieceModel& model, std::string_view where);
  SentencePieceNormalizer(const SentencePieceNormalizer&) = delete;
  SentencePieceNormalizer& operator=(const SentencePieceNormalizer&) = delete;

  // `text` is valid UTF-8; its first code point is number 0. `prefix`: whether a space is put before it, where the
  // model says so. DataError where the table leads outside of itself.
  NormalizedText normalize(std::string_view text, bool prefix, bool with_origins) const;

  // Bytes of the user-defined piece that `text` starts with; 0 if none.
  size_t user_defined(std::string_view text) const { return kept_.longest(TokenTrie::kRoot, text).length; }

 private:
  struct Piece {
    std::string_view text;  // what it becomes
    size_t length;          // bytes it takes of the input
  };
  class Writer;
  Piece next(std::string_view text) const;
  uint32_t unit(size_t index) const;
  std::string_view replacement(uint32_t place) const;
  [[noreturn]] void fail() const;

  std::string where_, rules_;
  std::string_view trie_, texts_;  // parts of rules_
  bool add_dummy_prefix_, prefix_before_space_, remove_extra_whitespaces_, escape_whitespaces_;
  TokenTrie kept_;  // user-defined pieces, which no rule touches
};

}  // namespace roformer
