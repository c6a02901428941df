// chrF (Popović, WMT 2015) and chrF++ (2017) of whole test sets, as sacreBLEU defines them.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace roformer {

inline constexpr int kChrfCharacterOrder = 6;

struct ChrfOptions {
  int word_order = 0;  // 2: chrF++; 0 to 255
  bool lowercase = false;
};

// Of one segment, or sums over segments: n-grams in the hypothesis, in the reference, and in both, of 1, 2, …
// kChrfCharacterOrder characters, then of 1, 2, … words. Of several references it is the one with the best F score.
struct ChrfStatistics {
  struct Counts {
    int64_t hypothesis = 0, reference = 0, matches = 0;
    bool operator==(const Counts&) const = default;
  };
  std::vector<Counts> orders{};  // empty: all zero

  void add(const ChrfStatistics& other, int64_t times = 1);
};

// Of a hypothesis and its references, at least one; all valid UTF-8.
ChrfStatistics chrf_statistics(std::string_view hypothesis, std::span<const std::string_view> references,
                               const ChrfOptions& options);

// The F score with beta 2 of mean precision and recall over the orders that both sides have; 0 to 100.
double chrf_score(const ChrfStatistics& sums);

std::string chrf_name(const ChrfOptions& options);  // "chrF2", "chrF2++"

// "nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:2.6.0".
std::string chrf_signature(const ChrfOptions& options, int64_t references);

}  // namespace roformer
