// Odd segments with sacreBLEU 2.6.0's statistics and scores: tools/oracle_translation_metrics.py --cases.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/translation/bleu.h"
#include "metrics/translation/chrf.h"

namespace roformer::test {

struct SegmentCase {
  std::string hypothesis;
  std::vector<std::string> references;
  // Lengths of hypothesis and reference, matches, totals: with each tokenizer, then with the first and lower case.
  std::vector<std::vector<int64_t>> bleu;
  std::vector<double> chrf;  // with n-grams of up to 0, 1 and 2 words; the second in lower case
  int64_t edits;
  double reference_length;
};

inline const std::vector<SegmentCase>& segment_cases() {
  // clang-format off
  static const std::vector<SegmentCase> cases = {
#include "tests/metrics/translation/segment_cases.inc"
  };
  // clang-format on
  return cases;
}

inline std::vector<std::string_view> references_of(const SegmentCase& one) {
  return {one.references.begin(), one.references.end()};
}

}  // namespace roformer::test
