// Drawn translations: a number of hypotheses that go on independently of each other, each by tokens that its own random
// numbers choose.
#pragma once

#include "base/random.h"
#include "generation/beam_search.h"

namespace roformer {

struct SampledOptions {
  int64_t draws = 1;
  double length_penalty = 1;  // of the scores, as of BeamOptions
  LengthPenalty penalty_kind = LengthPenalty::power;
  int64_t max_tokens = 20;
  std::vector<int32_t> end_ids;
  RandomStream random;  // the number of a draw's token is a function of this, the draw and the token's place
};

class SampledSearch final : public HypothesisSearch {
 public:
  explicit SampledSearch(SampledOptions options);

  const std::vector<std::vector<int32_t>>& live() const override { return live_; }
  bool done() const override { return done_; }
  // In [0, 1): those that choose the tokens after a live hypothesis. After the empty one all draws begin, so that there
  // are as many; later one.
  std::vector<double> numbers(size_t hypothesis) const;
  // tokens[i]: one for each of numbers(i).
  std::vector<int32_t> advance(std::span<const std::vector<NextToken>> tokens) override;
  // In the order of the draws: the first is the only one of a search with one draw.
  std::vector<Hypothesis> best(size_t count) const override;

 private:
  SampledOptions options_;
  std::vector<std::vector<int32_t>> live_{1};
  std::vector<size_t> draw_of_;  // of each live hypothesis; empty: the first has all
  std::vector<double> sums_;     // of each draw
  std::vector<Hypothesis> results_;
  bool done_ = false;
};

}  // namespace roformer
