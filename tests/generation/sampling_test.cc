// Sampling against straightforward definitions, and beam search against exhaustive search.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "generation/beam_search.h"
#include "generation/sampling.h"

namespace roformer {
namespace {

using ::testing::DoubleEq;
using ::testing::ElementsAre;

constexpr double kNever = -std::numeric_limits<double>::infinity();

std::vector<double> softmax(const std::vector<double>& scores) {
  double sum = 0;
  for (const double score : scores) sum += std::exp(score);
  std::vector<double> result;
  for (const double score : scores) result.push_back(std::exp(score) / sum);
  return result;
}

// transformers' processors, each on all logits, −∞ for excluded tokens.
std::vector<double> written_out(std::vector<double> scores, const SamplingOptions& options) {
  for (double& score : scores) score /= options.temperature;
  if (options.top_k > 0) {
    std::vector<double> sorted = scores;
    std::sort(sorted.rbegin(), sorted.rend());
    const double least = sorted[std::min(sorted.size(), static_cast<size_t>(options.top_k)) - 1];
    for (double& score : scores) score = score < least ? kNever : score;
  }
  // Ascending: tokens with a cumulative probability of at most 1 − p are excluded.
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return scores[a] < scores[b]; });
  const std::vector<double> p = softmax(scores);
  double cumulative = 0;
  for (size_t i = 0; i + 1 < order.size(); ++i) {
    cumulative += p[order[i]];
    if (cumulative <= 1 - options.top_p) scores[order[i]] = kNever;
  }
  const std::vector<double> rest = softmax(scores);
  const double most = *std::max_element(rest.begin(), rest.end());
  for (size_t i = 0; i < scores.size(); ++i) {
    if (rest[i] < options.min_p * most) scores[i] = kNever;
  }
  return softmax(scores);
}

std::vector<double> full(const TokenDistribution& tokens, size_t count) {
  std::vector<double> all(count);
  for (size_t i = 0; i < tokens.ids.size(); ++i) all[static_cast<size_t>(tokens.ids[i])] = tokens.probabilities[i];
  return all;
}

TEST(Sampling, IsTransformersDefinitions) {
  Generator generator({1, 0});
  for (const double temperature : {1.0, 0.3, 2.5}) {
    for (const int64_t top_k : {0, 1, 5, 100}) {
      for (const double top_p : {1.0, 0.9, 0.5, 0.01}) {
        for (const double min_p : {0.0, 0.1, 0.7}) {
          std::vector<double> scores(37);
          for (double& score : scores) score = 2 * generator.normal();
          scores[3] = kNever;
          const SamplingOptions options{.temperature = temperature, .top_k = top_k, .top_p = top_p, .min_p = min_p};
          const auto expected = written_out(scores, options), actual = full(distribution(scores, options), 37);
          for (size_t i = 0; i < scores.size(); ++i) {
            EXPECT_NEAR(actual[i], expected[i], 1e-12)
                << i << " T " << temperature << " k " << top_k << " p " << top_p << " min " << min_p;
          }
        }
      }
    }
  }
}

TEST(Sampling, PenalizesEachTokenOnce) {
  std::vector<double> scores{2, -1, 0, 3};
  penalize_repetition(scores, std::vector<int32_t>{0, 1, 0, 7}, 2);
  EXPECT_THAT(scores, ElementsAre(DoubleEq(1), DoubleEq(-2), DoubleEq(0), DoubleEq(3)));
}

// The quotients overflow.
TEST(Sampling, ATemperatureNearZeroIsGreedy) {
  for (const double temperature : {std::numeric_limits<double>::denorm_min(), 1e-300, 1e-3}) {
    for (const std::vector<double>& scores :
         {std::vector<double>{1, 3, kNever, 2}, {-5, -1, -2, kNever}, {-1e38, 1e38, 0, 1e37}}) {
      for (const int64_t top_k : {0, 2}) {
        const SamplingOptions options{.temperature = temperature, .top_k = top_k, .top_p = 0.9, .min_p = 0.1};
        const TokenDistribution tokens = distribution(scores, options);
        EXPECT_THAT(tokens.ids, ElementsAre(1)) << temperature;
        EXPECT_THAT(tokens.probabilities, ElementsAre(1)) << temperature;
      }
    }
  }
}

TEST(Sampling, AnyPenaltyLeavesFiniteScores) {
  for (const double penalty : {std::numeric_limits<double>::denorm_min(), std::numeric_limits<double>::max()}) {
    std::vector<double> scores{2, -1e10, 0, kNever};
    penalize_repetition(scores, std::vector<int32_t>{0, 1, 2, 3}, penalty);
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(std::isfinite(scores[static_cast<size_t>(i)])) << i;
    EXPECT_EQ(scores[3], kNever);
  }
}

TEST(Sampling, GreedyTakesTheLowestIdOfEqualScores) { EXPECT_EQ(best_token(std::vector<double>{1, 3, 3, kNever}), 1); }

TEST(Sampling, DrawsByTheDistributionFunction) {
  const TokenDistribution tokens{{2, 5, 6}, {0.25, 0.5, 0.25}};
  EXPECT_EQ(tokens.at(0), 2);
  EXPECT_EQ(tokens.at(0.2499), 2);
  EXPECT_EQ(tokens.at(0.25), 5);
  EXPECT_EQ(tokens.at(0.9999), 6);
  std::map<int32_t, int> counts;
  for (uint64_t step = 0; step < 4000; ++step) ++counts[tokens.at(sampling_number(3, 1, step))];
  EXPECT_NEAR(counts[5], 2000, 150);
  EXPECT_NE(sampling_number(3, 1, 0), sampling_number(3, 2, 0));
  EXPECT_NE(sampling_number(3, 1, 0), sampling_number(4, 1, 0));
  EXPECT_EQ(sampling_number(3, 1, 0), sampling_number(3, 1, 0));
}

