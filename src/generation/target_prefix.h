// A text that a translation is to begin with. Its words are forced as the tokenizer cuts them, but the last word is
// open: it may have been written half, so any tokens may spell it, and it may go on. White space at the end closes it:
// a new word, or nothing, follows.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace roformer {

class TargetPrefix {
 public:
  // The tokenizer is the target's and must outlive it. A text without words asks for nothing.
  TargetPrefix(const Tokenizer& tokenizer, std::string_view text);

  size_t tokens() const { return tokens_; }  // as the tokenizer cuts it
  // What may follow these tokens, which it has let come so far, ascending; none: anything. `end_ids` are end tokens.
  std::optional<std::vector<int32_t>> allowed(std::span<const int32_t> generated,
                                              std::span<const int32_t> end_ids) const;

 private:
  template <class Condition>
  std::vector<int32_t> tokens_with(const Condition& condition) const;
  std::vector<int32_t> tokens_spelling(size_t begin) const;

  const Tokenizer& tokenizer_;
  size_t tokens_ = 0;
  std::vector<int32_t> forced_;
  std::string open_;           // the last word, as its tokens are written, with the sign for a space
  std::vector<bool> spelled_;  // whether tokens spell all of it from each byte on
  bool word_ends_ = false;     // after `forced_`
};

}  // namespace roformer
