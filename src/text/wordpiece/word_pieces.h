// WordPiece segmentation: greedy longest match from the left, with "##" marking pieces inside a word.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/normalizer.h"
#include "text/token_trie.h"

namespace roformer {

inline constexpr std::string_view kContinuationPrefix = "##";

class WordPieces {
 public:
  using Offsets = std::vector<std::array<int64_t, 2>>;

  // The id of a token is its index.
  WordPieces(std::span<const std::string> tokens, int32_t unknown,
             std::string_view continuation_prefix = kContinuationPrefix)
      : trie_(tokens), continuation_root_(trie_.walk(TokenTrie::kRoot, continuation_prefix)), unknown_(unknown) {}

  int32_t unknown() const { return unknown_; }

  // The id of a word that is a token, or TokenTrie::kNone.
  int32_t whole(std::string_view word) const {
    const auto match = trie_.longest(TokenTrie::kRoot, word);
    return match.length == word.size() ? match.token : TokenTrie::kNone;
  }

  // Calls on_piece(id, begin, end), in bytes of `word`, for each piece; false if the rest of the word starts with none.
  template <class OnPiece>
  bool cut(std::string_view word, const OnPiece& on_piece) const {
    int32_t node = TokenTrie::kRoot;
    for (size_t begin = 0; begin < word.size(); node = continuation_root_) {
      if (node == TokenTrie::kNone) return false;
      const auto match = trie_.longest(node, word.substr(begin));
      if (match.token == TokenTrie::kNone) return false;
      on_piece(match.token, begin, begin + match.length);
      begin += match.length;
    }
    return true;
  }

  // Appends the ids of a word, or one unknown id if it is longer than `limit` characters; `offsets` may be null.
  void append(const Word& word, int64_t limit, std::vector<int32_t>& ids, Offsets* offsets) const;
  // The same for an ASCII word that starts at code point `first` of the input, one byte per input code point.
  void append_ascii(std::string_view word, int64_t first, std::vector<int32_t>& ids, Offsets* offsets) const;

 private:
  TokenTrie trie_;
  int32_t continuation_root_;  // node of "##", or kNone
  int32_t unknown_;
};

}  // namespace roformer
