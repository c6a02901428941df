// Learns the tokenizers of a translator.
#pragma once

#include <cstdint>
#include <optional>

#include "text/learn/text_counts.h"
#include "text/sentencepiece/model.h"
#include "text/translation_tokenizers.h"

namespace roformer {

struct TranslationTokenizerTraining {
  SentencePieceModel::Kind kind = SentencePieceModel::Kind::bpe;
  int64_t vocab_size = 32000;  // special tokens included; with separate vocabularies, of each
  bool joint = true;           // one model of both languages' words and one vocabulary; else two of each
  bool byte_fallback = true;   // characters without a piece become bytes; else <unk>
  bool lowercase = false;      // case folding besides NFKC
  std::optional<TranslationLanguages> languages;
};

// From the words of both languages, as count_spaced_words or a SpacedWordCounter give them. Texts are normalized by the
// library's nmt_nfkc (as Marian's are), which also joins white space. Ids: </s>, <unk>, then pieces in the model's
// order, bytes first, and <pad> last; two vocabularies, which may differ in size, have <pad> at 2, as a model has one
// id for it. Results and errors are those of learn_sentencepiece.
TranslationTokenizers learn_translation_tokenizers(WordCounts source, WordCounts target,
                                                   const TranslationTokenizerTraining& options);

}  // namespace roformer
