#include "generation/beam_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/error.h"

namespace roformer {

namespace {

struct Continuation {
  double sum;
  int32_t beam, id;
};

// The best `count` continuations of all beams, best first, ties by beam and id.
std::vector<Continuation> best_of(std::span<const std::vector<NextToken>> next, std::span<const double> sums,
                                  size_t count) {
  std::vector<Continuation> all;
  for (size_t beam = 0; beam < next.size(); ++beam) {
    for (const auto& [id, log] : next[beam]) all.push_back({sums[beam] + log, static_cast<int32_t>(beam), id});
  }
  std::ranges::sort(all, [](const Continuation& a, const Continuation& b) {
    if (a.sum != b.sum) return a.sum > b.sum;
    return a.beam != b.beam ? a.beam < b.beam : a.id < b.id;
  });
  all.resize(std::min(count, all.size()));
  return all;
}

}  // namespace

std::vector<NextToken> best_tokens(std::span<const double> logs, size_t count) {
  std::vector<NextToken> tokens;
  for (size_t id = 0; id < logs.size(); ++id) {
    if (logs[id] != -std::numeric_limits<double>::infinity()) tokens.push_back({static_cast<int32_t>(id), logs[id]});
  }
  const auto limit = static_cast<int64_t>(std::min(count, tokens.size()));
  std::partial_sort(tokens.begin(), tokens.begin() + limit, tokens.end(), [](const NextToken& a, const NextToken& b) {
    return a.log_probability != b.log_probability ? a.log_probability > b.log_probability : a.id < b.id;
  });
  tokens.resize(static_cast<size_t>(limit));
  return tokens;
}

double hypothesis_score(double log_probability, size_t tokens, double length_penalty, LengthPenalty kind) {
  if (tokens == 0) return log_probability;
  const auto length = static_cast<double>(tokens);
  return log_probability / std::pow(kind == LengthPenalty::gnmt ? (5 + length) / 6 : length, length_penalty);
}

BeamSearch::BeamSearch(BeamOptions options) : options_(std::move(options)) {
  if (options_.beams < 1) throw UsageError("{} beams, expected at least 1", options_.beams);
  done_ = options_.max_tokens < 1;
}

void BeamSearch::finish(Hypothesis hypothesis) {
  const auto worse = [&](const Hypothesis& other) { return other.score < hypothesis.score; };
  finished_.insert(std::find_if(finished_.begin(), finished_.end(), worse), std::move(hypothesis));
  if (std::ssize(finished_) > options_.beams) finished_.pop_back();
}

size_t BeamSearch::candidates() const {
  return (1 + std::max<size_t>(1, options_.end_ids.size())) * static_cast<size_t>(options_.beams);
}

std::vector<int32_t> BeamSearch::advance(std::span<const std::vector<NextToken>> tokens) {
  const auto beams = static_cast<size_t>(options_.beams);
  const size_t length = live_.front().size() + 1;
  const std::vector<Continuation> next = best_of(tokens, sums_, candidates());
  std::vector<std::vector<int32_t>> live;
  std::vector<double> sums;
  std::vector<int32_t> parents;
  for (size_t rank = 0; rank < next.size() && live.size() < beams; ++rank) {
    const auto& [sum, beam, id] = next[rank];
    std::vector<int32_t> ids = live_[static_cast<size_t>(beam)];
    ids.push_back(id);
    if (std::find(options_.end_ids.begin(), options_.end_ids.end(), id) != options_.end_ids.end()) {
      if (rank < beams) finish({std::move(ids), score_of(sum, length) + bonus_of(static_cast<size_t>(beam)), true});
      continue;
    }
    live.push_back(std::move(ids));
    sums.push_back(sum);
    parents.push_back(beam);
  }
  const bool enough = std::ssize(finished_) >= options_.beams;
  const bool hopeless = enough && !live.empty() && finished_.back().score >= score_of(sums.front(), length);
  done_ = live.empty() || hopeless || std::ssize(live.front()) >= options_.max_tokens;
  if (!bonuses_.empty()) {
    std::vector<double> bonuses;
    for (const int32_t parent : parents) bonuses.push_back(bonus_of(static_cast<size_t>(parent)));
    bonuses_ = std::move(bonuses);
  }
  live_ = std::move(live);
  sums_ = std::move(sums);
  return parents;
}

std::vector<Hypothesis> BeamSearch::best(size_t count) const {
  std::vector<Hypothesis> all = finished_;
  for (size_t i = 0; i < live_.size(); ++i) {
    all.push_back({live_[i], score_of(sums_[i], live_[i].size()) + bonus_of(i), false});
  }
  std::ranges::stable_sort(all, std::greater(), &Hypothesis::score);
  if (all.size() > count) all.resize(count);
  return all;
}

}  // namespace roformer
