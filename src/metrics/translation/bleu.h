// BLEU (Papineni et al., ACL 2002) of whole test sets, as sacreBLEU (Post, WMT 2018) defines it.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "metrics/translation/bleu_tokenizers.h"

namespace roformer {

struct BleuOptions {
  BleuTokenizer tokenizer = BleuTokenizer::mteval13a;
  bool lowercase = false;
};

inline constexpr int kBleuOrder = 4;

// Of one segment, or sums over segments.
struct BleuStatistics {
  int64_t hypothesis_length = 0, reference_length = 0;  // tokens; of the reference that is closest in length
  std::array<int64_t, kBleuOrder> matches{}, totals{};  // n-grams of the hypothesis in a reference, and all, by n

  void add(const BleuStatistics& other, int64_t times = 1);
  bool operator==(const BleuStatistics&) const = default;
};

// Of a hypothesis and its references, at least one; all valid UTF-8.
BleuStatistics bleu_statistics(std::string_view hypothesis, std::span<const std::string_view> references,
                               const BleuOptions& options);

struct BleuScore {
  double score = 0;  // 0 to 100
  std::array<double, kBleuOrder>
      precisions{};  // 0 to 100; that of n-grams that never match smoothed by halving ("exp")
  double brevity_penalty = 1;
  double ratio = 0;  // of the lengths; 0 of empty references
};
BleuScore bleu_score(const BleuStatistics& sums);

// "66.7/42.0/28.4/19.3 (BP = 0.987 ratio = 0.987 hyp_len = 11962 ref_len = 12121)".
std::string bleu_parts(const BleuStatistics& sums);

// "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0".
std::string bleu_signature(const BleuOptions& options, int64_t references);

}  // namespace roformer
