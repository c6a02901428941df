#include "metrics/translation/corpus.h"

#include <memory>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace roformer {
namespace {

template <class Statistics>
Statistics weighted_sum(const std::vector<Statistics>& segments, std::span<const int32_t> times) {
  Statistics sum;
  for (size_t i = 0; i < times.size(); ++i) {
    if (times[i] > 0) sum.add(segments[i], times[i]);
  }
  return sum;
}

}  // namespace

BleuStatistics TranslationStatistics::bleu_sums() const {
  return weighted_sum(bleu, std::vector<int32_t>(bleu.size(), 1));
}

TranslationStatistics translation_statistics(std::span<const std::string> hypotheses,
                                             std::span<const std::vector<std::string>> references,
                                             const TranslationOptions& options, ThreadPool& pool,
                                             const std::stop_token& stop) {
  if (references.empty()) throw ShapeError("{} hypotheses without references", hypotheses.size());
  for (const std::vector<std::string>& one : references) {
    if (one.size() != hypotheses.size())
      throw ShapeError("{} references of {} hypotheses", one.size(), hypotheses.size());
  }
  TranslationStatistics result{.bleu = std::vector<BleuStatistics>(hypotheses.size()),
                               .chrf = std::vector<ChrfStatistics>(hypotheses.size()),
                               .ter = std::vector<TerStatistics>(hypotheses.size())};
  pool.run(std::ssize(hypotheses), [&](int64_t index) {
    if (stop.stop_requested()) throw Interrupted("interrupted");
    const auto i = static_cast<size_t>(index);
    std::vector<std::string_view> of_segment;
    for (const std::vector<std::string>& one : references) of_segment.push_back(one[i]);
    result.bleu[i] = bleu_statistics(hypotheses[i], of_segment, options.bleu);
    result.chrf[i] = chrf_statistics(hypotheses[i], of_segment, options.chrf);
    result.ter[i] = ter_statistics(hypotheses[i], of_segment);
  });
  return result;
}

MetricSet translation_metrics(TranslationStatistics statistics) {
  const auto segments = std::make_shared<const TranslationStatistics>(std::move(statistics));
  return {.examples = std::ssize(segments->bleu),
          .names = {"bleu", "chrf", "ter"},
          .values = [segments](std::span<const int32_t> times) -> std::vector<double> {
            return {bleu_score(weighted_sum(segments->bleu, times)).score,
                    chrf_score(weighted_sum(segments->chrf, times)), ter_score(weighted_sum(segments->ter, times))};
          }};
}

std::vector<TranslationMetricName> translation_metric_names(const TranslationOptions& options, int64_t references) {
  return {{"BLEU", bleu_signature(options.bleu, references)},
          {chrf_name(options.chrf), chrf_signature(options.chrf, references)},
          {"TER", ter_signature(references)}};
}

}  // namespace roformer
