// Segments normalized text into the pieces of a SentencePiece model.
//
// BPE (Sennrich et al. 2016, as in SentencePiece): start from characters and repeatedly merge the neighbors that form
// the piece of the highest score, the leftmost on ties; with a list of merges, the earliest of the list. Unigram (Kudo
// 2018): the pieces with the highest sum of scores, by dynamic programming; a character without a piece costs 10 more
// than the worst piece. Sums are float32 as in SentencePiece, so that ties are equal, unless the model has double_sums;
// versions of it differ in what they compare (rounds_before_comparing). Time: O(n log n) for BPE, O(n · longest piece)
// for unigram; merging proceeds word by word if no piece spans words.
#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/sentencepiece/model.h"
#include "text/sentencepiece/normalizer.h"
#include "text/token_trie.h"

namespace roformer {

class SentencePieceSegmenter {
 public:
  struct Cut {
    int32_t begin, end, id;  // bytes of the text
  };

  // Keeps references to both arguments.
  SentencePieceSegmenter(const SentencePieceModel& model, const SentencePieceNormalizer& normalizer);
  SentencePieceSegmenter(const SentencePieceSegmenter&) = delete;
  SentencePieceSegmenter& operator=(const SentencePieceSegmenter&) = delete;

  // `text` is valid UTF-8. Characters without a piece become their UTF-8 bytes, each as long as the character, if the
  // model has byte_fallback, else one model.unknown per run. DataError for 2^31 bytes or more.
  std::vector<Cut> cut(std::string_view text) const;

 private:
  class Merger;
  struct Merge {
    int32_t id = TokenTrie::kNone;  // of the merged piece
    float score = 0;
  };
  // The merge of two neighboring pieces, which together are `text`.
  Merge merged(std::string_view text, int32_t left, int32_t right) const;
  // These append to `cuts`.
  void merge(std::string_view text, std::vector<Cut>& cuts) const;
  void best_path(std::string_view text, std::vector<Cut>& cuts) const;
  void cut_part(std::string_view text, std::vector<Cut>& cuts) const;
  // Each character without a piece is model.unknown.
  std::vector<Cut> cut_known(std::string_view text) const;
  // The id of the ordinary piece equal to `text`, or kNone.
  int32_t find(std::string_view text) const {
    const auto match = trie_.longest(TokenTrie::kRoot, text);
    return match.length == text.size() ? match.token : TokenTrie::kNone;
  }

  const SentencePieceModel& model_;
  const SentencePieceNormalizer& normalizer_;
  TokenTrie trie_;                              // normal, user-defined and unused pieces
  std::unordered_map<uint64_t, Merge> merges_;  // of the model's list, by both ids; earlier ones score higher
  double unknown_score_ = 0;
  float best_score_ = 0;
  bool words_apart_ = true;  // no piece spans words, so merges stay within words
};

}  // namespace roformer
