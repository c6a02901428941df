// BERT's tokenizer: normalize, split into words, then greedy longest-match segmentation, with "##" marking pieces
// inside a word (Devlin et al. 2019; ids equal Hugging Face's BertTokenizer). A word of more than 100 characters, or
// without a segmentation, is one [UNK].
#pragma once

#include "text/normalizer.h"
#include "text/tokenizer.h"
#include "text/tokenizer_config.h"
#include "text/wordpiece/word_pieces.h"

namespace roformer {

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
  void append_text(int32_t id, DecodeState& state, std::string& bytes) const override;
  // Includes tokenizer.json.
  std::map<std::string, std::string> files() const override;
  std::string_view type() const override { return "wordpiece"; }
  std::string_view tokenizer_class() const override { return kBertTokenizerClass; }

 protected:
  void append(std::string_view text, int64_t first, std::vector<int32_t>& ids, Offsets* offsets) const override;
  void append_part(std::string_view text, int64_t first, std::vector<int32_t>& ids, Offsets* offsets) const override;
  nlohmann::ordered_json config() const override;
  const WordPieceOptions& options() const { return options_; }
  const WordPieces& pieces() const { return pieces_; }

  // The options written to tokenizer.json.
  virtual WordPieceOptions saved_options() const { return options_; }
  // Normalization of the text in which added tokens are matched.
  virtual Normalization normalization() const { return options_.normalization(); }
  std::string normalize_token(const std::string& content) const override;

 private:
  // The end of the stretch from `begin` that can be normalized independently: up to ASCII whitespace, ASCII punctuation
  // or (if separated) an ideograph.
  size_t end_of_stretch(std::string_view text, size_t begin) const;

  WordPieceOptions options_;
  WordPieces pieces_;
  std::array<int32_t, 128> ascii_ids_{};  // of the one-character words
};

}  // namespace roformer
