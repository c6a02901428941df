// Levenshtein's distance of words near the diagonal of its matrix, as TER needs it: many hypotheses that differ from
// one by a moved block, against one reference.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace roformer {

// What was done to words on the shortest way from the hypothesis to the reference.
struct WordAlignment {
  std::vector<int64_t> hypothesis_of;                        // by word of the reference; -1: before the first one
  std::vector<uint8_t> hypothesis_wrong, reference_wrong{};  // by word: deleted, inserted or exchanged
};

// Memory grows with the sum of the lengths, not their product.
class BeamEditDistance {
 public:
  // Of hypotheses of `length` words. The reference must live as long.
  BeamEditDistance(std::span<const uint32_t> reference, size_t length);

  // Sets the hypothesis that others are near to; gives its distance.
  int64_t set(std::span<const uint32_t> hypothesis);
  // The distance of another one, which begins with `same` words of that one. More than `limit` may be given as any
  // number beyond it.
  int64_t of_neighbor(std::span<const uint32_t> hypothesis, size_t same, int64_t limit);
  // Of the one that was set. Of equally short ways the one that, seen from the end, exchanges or keeps words before it
  // deletes, and deletes before it inserts.
  WordAlignment alignment() const;

 private:
  // Cells of row i: columns [begin, end), at cells_[offset].
  struct Band {
    size_t begin = 0, end = 0, offset = 0;
  };
  void next_row(size_t row, uint32_t word);
  void load_row(size_t row);
  int32_t cell(size_t row, size_t column) const;

  std::span<const uint32_t> reference_;
  std::vector<uint32_t> hypothesis_;
  std::vector<Band> bands_;            // by row, that is by words of the hypothesis
  std::vector<int32_t> cells_;         // of the hypothesis that was set
  std::vector<int32_t> before_, row_;  // two rows by column, the second one the last computed
};

}  // namespace roformer
