#include "generation/sampled_search.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace roformer {

SampledSearch::SampledSearch(SampledOptions options)
    : options_(std::move(options)),
      sums_(static_cast<size_t>(options_.draws)),
      results_(static_cast<size_t>(options_.draws)),
      done_(options_.max_tokens < 1) {
  if (options_.draws < 1) throw UsageError("{} draws, expected at least 1", options_.draws);
}

std::vector<double> SampledSearch::numbers(size_t hypothesis) const {
  const auto number = [&](size_t draw) {
    return Generator(substream(substream(options_.random, draw), live_.front().size())).uniform();
  };
  if (!draw_of_.empty()) return {number(draw_of_[hypothesis])};
  std::vector<double> all;
  for (size_t draw = 0; draw < results_.size(); ++draw) all.push_back(number(draw));
  return all;
}

std::vector<int32_t> SampledSearch::advance(std::span<const std::vector<NextToken>> tokens) {
  std::vector<std::vector<int32_t>> live;
  std::vector<size_t> draw_of;
  std::vector<int32_t> parents;
  for (size_t parent = 0; parent < tokens.size(); ++parent) {
    for (size_t k = 0; k < tokens[parent].size(); ++k) {
      const auto& [id, log] = tokens[parent][k];
      const size_t draw = draw_of_.empty() ? k : draw_of_[parent];
      std::vector<int32_t> ids = live_[parent];
      ids.push_back(id);
      sums_[draw] += log;
      const bool ended = std::ranges::find(options_.end_ids, id) != options_.end_ids.end();
      if (ended || std::ssize(ids) >= options_.max_tokens) {
        const double score = hypothesis_score(sums_[draw], ids.size(), options_.length_penalty, options_.penalty_kind);
        results_[draw] = {std::move(ids), score, ended};
        continue;
      }
      live.push_back(std::move(ids));
      draw_of.push_back(draw);
      parents.push_back(static_cast<int32_t>(parent));
    }
  }
  live_ = std::move(live);
  draw_of_ = std::move(draw_of);
  done_ = live_.empty();
  return parents;
}

std::vector<Hypothesis> SampledSearch::best(size_t count) const {
  return {results_.begin(), results_.begin() + static_cast<std::ptrdiff_t>(std::min(count, results_.size()))};
}

}  // namespace roformer
