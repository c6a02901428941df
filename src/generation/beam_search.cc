#include "generation/beam_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/error.h"

namespace roformer {

namespace {

struct NextToken {
  double sum;
  int32_t beam, id;
};

// The best `count` continuations of all beams, best first, ties by beam and id.
std::vector<NextToken> best_of(std::span<const std::vector<double>> logs, std::span<const double> sums, size_t count) {
  const auto before = [](const NextToken& a, const NextToken& b) {
    if (a.sum != b.sum) return a.sum > b.sum;
    return a.beam != b.beam ? a.beam < b.beam : a.id < b.id;
  };
  std::vector<NextToken> all;
  for (size_t beam = 0; beam < logs.size(); ++beam) {
    std::vector<NextToken> of_beam;
    for (size_t id = 0; id < logs[beam].size(); ++id) {
      const double sum = sums[beam] + logs[beam][id];
      if (sum == -std::numeric_limits<double>::infinity()) continue;
      of_beam.push_back({sum, static_cast<int32_t>(beam), static_cast<int32_t>(id)});
    }
    const auto limit = static_cast<int64_t>(std::min(count, of_beam.size()));
    std::partial_sort(of_beam.begin(), of_beam.begin() + limit, of_beam.end(), before);
    all.insert(all.end(), of_beam.begin(), of_beam.begin() + limit);
  }
  std::sort(all.begin(), all.end(), before);
  all.resize(std::min(count, all.size()));
  return all;
}

}  // namespace

BeamSearch::BeamSearch(BeamOptions options) : options_(std::move(options)) {
  if (options_.beams < 1) throw UsageError("{} beams, expected at least 1", options_.beams);
  done_ = options_.max_tokens < 1;
}

double BeamSearch::score_of(double sum, size_t length) const {
  return length == 0 ? sum : sum / std::pow(static_cast<double>(length), options_.length_penalty);
}

void BeamSearch::finish(Hypothesis hypothesis) {
  const auto worse = [&](const Hypothesis& other) { return other.score < hypothesis.score; };
  finished_.insert(std::find_if(finished_.begin(), finished_.end(), worse), std::move(hypothesis));
  if (std::ssize(finished_) > options_.beams) finished_.pop_back();
}

std::vector<int32_t> BeamSearch::advance(std::span<const std::vector<double>> log_probabilities) {
  const auto beams = static_cast<size_t>(options_.beams);
  const size_t length = live_.front().size() + 1;
  const std::vector<NextToken> next =
      best_of(log_probabilities, sums_, (1 + std::max<size_t>(1, options_.end_ids.size())) * beams);
  std::vector<std::vector<int32_t>> live;
  std::vector<double> sums;
  std::vector<int32_t> parents;
  for (size_t rank = 0; rank < next.size() && live.size() < beams; ++rank) {
    const auto& [sum, beam, id] = next[rank];
    std::vector<int32_t> ids = live_[static_cast<size_t>(beam)];
    ids.push_back(id);
    if (std::find(options_.end_ids.begin(), options_.end_ids.end(), id) != options_.end_ids.end()) {
      if (rank < beams) finish({std::move(ids), score_of(sum, length), true});
      continue;
    }
    live.push_back(std::move(ids));
    sums.push_back(sum);
    parents.push_back(beam);
  }
  const bool enough = std::ssize(finished_) >= options_.beams;
  const bool hopeless = enough && !live.empty() && finished_.back().score >= score_of(sums.front(), length);
  done_ = live.empty() || hopeless || std::ssize(live.front()) >= options_.max_tokens;
  live_ = std::move(live);
  sums_ = std::move(sums);
  return parents;
}

Hypothesis BeamSearch::best() const {
  std::vector<Hypothesis> all = finished_;
  for (size_t i = 0; i < live_.size(); ++i) all.push_back({live_[i], score_of(sums_[i], live_[i].size()), false});
  return *std::max_element(all.begin(), all.end(),
                           [](const Hypothesis& a, const Hypothesis& b) { return a.score < b.score; });
}

}  // namespace roformer
