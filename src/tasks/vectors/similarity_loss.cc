#include "tasks/vectors/similarity_loss.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace roformer {

namespace {

constexpr int64_t kQueryBlock = 64, kCandidateBlock = 128;  // of a block
constexpr double kNothing = -std::numeric_limits<double>::infinity();

int64_t cut_width(const VectorMatrix& vectors, int64_t dimensions) {
  return dimensions == 0 ? vectors.width : std::min(dimensions, vectors.width);
}

// log Σ exp(x) of values that come one after the other.
struct LogSum {
  double largest = kNothing, sum = 0;

  void add(double x) {
    if (x == kNothing) return;
    if (x > largest) {
      sum = sum * std::exp(largest - x) + 1;
      largest = x;
    } else {
      sum += std::exp(x - largest);
    }
  }
  double value() const { return largest == kNothing ? kNothing : largest + std::log(sum); }
};

class Contrast {
 public:
  Contrast(const VectorMatrix& vectors, const ContrastiveRows& rows, const ContrastiveOptions& options,
           ThreadPool& pool)
      : rows_(rows),
        options_(options),
        pool_(pool),
        unit_(vectors, cut_width(vectors, options.dimensions)),
        queries_(unit_.select(rows.queries)),
        candidates_(unit_.select(rows.candidates)),
        block_(kQueryBlock, candidates_.rows) {}

  LossSum run(VectorMatrix* gradient) {
    if (options_.symmetric) sum_columns();
    VectorMatrix by_queries, by_candidates;
    if (gradient != nullptr) {
      by_queries = VectorMatrix(queries_.rows, queries_.width);
      by_candidates = VectorMatrix(candidates_.rows, candidates_.width);
    }
    std::vector<LossSum> losses(static_cast<size_t>(queries_.rows));
    for (int64_t begin = 0; begin < queries_.rows; begin += kQueryBlock) {
      const int64_t count = compute_block(begin);
      pool_.run(count, [&](int64_t i) {
        losses[static_cast<size_t>(begin + i)] = turn_into_gradient(begin + i, block_.row(i));
        if (gradient == nullptr) return;
        add_weighted_rows(block_.row(i), 1, candidates_.row(0), candidates_.rows, candidates_.width,
                          by_queries.row(begin + i));
      });
      if (gradient == nullptr) continue;
      for_chunks(pool_, candidates_.rows, kCandidateBlock, [&](int64_t first, int64_t end) {
        for (int64_t c = first; c < end; ++c) {
          add_weighted_rows(block_.row(0) + c, candidates_.rows, queries_.row(begin), count, queries_.width,
                            by_candidates.row(c));
        }
      });
    }
    if (gradient != nullptr) {
      for (int64_t i = 0; i < queries_.rows; ++i) {
        unit_.add_gradient(rows_.queries[static_cast<size_t>(i)], by_queries.row(i), *gradient);
      }
      for (int64_t c = 0; c < candidates_.rows; ++c) {
        unit_.add_gradient(rows_.candidates[static_cast<size_t>(c)], by_candidates.row(c), *gradient);
      }
    }
    LossSum sum;
    for (const LossSum& loss : losses) {
      sum.sum += loss.sum;
      sum.correct += loss.correct;
    }
    return sum;
  }

 private:
  // The scaled cosines of queries begin … with all candidates; returns how many queries.
  int64_t compute_block(int64_t begin) {
    const int64_t count = std::min(kQueryBlock, queries_.rows - begin);
    for_chunks(pool_, candidates_.rows, kCandidateBlock, [&](int64_t first, int64_t end) {
      row_products(queries_.row(begin), count, candidates_.row(first), end - first, queries_.width,
                   block_.row(0) + first, candidates_.rows);
    });
    pool_.run(count, [&](int64_t i) {
      double* scores = block_.row(i);
      for (int64_t c = 0; c < candidates_.rows; ++c) scores[c] *= options_.scale;
      for (const int32_t c : rows_.left_out[static_cast<size_t>(begin + i)]) scores[c] = kNothing;
    });
    return count;
  }

  void sum_columns() {
    std::vector<LogSum> sums(rows_.queries.size());
    for (int64_t begin = 0; begin < queries_.rows; begin += kQueryBlock) {
      const int64_t count = compute_block(begin);
      for_chunks(pool_, queries_.rows, kCandidateBlock, [&](int64_t first, int64_t end) {
        for (int64_t i = 0; i < count; ++i) {
          for (int64_t c = first; c < end; ++c) sums[static_cast<size_t>(c)].add(block_.row(i)[c]);
        }
      });
    }
    for (const LogSum& sum : sums) column_sums_.push_back(sum.value());
  }

  // The loss of a query; its scores become the gradient by its cosines.
  LossSum turn_into_gradient(int64_t query, double* scores) const {
    const double share = options_.symmetric ? 0.5 : 1, right = scores[query];
    LogSum all;
    LossSum loss{.sum = 0, .correct = 1};
    for (int64_t c = 0; c < candidates_.rows; ++c) {
      all.add(scores[c]);
      if (c < query ? scores[c] >= right : scores[c] > right) loss.correct = 0;
    }
    const double log_sum = all.value();
    loss.sum = share * (log_sum - right);
    if (options_.symmetric) loss.sum += share * (column_sums_[static_cast<size_t>(query)] - right);
    for (int64_t c = 0; c < candidates_.rows; ++c) {
      double gradient = std::exp(scores[c] - log_sum);
      if (options_.symmetric && c < queries_.rows) {
        gradient += std::exp(scores[c] - column_sums_[static_cast<size_t>(c)]);
      }
      if (c == query) gradient -= options_.symmetric ? 2 : 1;
      scores[c] = share * options_.scale * gradient;
    }
    return loss;
  }

