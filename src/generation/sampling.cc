#include "generation/sampling.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "base/error.h"
#include "base/random.h"

namespace roformer {

namespace {

struct Entry {
  double score;
  int32_t id;
};

// Retains the k largest, including ties with the smallest.
void apply_top_k(std::vector<Entry>& entries, int64_t k) {
  if (k <= 0 || k >= std::ssize(entries)) return;
  std::vector<double> logits;
  logits.reserve(entries.size());
  for (const Entry& entry : entries) logits.push_back(entry.score);
  std::nth_element(logits.begin(), logits.begin() + (k - 1), logits.end(), std::greater<>());
  const double least = logits[static_cast<size_t>(k - 1)];
  std::erase_if(entries, [&](const Entry& entry) { return entry.score < least; });
}

// Replaces logits, of which the largest is 0, by their exponentials. Returns their sum.
double to_weights(std::vector<Entry>& entries) {
  double sum = 0;
  for (Entry& entry : entries) sum += entry.score = std::exp(entry.score);
  return sum;
}

// Retains the most probable tokens until their share reaches p.
void apply_top_p(std::vector<Entry>& weights, double sum, double p) {
  if (p >= 1) return;
  const auto less = [](const Entry& a, const Entry& b) { return a.score != b.score ? a.score < b.score : a.id > b.id; };
  std::make_heap(weights.begin(), weights.end(), less);
  std::vector<Entry> nucleus;
  for (double before = 0; !weights.empty() && (nucleus.empty() || before < p * sum);) {
    std::pop_heap(weights.begin(), weights.end(), less);
    nucleus.push_back(weights.back());
    before += weights.back().score;
    weights.pop_back();
  }
  weights = std::move(nucleus);
}

void check(bool good, const char* name, double value, const char* expected) {
  if (!good) throw UsageError("{} is {}, expected {}", FieldName(name), value, expected);
}

}  // namespace

void validate(const SamplingOptions& options) {
  check(options.temperature >= 0 && std::isfinite(options.temperature), "temperature", options.temperature,
        "0 or more");
  check(options.top_k >= 0, "top_k", static_cast<double>(options.top_k), "0 or more");
  check(options.top_p > 0 && options.top_p <= 1, "top_p", options.top_p, "more than 0, at most 1");
  check(options.min_p >= 0 && options.min_p <= 1, "min_p", options.min_p, "0 to 1");
  check(options.repetition_penalty > 0 && std::isfinite(options.repetition_penalty), "repetition_penalty",
        options.repetition_penalty, "more than 0");
}

void penalize_repetition(std::span<double> logits, std::span<const int32_t> seen, double penalty) {
  if (penalty == 1) return;
  std::vector<int32_t> once(seen.begin(), seen.end());
  std::sort(once.begin(), once.end());
  once.erase(std::unique(once.begin(), once.end()), once.end());
  for (const int32_t id : once) {
    if (id < 0 || id >= std::ssize(logits)) continue;
    double& score = logits[static_cast<size_t>(id)];
    if (!std::isfinite(score)) continue;
    // Finite for any penalty.
    score = std::clamp(score < 0 ? score * penalty : score / penalty, std::numeric_limits<double>::lowest(),
                       std::numeric_limits<double>::max());
  }
}

int32_t best_token(std::span<const double> logits) {
  return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

void normalize_logs(std::span<double> logits) {
  double largest = -std::numeric_limits<double>::infinity(), sum = 0;
  for (const double score : logits) largest = std::max(largest, score);
  for (const double score : logits) sum += std::exp(score - largest);
  const double shift = largest + std::log(sum);
  for (double& score : logits) score -= shift;
}

int32_t TokenDistribution::at(double uniform) const {
  double sum = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    sum += probabilities[i];
    if (uniform < sum) return ids[i];
  }
  return ids.back();  // rounding left the sum below 1
}

TokenDistribution distribution(std::span<const double> logits, const SamplingOptions& options) {
  std::vector<Entry> entries;
  const double largest = *std::max_element(logits.begin(), logits.end());
  for (size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] == -std::numeric_limits<double>::infinity()) continue;
    // Differences, because logits / temperature may overflow.
    entries.push_back({(logits[i] - largest) / options.temperature, static_cast<int32_t>(i)});
  }
  apply_top_k(entries, options.top_k);
  const double sum = to_weights(entries);
  apply_top_p(entries, sum, options.top_p);
  // The largest weight is 1.
  std::erase_if(entries, [&](const Entry& entry) { return entry.score == 0 || entry.score < options.min_p; });
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.id < b.id; });
  double total = 0;
  for (const Entry& entry : entries) total += entry.score;
  TokenDistribution result;
  for (const Entry& entry : entries) {
    result.ids.push_back(entry.id);
    result.probabilities.push_back(entry.score / total);
  }
  return result;
}

double sampling_number(uint64_t seed, uint64_t sequence, uint64_t step) {
  return Generator(substream(substream({seed, 0}, sequence), step)).uniform();
}

}  // namespace roformer
