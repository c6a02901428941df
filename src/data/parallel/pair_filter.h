// Which pairs of a parallel text to train on. What comes from the web has lines that are missing, not translated, in
// another language or doubled (Koehn et al. 2018); each kind is counted, so that nothing is left out unsaid.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/parallel/parallel_text.h"

namespace roformer {

struct PairFilterOptions {
  bool identical = true;   // leave out pairs whose sides are the same
  bool duplicates = true;  // the second of equal pairs
  bool scripts = true;     // lines mostly of a script that is rare on their side: of less than kRareScript of its lines
  double max_ratio = 0;    // pairs of which one side has more than so many times the tokens of the other; 0: none
  int64_t max_tokens = 0;  // pairs with a longer side; 0: none

  static constexpr double kRareScript = 0.05;
  static constexpr int64_t kRatioMargin = 8;  // tokens that the longer side may have besides
};

// How many pairs were left out, each for the first reason that holds.
struct PairCounts {
  int64_t read = 0, retained = 0;
  int64_t empty = 0, identical = 0, duplicates = 0, scripts = 0, too_long = 0, ratio = 0;

  // "29000 pairs: 12 left out (3 empty, 9 duplicates)".
  std::string describe() const;
};

// The numbers of the pairs to retain, ascending, by their text alone: not by `max_ratio` and `max_tokens`. Always
// leaves out pairs with an empty side.
std::vector<int64_t> filter_texts(const ParallelText& text, const PairFilterOptions& options, PairCounts& counts);

// Whether to retain a pair of so many tokens; counts it if not.
bool retains_lengths(int64_t source, int64_t target, const PairFilterOptions& options, PairCounts& counts);

}  // namespace roformer