  const ContrastiveRows& rows_;
  const ContrastiveOptions& options_;
  ThreadPool& pool_;
  UnitVectors unit_;
  VectorMatrix queries_, candidates_, block_;
  std::vector<double> column_sums_;  // of each candidate of a query, over the queries
};

// The cosines of pairs, and what a gradient by them means.
class PairCosines {
 public:
  PairCosines(const VectorMatrix& vectors, const ScoredPairs& pairs, int64_t dimensions)
      : pairs_(pairs), unit_(vectors, cut_width(vectors, dimensions)) {
    for (size_t i = 0; i < pairs.scores.size(); ++i) {
      double cosine = 0;
      row_products(unit_.rows().row(pairs.first[i]), 1, unit_.rows().row(pairs.second[i]), 1, unit_.rows().width,
                   &cosine, 1);
      values.push_back(cosine);
    }
  }

  void add_gradient(size_t pair, double by_cosine, VectorMatrix& gradient) const {
    std::vector<double> by_unit(static_cast<size_t>(unit_.rows().width));
    for (const auto& [row, other] :
         {std::pair(pairs_.first[pair], pairs_.second[pair]), std::pair(pairs_.second[pair], pairs_.first[pair])}) {
      const double* from = unit_.rows().row(other);
      std::transform(from, from + unit_.rows().width, by_unit.begin(), [&](double x) { return by_cosine * x; });
      unit_.add_gradient(row, by_unit.data(), gradient);
    }
  }

  std::vector<double> values;

 private:
  const ScoredPairs& pairs_;
  UnitVectors unit_;
};

}  // namespace

LossSum contrastive_loss(const VectorMatrix& vectors, const ContrastiveRows& rows, const ContrastiveOptions& options,
                         ThreadPool& pool, VectorMatrix* gradient) {
  return Contrast(vectors, rows, options, pool).run(gradient);
}

// The sum over i and j is one over i of products with prefix sums, in the order of the scores.
LossSum cosent_loss(const VectorMatrix& vectors, const ScoredPairs& pairs, double scale, int64_t dimensions,
                    VectorMatrix* gradient) {
  const PairCosines cosines(vectors, pairs, dimensions);
  const size_t count = pairs.scores.size();
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, {}, [&](size_t i) { return pairs.scores[i]; });
  // Of each pair: log Σ exp(x_j) over those with lower scores, and log Σ exp(−x_i) over those with higher ones.
  std::vector<double> lower(count), higher(count);
  const auto accumulate_groups = [&](auto begin, auto end, double sign, std::vector<double>& sums) {
    LogSum sum;
    for (auto group = begin; group != end;) {
      const double score = pairs.scores[*group];
      auto next = group;
      for (; next != end && pairs.scores[*next] == score; ++next) sums[*next] = sum.value();
      for (; group != next; ++group) sum.add(sign * scale * cosines.values[*group]);
    }
  };
  accumulate_groups(order.begin(), order.end(), 1.0, lower);
  accumulate_groups(order.rbegin(), order.rend(), -1.0, higher);
  LogSum total;
  total.add(0);
  for (const size_t i : order) total.add(lower[i] - scale * cosines.values[i]);
  const double loss = total.value(), factor = static_cast<double>(count) * scale;
  for (size_t i = 0; gradient != nullptr && i < count; ++i) {
    const double x = scale * cosines.values[i];
    cosines.add_gradient(i, factor * (std::exp(x + higher[i] - loss) - std::exp(lower[i] - x - loss)), *gradient);
  }
  return {.sum = static_cast<double>(count) * loss, .correct = 0};
}

LossSum cosine_loss(const VectorMatrix& vectors, const ScoredPairs& pairs, double low, double high, int64_t dimensions,
                    VectorMatrix* gradient) {
  const PairCosines cosines(vectors, pairs, dimensions);
  LossSum loss;
  for (size_t i = 0; i < pairs.scores.size(); ++i) {
    const double difference = cosines.values[i] - (pairs.scores[i] - low) / (high - low);
    loss.sum += difference * difference;
    if (gradient != nullptr) cosines.add_gradient(i, 2 * difference, *gradient);
  }
  return loss;
}

LossSum sum_over_sizes(std::span<const VectorSize> sizes, VectorMatrix* gradient,
                       const std::function<LossSum(int64_t dimensions, VectorMatrix* gradient)>& loss) {
  LossSum sum;
  for (const VectorSize& size : sizes) {
    VectorMatrix part;
    if (gradient != nullptr) part = VectorMatrix(gradient->rows, gradient->width);
    const LossSum one = loss(size.dimensions, gradient == nullptr ? nullptr : &part);
    if (&size == sizes.data()) sum.correct = one.correct;
    sum.sum += size.weight * one.sum;
    for (size_t i = 0; i < part.values.size(); ++i) gradient->values[i] += size.weight * part.values[i];
  }
  return sum;
}

}  // namespace roformer
