// Translations of a test set beside its references: BLEU, chrF and TER with intervals, and two systems compared.
#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/parallel.h"
#include "metrics/bootstrap.h"
#include "metrics/translation/bleu.h"
#include "metrics/translation/chrf.h"
#include "metrics/translation/ter.h"

namespace roformer {

struct TranslationOptions {
  BleuOptions bleu{};
  ChrfOptions chrf{};
};

// By segment. What sums of these give is the score of the test set, so that a resample needs no text.
struct TranslationStatistics {
  std::vector<BleuStatistics> bleu;
  std::vector<ChrfStatistics> chrf;
  std::vector<TerStatistics> ter;

  BleuStatistics bleu_sums() const;
};

// references[r][i] is the r-th reference of hypothesis i; there is at least one r. All texts are valid UTF-8; an empty
// one is an empty segment. ShapeError for other numbers of texts, Interrupted if a stop was requested.
TranslationStatistics translation_statistics(std::span<const std::string> hypotheses,
                                             std::span<const std::vector<std::string>> references,
                                             const TranslationOptions& options, ThreadPool& pool,
                                             const std::stop_token& stop = {});

// "bleu", "chrf" and "ter", 0 to 100 (TER may be more).
MetricSet translation_metrics(TranslationStatistics statistics);

// How a paper names a metric of translation_metrics(), and how it was computed.
struct TranslationMetricName {
  std::string name;       // "chrF2++"
  std::string signature;  // as sacreBLEU prints it
};
// In the order of translation_metrics().
std::vector<TranslationMetricName> translation_metric_names(const TranslationOptions& options, int64_t references);

// sacreBLEU's: 1000 resamples, its seed (of other random numbers), its p value.
inline constexpr BootstrapOptions kTranslationBootstrap = {.seed = 12345, .p = PValue::centered};

}  // namespace roformer
