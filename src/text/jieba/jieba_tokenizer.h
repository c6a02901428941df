// RoFormer's Chinese tokenizer: jieba's words (jieba.h); a word in the vocabulary is a token, any other goes through
// WordPiece. There are three implementations (JiebaMode), and models were trained with each:
//   fast        transformers' RoFormerTokenizer (5.x; RoFormerTokenizerFast before): BERT's cleaning, accents and case
//               of the whole text, then words by jieba-rs; an unknown word is cut at ideographs, not at punctuation.
//   slow        transformers' RoFormerTokenizer up to 4.x: the text in lower case, words by jieba-rs; an unknown word
//               goes through BERT's BasicTokenizer (cleaning, NFC, accents, ideographs, punctuation).
//   bert4keras  Su Jianlin's original: the text in lower case, NFD, without non-spacing marks, words by jieba; an
//   unknown
//               word is cut at ideographs and punctuation.
// WordPiece splits words of up to 100 characters (bert4keras: 200); a longer one is [UNK]. In all three a special token
// in the text is that token; bert4keras itself would split it. Encoding needs 4 bytes of memory per character between
// special tokens, and 8 more with offsets.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/jieba/jieba.h"
#include "text/wordpiece/wordpiece.h"

namespace roformer {

std::string_view jieba_mode_name(JiebaMode mode);  // "fast", "slow", "bert4keras"
std::optional<JiebaMode> parse_jieba_mode(std::string_view name);
JiebaRules jieba_rules(JiebaMode mode);

class JiebaTokenizer : public WordPieceTokenizer {
 public:
  // `own_dictionary`: the path of the dictionary if it must be saved with the tokenizer, for files() to read again;
  // empty for the system's.
  JiebaTokenizer(Vocabulary vocabulary, SpecialTokens special_tokens, const WordPieceOptions& options, JiebaMode mode,
                 std::shared_ptr<const JiebaDictionary> dictionary, std::string own_dictionary, std::string_view where);

  std::string_view type() const override { return "jieba-wordpiece"; }
  std::string_view tokenizer_class() const override { return kRoFormerTokenizerClass; }
  JiebaMode mode() const { return mode_; }
  // The words of the normalized text before vocabulary lookup, spaces included. DataError if it is not UTF-8.
  std::vector<std::string> words(std::string_view text) const;
  // Includes jieba_dict.txt if the dictionary is the tokenizer's own; DataError if that has changed since it was
  // opened.
  std::map<std::string, std::string> files() const override;

 protected:
  void append(std::string_view text, int64_t first, std::vector<int32_t>& ids, Offsets* offsets) const override;
  void append_part(std::string_view text, int64_t first, std::vector<int32_t>& ids, Offsets* offsets) const override;
  nlohmann::ordered_json config() const override;
  WordPieceOptions saved_options() const override;
  Normalization normalization() const override;

 private:
  void append_words(std::span<const char32_t> letters, std::span<const int64_t> origins, std::vector<int32_t>& ids,
                    Offsets* offsets) const;

  JiebaMode mode_;
  JiebaSegmenter segmenter_;
  std::string own_dictionary_;
};

}  // namespace roformer
