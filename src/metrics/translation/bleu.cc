#include "metrics/translation/bleu.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <vector>

#include "base/utf8.h"
#include "metrics/translation/ngrams.h"
#include "metrics/translation/words.h"
#include "text/unicode.h"

namespace roformer {
namespace {

std::vector<uint32_t> bleu_tokens(std::string_view text, const BleuOptions& options, WordNumbers& numbers) {
  std::u32string letters = to_code_points(text);
  if (options.lowercase) letters = to_lower(letters);
  return numbers.of_words(separate_tokens(without_trailing_spaces(letters), options.tokenizer));
}

}  // namespace

void BleuStatistics::add(const BleuStatistics& other, int64_t times) {
  hypothesis_length += times * other.hypothesis_length;
  reference_length += times * other.reference_length;
  for (size_t n = 0; n < kBleuOrder; ++n) {
    matches[n] += times * other.matches[n];
    totals[n] += times * other.totals[n];
  }
}

BleuStatistics bleu_statistics(std::string_view hypothesis, std::span<const std::string_view> references,
                               const BleuOptions& options) {
  WordNumbers numbers;
  NgramCounter counter(kBleuOrder);
  const std::vector<uint32_t> tokens = bleu_tokens(hypothesis, options, numbers);
  const std::vector<int32_t> counts = counter.count(tokens);
  BleuStatistics result{.hypothesis_length = std::ssize(tokens), .reference_length = -1};
  std::vector<int32_t> most(counts.size());  // of each n-gram in one reference
  for (const std::string_view reference : references) {
    const std::vector<uint32_t> words = bleu_tokens(reference, options, numbers);
    const std::vector<int32_t> found = counter.count(words);
    for (size_t i = 0; i < most.size(); ++i) most[i] = std::max(most[i], found[i]);
    const auto distance = [&](int64_t length) { return std::abs(length - result.hypothesis_length); };
    const int64_t length = std::ssize(words), best = result.reference_length;
    const bool closer = best < 0 || distance(length) < distance(best);
    if (closer || (distance(length) == distance(best) && length < best)) result.reference_length = length;
  }
  std::ranges::copy(counter.matches(counts, most), result.matches.begin());
  for (int n = 0; n < kBleuOrder; ++n) result.totals[static_cast<size_t>(n)] = ngrams_in(tokens.size(), n + 1);
  return result;
}

BleuScore bleu_score(const BleuStatistics& sums) {
  const auto hypothesis = static_cast<double>(sums.hypothesis_length);
  const auto reference = static_cast<double>(sums.reference_length);
  BleuScore result;
  if (sums.reference_length > 0) result.ratio = hypothesis / reference;
  if (sums.hypothesis_length < sums.reference_length) {
    result.brevity_penalty = sums.hypothesis_length > 0 ? std::exp(1 - reference / hypothesis) : 0;
  }
  if (std::ranges::all_of(sums.matches, [](int64_t count) { return count == 0; })) return result;
  double smoothing = 1, logarithms = 0;
  for (size_t n = 0; n < kBleuOrder; ++n) {
    if (sums.totals[n] == 0) return result;  // no hypothesis is that long
    const auto total = static_cast<double>(sums.totals[n]);
    if (sums.matches[n] == 0) smoothing *= 2;
    result.precisions[n] =
        sums.matches[n] == 0 ? 100 / (smoothing * total) : 100 * static_cast<double>(sums.matches[n]) / total;
    logarithms += std::log(result.precisions[n]);
  }
  result.score = result.brevity_penalty * std::exp(logarithms / kBleuOrder);
  return result;
}

std::string bleu_parts(const BleuStatistics& sums) {
  const BleuScore score = bleu_score(sums);
  return fmt::format("{:.1f} (BP = {:.3f} ratio = {:.3f} hyp_len = {} ref_len = {})", fmt::join(score.precisions, "/"),
                     score.brevity_penalty, score.ratio, sums.hypothesis_length, sums.reference_length);
}

std::string bleu_signature(const BleuOptions& options, int64_t references) {
  return fmt::format("nrefs:{}|case:{}|eff:no|tok:{}|smooth:exp|version:{}", references,
                     options.lowercase ? "lc" : "mixed",
                     bleu_tokenizer_names().at(static_cast<size_t>(options.tokenizer)), kSacreBleuVersion);
}

}  // namespace roformer