std::string refused_field(const SamplingOptions& options) {
  try {
    validate(options);
  } catch (const UsageError& error) {
    return error.detail().field;
  }
  return "none";
}

TEST(Sampling, RefusesWhatMeansNothing) {
  EXPECT_EQ(refused_field({.temperature = -1}), "temperature");
  EXPECT_EQ(refused_field({.top_k = -1}), "top_k");
  EXPECT_EQ(refused_field({.top_p = 0}), "top_p");
  EXPECT_EQ(refused_field({.min_p = 1.5}), "min_p");
  EXPECT_EQ(refused_field({.repetition_penalty = 0}), "repetition_penalty");
}

constexpr int32_t kVocabulary = 4, kEnd = 3;
constexpr int64_t kLongest = 4;

// Log probabilities after some ids: a fixed, random language.
std::vector<double> next_logs(const std::vector<int32_t>& ids) {
  uint64_t place = 1;
  for (const int32_t id : ids) place = place * kVocabulary + static_cast<uint64_t>(id);
  Generator generator(substream({17, 0}, place));
  std::vector<double> logs(kVocabulary);
  for (double& log : logs) log = 1.5 * generator.normal();
  normalize_logs(logs);
  return logs;
}

void search_all(const std::vector<int32_t>& ids, double sum, double length_penalty, Hypothesis& best) {
  const bool ended = !ids.empty() && ids.back() == kEnd;
  if (ended || std::ssize(ids) == kLongest) {
    const double score = sum / std::pow(static_cast<double>(ids.size()), length_penalty);
    if (best.ids.empty() || score > best.score) best = {ids, score, ended};
    return;
  }
  const std::vector<double> logs = next_logs(ids);
  for (int32_t id = 0; id < kVocabulary; ++id) {
    std::vector<int32_t> longer = ids;
    longer.push_back(id);
    search_all(longer, sum + logs[static_cast<size_t>(id)], length_penalty, best);
  }
}

// The next step of a search from the log probabilities of all tokens after each live beam.
std::vector<int32_t> advance(BeamSearch& search, const std::vector<std::vector<double>>& logs) {
  std::vector<std::vector<NextToken>> tokens;
  for (const std::vector<double>& one : logs) tokens.push_back(best_tokens(one, search.candidates()));
  return search.advance(tokens);
}

Hypothesis search(int64_t beams, double length_penalty) {
  BeamSearch search({.beams = beams, .length_penalty = length_penalty, .max_tokens = kLongest, .end_ids = {kEnd}});
  while (!search.done()) {
    std::vector<std::vector<double>> logs;
    for (const auto& ids : search.live()) logs.push_back(next_logs(ids));
    const std::vector<std::vector<int32_t>> before = search.live();
    const std::vector<int32_t> parents = advance(search, logs);
    EXPECT_EQ(parents.size(), search.live().size());
    for (size_t i = 0; i < parents.size(); ++i) {
      std::vector<int32_t> prefix = search.live()[i];
      prefix.pop_back();
      EXPECT_EQ(prefix, before[static_cast<size_t>(parents[i])]);
    }
  }
  return search.best(1).front();
}

TEST(BeamSearch, WithBeamsForAllFindsTheBest) {
  constexpr int64_t kAll = 256;  // more than there are sequences
  for (const double length_penalty : {1.0, 0.0, 2.0, -1.0}) {
    Hypothesis best;
    search_all({}, 0, length_penalty, best);
    const Hypothesis found = search(kAll, length_penalty);
    EXPECT_EQ(found.ids, best.ids) << length_penalty;
    EXPECT_NEAR(found.score, best.score, 1e-12);
    EXPECT_EQ(found.ended, best.ended);
  }
}

// A hypothesis that has just ended says nothing of what live ones may reach.
TEST(BeamSearch, StopsByTheBestLiveHypothesis) {
  constexpr int32_t kStop = 2;
  BeamSearch search({.beams = 2, .length_penalty = 0, .max_tokens = 9, .end_ids = {kStop}});
  advance(search, {{-1, -1.1, -1.05}});
  EXPECT_FALSE(search.done());  // one has ended
  advance(search, {{-2, -3, -0.01}, {-9, -9, -9}});
  EXPECT_TRUE(search.done());  // -1.05 and -1.01 have ended, the best live one has -3
  EXPECT_THAT(search.best(1).front().ids, ElementsAre(0, kStop));
  BeamSearch open({.beams = 2, .length_penalty = 0, .max_tokens = 9, .end_ids = {kStop}});
  advance(open, {{-1, -1.1, -1.05}});
  advance(open, {{-0.01, -3, -0.02}, {-9, -9, -9}});
  EXPECT_FALSE(open.done());  // the best live one has -1.01, the worst that ended -1.05
}

TEST(BeamSearch, OfOneBeamTakesTheBestTokenEachTime) {
  std::vector<int32_t> greedy;
  while (std::ssize(greedy) < kLongest && (greedy.empty() || greedy.back() != kEnd)) {
    greedy.push_back(best_token(next_logs(greedy)));
  }
  const std::vector<int32_t> found = search(1, 1).ids;
  EXPECT_EQ(found, greedy);
}

}  // namespace
}  // namespace roformer
