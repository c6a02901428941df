// Learns a SentencePiece model of words with libsentencepiece (0.1.97 in Debian 12).
//
// The library is given distinct words with counts instead of the text: words are separated by spaces, tabs and line
// ends, and pieces do not cross them. So memory is bounded: beyond kMaxWordBytes, the rarest words are subsampled by
// hash, uniformly over the text (SpacedWordCounter).
#pragma once

#include <string>
#include <unordered_map>

#include "base/error.h"
#include "text/learn/text_counts.h"
#include "text/sentencepiece/model.h"

namespace roformer {

struct SentencePieceLearning {
  SentencePieceModel::Kind kind = SentencePieceModel::Kind::unigram;
  int64_t vocab_size = 0;  // special pieces and bytes included
  size_t specials = 0;     // how many `pieces` names
  bool byte_fallback = true;
  bool remove_extra_whitespaces = false;
  std::string normalization;                            // the library's name of the rules
  std::unordered_map<std::string, std::string> pieces;  // the library's arguments for special pieces and their ids
};

// The content of a model file. All characters get a piece if they take at most half of the vocabulary, else the most
// frequent ones that make up 99.95% of the text. The result depends on the arguments only, and has fewer pieces than
// requested if the words have no more. UsageError with the minimum if the size cannot hold specials, bytes and
// characters; DataError if there are no words; `where` names the text.
std::string learn_sentencepiece(WordCounts counts, const SentencePieceLearning& learning, const FilePath& where);

}  // namespace roformer
