// Cuts normalized text into the pieces of a SentencePiece model.
//
// BPE (Sennrich et al. 2016, as SentencePiece has it): characters, then again and again the neighbors that make the
// piece of the highest score, the leftmost among equals; or, where a model lists merges, those that come first. Unigram
// (Kudo 2018): the pieces with the highest sum of scores, by dynamic programming; a character without a piece costs 10
// more than the worst piece. Sums are float32 as there, so that equal paths tie alike, unless the model says double.
// Time grows as n log n and n times the longest piece; merging is done word by word where the pieces allow it.
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

  // Points to both, so it cannot be copied.
  SentencePieceSegmenter(const SentencePieceModel& model, const SentencePieceNormalizer& normalizer);
  SentencePieceSegmenter(const SentencePieceSegmenter&) = delete;
  SentencePieceSegmenter& operator=(const SentencePieceSegmenter&) = delete;

  // `text` is valid UTF-8 of less than 2^31 bytes. What has no piece is model.unknown, a character each.
  std::vector<Cut> cut(std::string_view text) const;

 private:
  class Merger;
  struct Merge {
    int32_t id = TokenTrie::kNone;  // of the piece that two make
    float score = 0;
  };
  // What two neighbors, of these ids, make of `text`.
  Merge merged(std::string_view text, int32_t left, int32_t right) const;
  // Both append.
  void merge(std::string_view text, std::vector<Cut>& cuts) const;
  void best_path(std::string_view text, std::vector<Cut>& cuts) const;
  void cut_part(std::string_view text, std::vector<Cut>& cuts) const;
  // The id of the piece that `text` is, of those that text can become; or kNone.
  int32_t find(std::string_view text) const {
    const auto match = trie_.longest(TokenTrie::kRoot, text);
    return match.length == text.size() ? match.token : TokenTrie::kNone;
  }

  const SentencePieceModel& model_;
  const SentencePieceNormalizer& normalizer_;
  TokenTrie trie_;                              // normal, user-defined and unused pieces
  std::unordered_map<uint64_t, Merge> merges_;  // of the model's list, by the two ids; earlier ones score higher
  double unknown_score_ = 0;
  float best_score_ = 0;
  bool words_apart_ = true;  // no piece goes on after a space within it: merges stay within words
};

}  // namespace roformer
