// Cuts normalised text into the pieces of a SentencePiece model.
//
// BPE (Sennrich et al. 2016, as SentencePiece has it): characters, then again and again the neighbours that make the
// piece of the highest score, the leftmost among equals. Unigram (Kudo 2018): the pieces with the highest sum of
// scores, by dynamic programming; a character without a piece costs 10 more than the worst piece. Sums are float32 as
// there, so that equal paths tie alike. Time grows as n log n and n times the longest piece; merging is done word by
// word where the pieces allow it.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "text/sentencepiece_model.h"
#include "text/sentencepiece_normalizer.h"
#include "text/token_trie.h"

namespace roformer {

class SentencePieceCutter {
 public:
  struct Cut {
    int32_t begin, end, id;  // bytes of the text
  };

  // Both must outlive it.
  SentencePieceCutter(const SentencePieceModel& model, const SentencePieceNormalizer& normalizer);

  // `text` is valid UTF-8 of less than 2^31 bytes. What has no piece is model.unknown, a character each.
  std::vector<Cut> cut(std::string_view text) const;

 private:
  class Merger;
  std::vector<Cut> merge(std::string_view text) const;
  std::vector<Cut> best_path(std::string_view text) const;
  // The id of the piece that `text` is, of those that text can become; or kNone.
  int32_t find(std::string_view text) const {
    const auto match = trie_.longest(TokenTrie::kRoot, text);
    return match.length == text.size() ? match.token : TokenTrie::kNone;
  }

  const SentencePieceModel& model_;
  const SentencePieceNormalizer& normalizer_;
  TokenTrie trie_;  // normal, user-defined and unused pieces
  float unknown_score_ = 0, best_score_ = 0;
  bool words_apart_ = true;  // no piece goes on after a space within it: merges stay within words
};

}  // namespace roformer
