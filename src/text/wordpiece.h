// BERT's tokenizer: normalise, split into words, then greedily the longest piece of the vocabulary from the left,
// pieces inside a word marked "##" (Devlin et al. 2019; ids as Hugging Face's BertTokenizer gives them). A word of more
// than 100 characters, or one that cannot be cut into pieces, is one [UNK].
#pragma once

#include "text/normalizer.h"
#include "text/token_trie.h"
#include "text/tokenizer.h"

namespace roformer {

inline constexpr std::string_view kContinuationPrefix = "##";

struct WordPieceOptions {
  bool lowercase = true;
  std::optional<bool> strip_accents;  // unset: as `lowercase`
  bool separate_cjk = true;           // "tokenize_chinese_chars"

  Normalization normalization() const { return {lowercase, strip_accents.value_or(lowercase), separate_cjk}; }
};

class WordPieceTokenizer : public Tokenizer {
 public:
  WordPieceTokenizer(Vocabulary vocabulary, SpecialTokens special_tokens, const WordPieceOptions& options,
                     std::string_view where);

  bool is_continuation(int32_t id) const override;
  std::string_view type() const override { return "wordpiece"; }

 protected:
  void append(std::string_view text, int64_t first, std::vector<int32_t>& ids, Offsets* offsets) const override;
  std::string join(std::span<const int32_t> ids) const override;
  std::string config_file() const override;

 private:
  void append_word(const Word& word, std::vector<int32_t>& ids, Offsets* offsets) const;

  WordPieceOptions options_;
  TokenTrie trie_;
  int32_t continuation_root_;  // node of "##", or kNone
};

}  // namespace roformer
