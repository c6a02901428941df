// One row of logits: what may come next, and how probable it is. Excluded tokens are −∞.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "generation/sampling.h"
#include "generation/search.h"
#include "tensor/tensor.h"

namespace roformer {

// ln Σ exp of a row.
template <class Real>
double log_sum_exp(std::span<const Real> row) {
  const Real highest = *std::ranges::max_element(row);
  double sum = 0;
  for (const Real x : row) sum += static_cast<double>(std::exp(x - highest));
  return static_cast<double>(highest) + std::log(sum);
}

template <class Real>
class LogitRow {
 public:
  // Changes `values`, which must outlive it, and of which `log_sum` is ln Σ exp.
  LogitRow(std::span<Real> values, double log_sum) : values_(values), log_sum_(log_sum) {}

  bool is_finite() const { return std::isfinite(log_sum_); }

  // Neither changes the probabilities of the others, unless renormalize() does.
  void forbid(std::span<const int32_t> ids) {
    for (const int32_t id : ids) values_[static_cast<size_t>(id)] = kNever;
  }
  void allow_only(std::span<const int32_t> ids) {
    std::vector<Real> kept;
    for (const int32_t id : ids) kept.push_back(values_[static_cast<size_t>(id)]);
    std::ranges::fill(values_, kNever);
    for (size_t i = 0; i < ids.size(); ++i) values_[static_cast<size_t>(ids[i])] = kept[i];
  }
  void renormalize() { log_sum_ = log_sum_exp(std::span<const Real>(values_)); }

  // The best `count`, best first, ties by id.
  std::vector<NextToken> best(size_t count) const {
    std::vector<std::pair<Real, int32_t>> best;  // a heap with the worst in front
    const auto before = [](const std::pair<Real, int32_t>& a, const std::pair<Real, int32_t>& b) {
      return a.first != b.first ? a.first > b.first : a.second < b.second;
    };
    for (size_t begin = 0; begin < values_.size(); begin += kBlock) {
      const auto block = values_.subspan(begin, std::min(kBlock, values_.size() - begin));
      const Real least = best.size() == count && count > 0 ? best.front().first : kNever;
      if (block.size() == kBlock && !any_above(block.data(), least)) continue;
      for (size_t i = begin; i < begin + block.size(); ++i) {
        if (values_[i] == kNever || (best.size() == count && !(values_[i] > best.front().first))) continue;
        if (best.size() == count) {
          std::ranges::pop_heap(best, before);
          best.pop_back();
        }
        best.emplace_back(values_[i], static_cast<int32_t>(i));
        std::ranges::push_heap(best, before);
      }
    }
    std::ranges::sort(best, before);
    std::vector<NextToken> tokens;
    tokens.reserve(best.size());
    for (const auto& [logit, id] : best) tokens.push_back({id, static_cast<double>(logit) - log_sum_});
    return tokens;
  }

  // The tokens that random numbers in [0, 1) choose, with the probabilities that they have without `sampling`; none if
  // all are excluded.
  std::vector<NextToken> draw(std::span<const double> numbers, const SamplingOptions& sampling) const {
    if (*std::ranges::max_element(values_) == kNever) return {};
    const std::vector<double> logits(values_.begin(), values_.end());
    const bool greedy = sampling.greedy || sampling.temperature == 0;
    const TokenDistribution chances = greedy ? TokenDistribution{} : distribution(logits, sampling);
    std::vector<NextToken> tokens;
    for (const double number : numbers) {
      const int32_t id = greedy ? best_token(logits) : chances.at(number);
      tokens.push_back({id, logits[static_cast<size_t>(id)] - log_sum_});
    }
    return tokens;
  }

 private:
  static constexpr size_t kBlock = 64;  // most blocks have nothing better than what was found
  static bool any_above(const Real* block, Real least) {
    int any = 0;  // of a constant number of comparisons, which compilers vectorize
    for (size_t i = 0; i < kBlock; ++i) any |= block[i] > least ? 1 : 0;
    return any != 0;
  }
  static constexpr Real kNever = -std::numeric_limits<Real>::infinity();
  std::span<Real> values_;
  double log_sum_;
};

// use(std::span<Real>) for a row of a host tensor of float32 or float64.
template <class Use>
auto with_row(const Tensor& x, int64_t row, const Use& use) {
  const auto columns = static_cast<size_t>(x.columns());
  return x.dtype() == DType::float64 ? use(std::span<double>(x.row<double>(row), columns))
                                     : use(std::span<float>(x.row<float>(row), columns));
}

}  // namespace roformer
