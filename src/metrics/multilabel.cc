#include "metrics/multilabel.h"

#include <string>
#include <utility>

#include "base/error.h"
#include "metrics/precision_recall.h"

namespace roformer {
namespace {

struct LabelCounts {
  int64_t matched = 0, predicted = 0, gold = 0;

  void add(const LabelCounts& other) {
    matched += other.matched;
    predicted += other.predicted;
    gold += other.gold;
  }
  PrecisionRecall score() const { return precision_recall(matched, predicted, gold); }
};

int64_t checked_rows(const LabelSets& gold, const LabelSets& predicted) {
  const auto labels = static_cast<size_t>(gold.labels);
  if (gold.labels < 1 || predicted.labels != gold.labels || gold.has.size() != predicted.has.size() ||
      gold.has.empty() || gold.has.size() % labels != 0) {
    throw ShapeError("{} gold entries of {} labels and {} predicted ones of {}", gold.has.size(), gold.labels,
                     predicted.has.size(), predicted.labels);
  }
  return static_cast<int64_t>(gold.has.size() / labels);
}

// In the order of the names, of the sample in which example i occurs times[i] times.
std::vector<double> scores_of_sample(const LabelSets& gold, const LabelSets& predicted,
                                     std::span<const int32_t> times) {
  const auto labels = static_cast<size_t>(gold.labels);
  std::vector<LabelCounts> by_label(labels);
  double samples_f1 = 0;
  int64_t exact = 0, all = 0;
  for (size_t i = 0; i < times.size(); ++i) {
    if (times[i] == 0) continue;
    LabelCounts of_example;
    for (size_t label = 0; label < labels; ++label) {
      const int64_t g = gold.has[i * labels + label] != 0, p = predicted.has[i * labels + label] != 0;
      of_example.add({g & p, p, g});
      by_label[label].add({(g & p) * times[i], p * times[i], g * times[i]});
    }
    const bool equal = of_example.matched == of_example.gold && of_example.matched == of_example.predicted;
    samples_f1 += of_example.score().f1 * times[i];
    exact += equal ? times[i] : 0;
    all += times[i];
  }
  LabelCounts together;
  double macro_f1 = 0;
  for (const LabelCounts& counts : by_label) {
    together.add(counts);
    macro_f1 += counts.score().f1;
  }
  const auto number = static_cast<double>(all);
  return {together.score().f1, macro_f1 / static_cast<double>(labels), samples_f1 / number,
          static_cast<double>(exact) / number};
}

}  // namespace

MetricSet multilabel_metrics(const LabelSets& gold, const LabelSets& predicted) {
  return {
      .examples = checked_rows(gold, predicted),
      .names = {"micro_f1", "macro_f1", "samples_f1", "exact_match"},
      .values = [gold, predicted](std::span<const int32_t> times) { return scores_of_sample(gold, predicted, times); }};
}

}  // namespace roformer
