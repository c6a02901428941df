// Learns a WordPiece or BPE vocabulary: start from characters, merge the most frequent adjacent pair, repeat. Queue
// entries may be stale and are checked when popped; each pair lists the words it occurs in, so a merge touches only
// those.
#pragma once

#include <array>
#include <cstdint>
#include <queue>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/learn/text_counts.h"
#include "text/wordpiece/word_pieces.h"

namespace roformer {

class WordPieceMerges {
 public:
  // Skips words with a character outside `alphabet`, which WordPiece never splits. `prefix` marks the pieces that do
  // not start a word; BPE has none.
  WordPieceMerges(const WordCounts& counts, std::span<const char32_t> alphabet,
                  std::string_view prefix = kContinuationPrefix);

  // Merges pairs until there are `size` pieces or no pair occurs `min_frequency` (at least 1) times.
  void grow(size_t size, int64_t min_frequency);

  // The count of the most frequent pair, which grow() would merge next; 0 if there are none.
  int64_t best_count();

  const std::vector<std::string>& pieces() const { return pieces_; }
  // The pairs of pieces that were merged, in order.
  const std::vector<std::array<int32_t, 2>>& merges() const { return merges_; }

 private:
  struct SpelledWord {
    std::vector<int32_t> pieces;
    int64_t count;
  };
  struct Pair {
    int64_t count = 0;
    std::vector<int32_t> words;  // indices; may repeat, may be stale
  };
  struct Candidate {
    int64_t count;
    uint64_t key;
    bool operator<(const Candidate& other) const {
      return count != other.count ? count < other.count : key > other.key;
    }
  };

  int32_t piece_id(const std::string& piece);
  void merge(uint64_t key);
  bool merge_in_word(SpelledWord& word, int32_t left, int32_t right, int32_t joined);

  size_t prefix_size_;
  std::vector<std::string> pieces_;
  std::vector<std::array<int32_t, 2>> merges_;
  std::unordered_map<std::string, int32_t> ids_;
  std::vector<SpelledWord> words_;
  std::unordered_map<uint64_t, Pair> pairs_;
  std::priority_queue<Candidate> queue_;
};

}  // namespace roformer
