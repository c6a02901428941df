// Added tokens and where they occur in a text, as in Hugging Face's tokenizers: the leftmost match, of several there
// the longest. A match that single_word rules out still uses up its text.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/token_trie.h"

namespace roformer {

// A token matched in the text before segmentation.
struct AddedToken {
  std::string content;
  int32_t id = 0;
  bool special = false;                 // skipped when decoding
  bool normalized = false;              // matched, normalized itself, in normalized text; else in raw text
  bool single_word = false;             // not beside a letter, digit, mark or underscore
  bool lstrip = false, rstrip = false;  // absorbs the white space before it, after it
  bool operator==(const AddedToken&) const = default;
};

class AddedTokenMatcher {
 public:
  AddedTokenMatcher() : AddedTokenMatcher(std::vector<AddedToken>()) {}
  // Matches the tokens' contents as they are. Of equal contents the first counts; empty ones never match.
  explicit AddedTokenMatcher(std::vector<AddedToken> tokens);

  bool empty() const { return tokens_.empty(); }

  struct Match {
    size_t begin, end;  // bytes, with the white space absorbed
    const AddedToken* token;
  };

  // Calls on_text(begin, end) for each stretch between tokens that is not empty, and on_token(match), in order. `text`
  // is valid UTF-8. (A token that starts with white space may begin within what the token before it absorbed.)
  template <class OnText, class OnToken>
  void split(std::string_view text, const OnText& on_text, const OnToken& on_token) const {
    size_t done = 0, from = 0;
    for (Match match; next(text, done, from, match);) {
      if (match.begin > done) on_text(done, match.begin);
      on_token(match);
      done = std::max(done, match.end);
    }
    if (done < text.size()) on_text(done, text.size());
  }

 private:
  // The next match from byte `from` on, which moves behind it; white space before `done` is taken already.
  bool next(std::string_view text, size_t done, size_t& from, Match& match) const;
  size_t next_start(std::string_view text, size_t begin) const;

  std::vector<AddedToken> tokens_;
  TokenTrie trie_;                  // of their contents
  std::array<bool, 256> starts_{};  // by first byte
  char only_start_ = 0;             // the first byte of all, if there is just one
};

}  // namespace roformer
