// Translation edit rate (Snover et al., AMTA 2006) as sacreBLEU and Tercom compute it: words are inserted, deleted,
// exchanged, and blocks of them moved, each for one edit; case is ignored.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace roformer {

// Of one segment, or sums over segments.
struct TerStatistics {
  int64_t edits = 0;            // to the nearest reference
  double reference_length = 0;  // words, the mean of the references

  void add(const TerStatistics& other, int64_t times = 1);
};

// Of a hypothesis and its references, at least one; all valid UTF-8.
TerStatistics ter_statistics(std::string_view hypothesis, std::span<const std::string_view> references);

// Edits for each 100 words of the references, 0 upwards; 100 of words for empty references.
double ter_score(const TerStatistics& sums);

// "nrefs:1|case:lc|tok:tercom|norm:no|punct:yes|asian:no|version:2.6.0".
std::string ter_signature(int64_t references);

// The fewest edits that Tercom's search finds from words to other words; moves are chosen greedily, so that it is no
// minimum.
int64_t ter_edits(std::span<const uint32_t> hypothesis, std::span<const uint32_t> reference);

}  // namespace roformer
