// Counting n-grams of the texts of one segment.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace roformer {

// Numbers the n-grams of all texts it has counted, so that counts of two texts are compared by index.
class NgramCounter {
 public:
  explicit NgramCounter(int longest) : longest_(longest) {}

  // How often each n-gram of 1 to `longest` symbols occurs, by its number; those behind the end do not.
  std::vector<int32_t> count(std::span<const uint32_t> symbols);

  // By length (that of single symbols first): how many of the n-grams in `counts` are in `others`, each at most as
  // often as there.
  std::vector<int64_t> matches(std::span<const int32_t> counts, std::span<const int32_t> others) const;

 private:
  int longest_;
  std::unordered_map<uint64_t, uint32_t> numbers_;  // of (1 + number of all but the last symbol, last symbol)
  std::vector<uint8_t> lengths_;                    // by number, less 1
};

// How many n-grams of `length` symbols a text of `symbols` symbols has.
inline int64_t ngrams_in(size_t symbols, int length) {
  return symbols < static_cast<size_t>(length) ? 0 : static_cast<int64_t>(symbols) - length + 1;
}

}  // namespace roformer
